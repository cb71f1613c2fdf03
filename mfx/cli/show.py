"""What the command line prints when runs are over: short tables, seconds, and where to look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mfx import yardstick
from mfx.results import Result

if TYPE_CHECKING:
    from mfx.cli.sweep import Summary
    from mfx.sweep.report import Outcome


def result(outcome: Result) -> None:
    """Print the table of one run."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    settings = outcome.settings
    title = " · ".join([outcome.split.train.name, settings["split"]["name"], settings["model"]["name"]])
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("metric")
    table.add_column("valid", justify="right")
    table.add_column("test", justify="right")
    parts = ["valid/", "test/"]
    if any(name.startswith(yardstick.PREFIX) for name in outcome.metrics):
        table.add_column("popularity on test", justify="right")
        parts.append(yardstick.PREFIX)
    for name in _scored(outcome.metrics):
        table.add_row(name, *(_number(outcome.metrics.get(f"{part}{name}")) for part in parts))
    print(title)
    Console().print(table)
    if outcome.score is not None and "fit/best_epoch" in outcome.metrics:
        best, last = (int(outcome.metrics[f"fit/{name}"]) for name in ("best_epoch", "epochs"))
        print(f"Best epoch on valid: {best} of {last} ({outcome.objective}).{_refitted(outcome)}")
    for name, reason in outcome.skipped.items():
        print(f"No {name}: {reason}")
    _notes(outcome.notes)
    print("Seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in _seconds(outcome.metrics)))
    print(f"Files:   {outcome.directory}")
    print(f"Tracked: {outcome.where}")


def job(what: str, outcome: Result, seconds: float) -> None:
    """Print one line on standard error about a finished run of a sweep."""
    import sys

    score = "" if outcome.score is None else f"{outcome.objective} {outcome.score:.4f}, "
    print(f"{what}: {score}{seconds:.1f} s", file=sys.stderr)


def sweep(summary: Summary) -> None:
    """Print the table of a sweep: a row per group of runs that differ in seed or fold only."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    names = [name for name in summary.metric_names if name.startswith("test/")]
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("runs of")
    table.add_column("n", justify="right")
    for name in (*names, "seconds"):
        table.add_column(name, justify="right")
    for group in summary.groups:
        cells = [_spread(group.mean.get(name), group.spread.get(name)) for name in names]
        table.add_row(group.label, str(group.runs), *cells, _fitting(group.mean))
    if summary.groups:
        # Never cut: where the output is no terminal, lines may be as long as they need to be.
        print("Mean ± spread over seeds and folds; seconds are those of fitting, refits included")
        console = Console()
        Console(width=max(console.width, 20 + 18 * (len(names) + 2)) if not console.is_terminal else None).print(table)
    _notes(summary.notes)
    print(f"Files:   {summary.directory}")
    print(f"Tracked: {summary.where}")


def search(outcome: Outcome) -> None:
    """Print the five best trials of a sweep, the score of the best on test, and how to run it again."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("trial", outcome.objective, "stage", "settings"):
        table.add_column(name, justify="right" if name in ("trial", outcome.objective) else "left")
    for number in outcome.ranking[:5]:
        one = outcome.trials[number]
        table.add_row(str(number), _number(one.value), one.stage, outcome.texts[number])
    counts = [f"{outcome.count(status)} {status}" for status in ("complete", "pruned", "failed")]
    print(f"{len(outcome.trials)} trials ({', '.join(counts)}); the best:")
    console = Console()
    Console(width=max(console.width, 200) if not console.is_terminal else None).print(table)
    over = " and ".join(outcome.grid_over)
    if over:
        shares = ", ".join(f"{name} {share:.2f}" for name, share in sorted(outcome.importances.items(), key=_share))
        print(f"Grid over {over} (importance: {shares}).")
    fitted = "train and valid" if outcome.refit else "train"
    scores = ", ".join(f"{name.partition('/')[2]} {value:.4f}" for name, value in outcome.test.items())
    print(f"Test, once, best setting fitted on {fitted}: {scores}")
    _notes(outcome.notes)
    print(f"Per trial: {outcome.fit_and_score:.2f} s fitting and scoring, {1000 * outcome.overhead:.0f} ms beyond.")
    print(f"Again:   {outcome.command}")
    print(f"Files:   {outcome.folder}")
    print(f"Tracked: {outcome.where}")


def _notes(notes: Sequence[str]) -> None:
    for note in notes:
        print(f"Note: {note}")


def _fitting(mean: dict[str, float]) -> str:
    found = [mean[name] for name in ("seconds/fit", "seconds/refit") if name in mean]
    return f"{sum(found):.1f}" if found else ""


def _share(pair: tuple[str, float]) -> tuple[float, str]:
    return (-pair[1], pair[0])


def _refitted(outcome: Result) -> str:
    return " Refitted on train and valid for the test." if outcome.settings["refit"] else ""


def _scored(metrics: dict[str, float]) -> list[str]:
    names = [name.partition("/")[2] for name in metrics if name.startswith(("valid/", "test/"))]
    return list(dict.fromkeys(names))


def _seconds(metrics: dict[str, float]) -> list[tuple[str, float]]:
    return [(name.partition("/")[2], value) for name, value in metrics.items() if name.startswith("seconds/")]


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4f}"


def _spread(mean: float | None, spread: float | None) -> str:
    return _number(mean) if spread is None else f"{mean:.4f} ± {spread:.4f}"
