"""The `mfx` command: sends each command line to its command, and turns errors into one line and an exit status."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from mfx.cli.complain import FAILURE, INTERRUPTED, complain

HELP = """\
MFX: an experiment framework for matrix-factorisation recommenders.

  mfx [CHOICE=NAME ...] [SETTING=VALUE ...]   run one experiment
  mfx -m CHOICE=NAME,NAME SETTING=VALUE,VALUE run all combinations
  mfx sweep [CHOICE=NAME ...] [SETTING=RANGE ...] [sweep.SETTING=VALUE ...]
                                              search for the best settings: at random, then on a grid
  mfx explore [dataset=NAME] [split=NAME]     look at a data set: figures and one page, before any model
  mfx data partition [dataset=NAME] to=DIR [parts=16]
                                              a data set in parts, for fits on more than one machine
  mfx list [KIND] [--json]                    components, their settings, defaults and search ranges; presets
  mfx compare RUN RUN ...                     finished runs side by side, with paired tests and figures
  mfx report RUN ... | STUDY                  finished runs or a study as one page that needs no network
  mfx reproduce RUN                           a finished run made again: do all numbers agree to the last digit?
  mfx ui                                      look at finished runs
  mfx recommend run=RUN user=ID               the best items for a user, or with ratings='TITLE=5; ...' for somebody new
  mfx fold run=RUN dataset=NAME to=FILE       the best items for many new users, from a data set of their ratings
  mfx similar run=RUN item=TITLE              the items most like one
  mfx serve run=RUN [port=5001]               a server that recommends, on this machine
  mfx explain run=RUN [user=ID] [genres=G|G]  why these scores; a new item; polarising items; genres on a map
  mfx new plugin NAME                         make a package with a model of your own and its tests
  mfx doctor                                  plugins found, plugins that are broken and why, the environment

Choices, in the order of the flow: dataset, split, model, engine, tracking. Settings: model.factors=20, seed=3,
refit=false, metrics=[rmse,ndcg@10], objective=ndcg@10, early_stopping.patience=3, experiment_name=mine, run_name=first.
resume=true goes on with a run that was cut off; checkpoint_minutes=10 says how often the state of a fit is kept.

  mfx model=als split=random model.factors=20
  mfx -m model=bias,als seed=1,2,3
  mfx sweep model=als sweep.random_trials=20 'model.reg=tag(log,interval(1,50))'
  mfx --config-dir my_presets model=mine

Options:
  --json            print the final numbers as JSON on standard output, and nothing else there
  --debug           show the traceback of an error
  --cfg job         show the composed configuration and run nothing (add --resolve to fill in ${...})
  --config-dir DIR  find presets in DIR too, such as DIR/model/mine.yaml
  -m, --multirun    run every combination of comma-separated values
  --info            show how the configuration was found
  --hydra-help      show every option of Hydra, which composes the runs
  --version         show the version
  --help            show this
"""


COMMANDS = (
    "compare",
    "data",
    "doctor",
    "explain",
    "explore",
    "fold",
    "list",
    "new",
    "recommend",
    "report",
    "reproduce",
    "serve",
    "similar",
)
"""Commands that compose no run, each a module of this package with a function ``main(arguments)``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 (failed), 2 (wrong usage) or 130 (interrupted)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    import logging

    logging.raiseExceptions = debug  # a reader of our output that has gone away is no reason for tracebacks
    try:
        return _dispatch(arguments, debug)
    except KeyboardInterrupt:
        print("mfx: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        return complain(error, debug)


def _dispatch(arguments: list[str], debug: bool) -> int:
    command = arguments[0] if arguments else ""
    if "--help" in arguments[:1] or "-h" in arguments[:1]:
        print(HELP, end="")
        return 0
    if command == "--version":
        import mfx

        print(f"mfx {mfx.__version__}")
        return 0
    if command == "ui":
        from mfx.cli import ui

        return ui.main(arguments[1:])
    rest = [argument for argument in arguments if argument != "--debug"]
    if command in COMMANDS:
        status: int = importlib.import_module(f"mfx.cli.{command}").main(rest[1:])
        return status
    if command.isidentifier() and command != "sweep":
        from mfx.compose import ConfigError
        from mfx.errors import did_you_mean

        hint = did_you_mean(command, [*COMMANDS, "sweep", "ui"])
        raise ConfigError(f"There is no command '{command}'.", f"{hint} Settings are written name=value.")
    if command == "sweep":
        from mfx.cli import search

        rest = search.translated(rest[1:])
    from mfx.cli import run

    return run.main(rest, debug=debug)


if __name__ == "__main__":
    sys.exit(main())
