"""`mfx ...`: a run, or a sweep of runs, composed by Hydra."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

from mfx import compose, results
from mfx.cli import progress, show, sweep
from mfx.cli.complain import complain
from mfx.cli.list import tell_left_out
from mfx.compose import ConfigError
from mfx.errors import MFXError, did_you_mean
from mfx.results import Result
from mfx.sweep import SWEEPER
from mfx.sweep import settings as sweep_settings

if TYPE_CHECKING:
    from mfx.sweep.report import Outcome

DEBUG = "MFX_DEBUG"

_finished: list[Result] = []


def main(arguments: list[str], debug: bool = False) -> int:
    """Run the command line; return the exit status."""
    as_json = "--json" in arguments
    arguments = [argument for argument in arguments if argument != "--json"]
    arguments = _checked(arguments)
    _finished.clear()
    failed_before = None
    with _command_line(arguments, debug):
        try:
            _compose_and_run()
        except sweep.CannotStart as stop:
            raise stop.error from stop.error.__cause__
        except Exception as error:
            if not sweep.is_open():
                raise
            failed_before = error
        except KeyboardInterrupt:
            if sweep.is_open():
                sweep.close("KILLED")
            raise
    if sweep.is_open():
        return _end_sweep(failed_before, as_json)
    if searched := _searched():
        print(json.dumps(searched.as_json(), indent=2)) if as_json else show.search(searched)
    for result in _finished:
        print(json.dumps(result.metrics, indent=2)) if as_json else show.result(result)
    return 0


def _searched() -> Outcome | None:
    """Take what the sweeper came to, if it was at work."""
    module = sys.modules.get("mfx.sweep.sweeper")
    return module.finished.pop() if module is not None and module.finished else None


def _end_sweep(error: Exception | None, as_json: bool) -> int:
    summary = sweep.close("FINISHED" if error is None else "FAILED")
    if error is not None and not summary.jobs:
        raise error
    if as_json:
        print(json.dumps(summary.as_json(), indent=2))
    else:
        show.sweep(summary)
    if error is None:
        return 0
    if not summary.failures:
        raise error
    print(f"mfx: {len(summary.failures)} of {summary.jobs} runs failed.", file=sys.stderr)
    return 1


def _compose_and_run() -> None:
    import hydra

    _register_resolvers()
    with compose.explained():
        compose.fill_store()
        tell_left_out()
        sweep_settings.fill_store()
        hydra.main(config_path=str(compose.conf_dir()), config_name=compose.CONFIG, **compose.hydra_base())(task)()


def task(config: Any) -> float | None:
    """Carry out one composed run; Hydra calls it, in whatever process a launcher chose.

    Returns
    -------
    float or None
        The objective on valid, for sweepers; None without a valid part.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    settings = HydraConfig.get()
    directory = Path(settings.runtime.output_dir)
    if settings.sweeper._target_ == SWEEPER and settings.mode == RunMode.MULTIRUN:
        from mfx.sweep import trial

        value: float | None = trial.run(config, directory, prune=settings.sweeper.prune)["value"]
        return value
    if settings.mode == RunMode.MULTIRUN:
        return _job(config, directory, list(settings.overrides.task))
    try:
        plan = compose.build(config)
    except MFXError:
        with contextlib.suppress(OSError):
            directory.rmdir()
        raise
    if plan.resume:
        directory = _cut_off(plan, directory)
    result = _execute(plan, directory, None)
    _finished.append(result)
    return result.score


def _job(config: Any, directory: Path, overrides: list[str]) -> float | None:
    """One run of a sweep: its failure is told at once, and kept in its folder for the end."""
    began = time.perf_counter()
    for left in (results.METRICS_FILE, sweep.FAILURE_FILE):
        (directory / left).unlink(missing_ok=True)  # of an earlier run in the same folder (hydra.sweep.dir)
    if not sweep.is_named(overrides):
        config.run_name = sweep.name_of(directory, overrides, compose.label(config))
    try:
        result = _execute(compose.build(config), directory, sweep.parent_of(directory))
    except Exception as error:
        sweep.note_failure(directory, overrides, error)
        print(f"{sweep.what(directory, overrides)}: ", end="", file=sys.stderr)
        complain(error, os.environ.get(DEBUG) == "1")
        raise
    show.job(sweep.what(directory, overrides), result, time.perf_counter() - began)
    return result.score


def _cut_off(plan: compose.Plan, fresh: Path) -> Path:
    """Return the folder of the run that goes on, and log there; the fresh one where there is none."""
    import logging

    from mfx import checkpoint

    found = checkpoint.find(plan)
    if found is None:
        print("mfx: no run with these settings was cut off, so a new one begins.", file=sys.stderr)
        return fresh
    print(f"mfx: going on with {found.directory} ({found.stands}).", file=sys.stderr)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == fresh.absolute():
            handler.close()
            handler.baseFilename = str(found.directory / Path(handler.baseFilename).name)
    with contextlib.suppress(OSError):
        fresh.rmdir()
    return found.directory


def _execute(plan: compose.Plan, directory: Path, parent: str | None) -> Result:
    from mfx import experiment

    with progress.shown(plan.name) as listener:
        return experiment.execute(plan, directory, parent, listener)


def _checked(arguments: list[str]) -> list[str]:
    """Refuse what Hydra's parser would refuse with a page of usage, and folders that would mislead.

    Returns
    -------
    list of str
        The arguments, overrides first: Hydra's parser wants them together, and not behind --info.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    flags = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]

    def refuse(message: str) -> NoReturn:
        wrong = message.rpartition(":")[2].strip().split()[-1:]
        hint = did_you_mean(wrong[0], [*flags, "--json", "--debug"]) if "unrecognized" in message and wrong else ""
        raise ConfigError(f"{message[:1].upper()}{message[1:]}.", hint or "See mfx --help.")

    parser.error = refuse  # type: ignore[method-assign]
    parsed = parser.parse_intermixed_args(arguments)
    if parsed.multirun and (parsed.cfg or parsed.info):
        raise ConfigError(
            "--cfg and --info show the configuration of one run, not of a sweep.",
            "Leave out -m, or type mfx in place of mfx sweep, and give single values.",
        )
    if parsed.config_dir is not None:
        compose.check_folder(Path(parsed.config_dir))
    overrides: list[str] = parsed.overrides
    return overrides + [argument for argument in arguments if argument not in overrides]


def _register_resolvers() -> None:
    from omegaconf import OmegaConf

    def label(*, _root_: Any) -> str:
        try:
            return results.safe_name(compose.label(_root_))
        except Exception:  # a broken configuration is reported by the run itself; this only names its folder
            return "run"

    OmegaConf.register_new_resolver("mfx.label", label, replace=True)
    OmegaConf.register_new_resolver("mfx.token", results.token, replace=True, use_cache=True)


class _Errors:
    """Standard error without the line that Hydra writes about a failed run, which is told here in better words."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith("Error executing job with overrides") else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _command_line(arguments: list[str], debug: bool) -> Iterator[None]:
    """Let Hydra see the arguments and raise its errors instead of printing them."""
    variables = {"HYDRA_FULL_ERROR": "1", DEBUG: "1" if debug else "0"}
    argv, stderr, before = sys.argv, sys.stderr, {name: os.environ.get(name) for name in variables}
    sys.argv, sys.stderr = ["mfx", *arguments], cast(TextIO, _Errors(stderr))
    os.environ.update(variables)
    try:
        yield
    finally:
        sys.argv, sys.stderr = argv, stderr
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
