"""`mfx reproduce RUN`: a finished run made again, and whether its numbers agree to the last digit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mfx.cli.compare import parse
from mfx.compose import ConfigError

if TYPE_CHECKING:
    from mfx.analysis.reproduce import Input, Reproduction

HELP = """\
mfx reproduce RUN [path=DATA] [--json]

Makes a finished run again from its settings and seed, untracked, and says whether every number (metrics and those of
each epoch) agrees to the last digit. Then it says what the numbers depend on and what of it changed since: data,
catalogue (ids, titles, features), split, code, versions, threads, machine, git. The exit status is 0 where all numbers
agree and 1 where any does not.

RUN as in mfx recommend --help: last, a run's folder (also one that was copied here), its id in MLflow, its name.
path= says where the data are on this machine.
"""
SHOWN = 10
"""How many differing numbers the table lists."""


def main(arguments: list[str]) -> int:
    """Make the run again and print what came of it; return the exit status."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP, end="")
        return 0
    references, given, as_json = parse(arguments, ("path",))
    if len(references) != 1:
        raise ConfigError("Reproduce which run?", "Name one: mfx reproduce last. See mfx reproduce --help.")
    from mfx.analysis import reproduce, runs
    from mfx.cli import progress

    run = runs.find(references[0])
    with progress.shown(f"{run.name} again") as listener:
        outcome = reproduce.reproduce(run, given.get("path"), listener)
    print(json.dumps(outcome.as_json(), indent=2)) if as_json else _show(outcome)
    return 0 if outcome.agrees else 1


def _show(outcome: Reproduction) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    print(f"{outcome.run.name} ({outcome.run.shown}), made again")
    width = max(len(one.name) for one in outcome.inputs)
    for one in outcome.inputs:
        print(f"  {one.name:<{width}}  {_state(one)}")
    if outcome.agrees:
        print(f"All {outcome.numbers:,} numbers agree to the last digit.")
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("number")
    for name in ("logged", "now"):
        table.add_column(name, justify="right")
    for name, pair in list(outcome.differing.items())[:SHOWN]:
        table.add_row(name, *("none" if value is None else repr(value) for value in pair))
    console = Console()
    Console(width=max(console.width, 100) if not console.is_terminal else None).print(table)
    more = len(outcome.differing) - SHOWN
    print(
        f"{len(outcome.differing):,} of {outcome.numbers:,} numbers differ{f'; {more:,} are not shown' * (more > 0)}."
    )
    unknown = [one.name for one in outcome.inputs if not one.logged]
    if outcome.changed:
        print(f"What changed: {', '.join(outcome.changed)}.")
    elif unknown:
        print(f"Nothing that the run logged has changed; it did not log {', '.join(unknown)}.")
    else:
        print("Nothing that the run logged has changed: its files were edited, or the model does not repeat itself.")


def _state(one: Input) -> str:
    if not one.logged:
        return "not logged"
    return "; ".join(f"{name}: {old} -> {new}" for name, (old, new) in one.changes.items()) or "same"
