"""`mfx compare RUN RUN ...`: finished runs side by side, and what of their difference is more than chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mfx.compose import ConfigError
from mfx.errors import did_you_mean

if TYPE_CHECKING:
    from rich.table import Table

    from mfx.analysis.compare import Comparison, Tested

HELP = """\
mfx compare RUN RUN [RUN ...] [metrics=NAME,NAME] [--json]

Compares finished runs on the same split with the first one: settings that differ, metrics on test, and for each metric
the difference with its 95% interval and p, corrected by Holm; on slices of test as well. Runs that differ in nothing
but their seed count as fits of one model, and the test takes users and fits as drawn at random. Several fits on one
split: mfx -m model=als,bpr split=random split.seed=42 seed=1,2,3,4,5. Figures and numbers go to runs/comparisons/.

RUN is a run's folder or the end of its name, its id in MLflow, its name, last, a study (its best run), or the folder
of a sweep (all of its runs).
"""
SETTINGS = ("metrics",)


def main(arguments: list[str]) -> int:
    """Print the comparison; return the exit status."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP, end="")
        return 0
    references, given, as_json = parse(arguments, SETTINGS)
    metrics = [one.strip() for one in given["metrics"].strip("[]").split(",")] if "metrics" in given else None
    if not references:
        raise ConfigError("Which runs?", "Name two or more: mfx compare RUN RUN. See mfx compare --help.")
    from mfx.analysis import compare, compare_files
    from mfx.analysis.several import expand

    runs = [run for reference in references for run in expand(reference)]
    outcome = compare.compare(runs, metrics)
    folder = compare_files.folder_of(outcome.runs)
    compare_files.write(outcome, folder)
    print(json.dumps(outcome.as_json(), indent=2)) if as_json else _show(outcome, folder)
    return 0


def parse(arguments: list[str], settings: tuple[str, ...]) -> tuple[list[str], dict[str, str], bool]:
    """Take references to runs, settings and ``--json`` apart.

    Raises
    ------
    ConfigError
        If a setting or flag is unknown, or a setting is given twice.
    """
    references: list[str] = []
    given: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument == "--json":
            continue
        if argument.startswith("-"):
            raise ConfigError(
                f"There is no option {argument}.", did_you_mean(argument, ["--json", "--debug", "--help"])
            )
        if equals and name.isidentifier():
            if name not in settings:
                raise ConfigError(f"There is no setting '{name}' here.", did_you_mean(name, settings))
            if name in given:
                raise ConfigError(f"{name}= is given twice.", "Give it once.")
            given[name] = value
        else:
            references.append(argument)
    return references, given, "--json" in arguments


def _show(outcome: Comparison, folder: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    wide = console if console.is_terminal else Console(width=max(console.width, 180))
    for line in outcome.protocol[:2]:
        print(line)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("run")
    names = list(dict.fromkeys(name for one in outcome.scores for name in one.values))
    for name in (*outcome.settings, *names, "seconds"):
        table.add_column(name.removeprefix("model."), justify="right")
    for place, (label, scores) in enumerate(zip(outcome.labels, outcome.scores, strict=True)):
        cells = [values[place] or "-" for values in outcome.settings.values()]
        cells += [f"{scores.values[name]:.4f}" if name in scores.values else "-" for name in names]
        seconds = outcome.runs[place].fit_seconds
        table.add_row(label, *cells, "-" if seconds is None else f"{seconds:.1f}")
    wide.print(table)
    print("\n".join(outcome.protocol[2:]))
    wide.print(_tests(outcome.tests, "metric", outcome))
    if outcome.slice_tests:
        wide.print(_tests(outcome.slice_tests, "slice", outcome))
    for note in outcome.notes:
        print(f"Note: {note}")
    print(f"Files: {folder}")


def _tests(tests: list[Tested], first: str, outcome: Comparison) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    several = len(outcome.main) > 1 and first == "slice"
    table.add_column(first if first != "slice" or several else f"{outcome.main[0]} on")
    if several:
        table.add_column("metric")
    table.add_column("model")
    for name in ("difference", "95% interval", "p (Holm)", "users"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in tests:
        found = one.difference
        interval = "too few users" if found.low != found.low else f"{found.low:+.4f} to {found.high:+.4f}"
        p = "" if found.p_corrected != found.p_corrected else f"{found.p_corrected:.3f}".replace("0.000", "<.001")
        cells = [one.where, *([one.metric] if several else [])] if first == "slice" else [one.metric]
        table.add_row(*cells, one.run, f"{found.value:+.4f}", interval, p, f"{found.users:,}", one.verdict)
    return table
