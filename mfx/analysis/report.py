"""Finished runs, or a study, as one page: question, data, split and audit, numbers, tests, figures, commands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mfx import compose, results
from mfx.analysis import compare_files, pipeline
from mfx.analysis.compare import Comparison, Tested, compare
from mfx.analysis.finished_run import RUNS, FinishedRun
from mfx.analysis.page import Page, Picture, Section, Table, write
from mfx.analysis.report_study import study_sections
from mfx.analysis.same_split import label
from mfx.analysis.side_by_side import numbers

FOLDER = "reports"
PARTS = ("train", "valid", "test")
FIGURES = ("learning_curve.png", "objective.png", "dynamics.png")
ALT = {
    "learning_curve": "The metric that was watched, on train and valid, epoch by epoch",
    "objective": "The objective, epoch by epoch",
    "dynamics": "Objective, metric on train and metric on valid side by side",
    "precision": "Precision of lists by their length, a curve for each run",
    "gap": "Train and valid, epoch by epoch, the gap shaded",
}


def make(runs: Sequence[FinishedRun], study: Path | None, typed: str, root: Path = RUNS) -> Path:
    """Write a page and return its path.

    Parameters
    ----------
    runs : sequence of FinishedRun
        One or more; those on the same split are compared with the first of them.
    study : pathlib.Path or None
        Folder of the study that the only run is the best of.
    typed : str
        The command line that makes the page again.
    root : pathlib.Path
        The folder ``runs``.

    Raises
    ------
    MFXError
        If a run cannot be scored again, because its data changed or it kept no model.
    """
    labels = label(runs)
    title = study.name if study is not None else " · ".join(labels[:4]) + (" ..." if len(labels) > 4 else "")
    digest = hashlib.blake2b("\n".join(str(run.folder) for run in runs).encode(), digest_size=3).hexdigest()
    place = root.absolute() / FOLDER / f"{results.safe_name(title)[:60]}_{digest}"
    sections = [] if study is None else study_sections(study)
    for group in _groups(runs):
        sections += _group(group, labels, runs)
    sections += _stages(runs, labels, place)
    sections.append(_again(runs, labels))
    page = Page(title, _question(runs, study), sections, _settings(runs), typed)
    return write(page, place.with_name(f"{place.name}.html"))


def _groups(runs: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """Put runs on the same split together, in the order given."""
    found: dict[str, list[FinishedRun]] = {}
    for run in runs:
        fingerprint = run.identity.get("split_fingerprint") or run.split.fingerprint
        found.setdefault(fingerprint, []).append(run)
    return list(found.values())


def _question(runs: Sequence[FinishedRun], study: Path | None) -> str:
    told = list(dict.fromkeys(run.config["tags"].get("description", "") for run in runs))
    if len(told) == 1 and told[0]:
        return str(told[0])
    models = list(dict.fromkeys(str(run.config["model"]["name"]) for run in runs))
    data = " and ".join(dict.fromkeys(run.identity.get("data", run.config["dataset"]["name"]) for run in runs))
    splits = ", ".join(dict.fromkeys(str(run.config["split"]["name"]) for run in runs))
    if study is not None:
        return f"Which settings of {models[0]} are the best on {data}, {splits} split?"
    if len(runs) == 1:
        return f"How good is {models[0]} on {data}, {splits} split?"
    return f"How do {', '.join(models)} compare on {data}, {splits} split?"


def _group(group: list[FinishedRun], labels: Sequence[str], runs: Sequence[FinishedRun]) -> list[Section]:
    names = [labels[list(runs).index(run)] for run in group]
    outcome = compare(group) if len(group) > 1 else None
    first = group[0]
    where = f"{first.identity.get('data', first.config['dataset']['name'])}, {first.config['split']['name']} split"
    sections = [_numbers(group, names, where), _data(first, where)]
    if outcome is not None:
        sections += _differences(outcome)
    return sections + [_figures(run, name) for run, name in zip(group, names, strict=True) if _drawn(run)]


def _numbers(group: Sequence[FinishedRun], names: Sequence[str], where: str) -> Section:
    prose = [
        "Scores on test, once. "
        + (
            "The final model was fitted on train and valid for as many epochs as were best on valid."
            if all(run.config["refit"] for run in group)
            else "Runs with refit=false are scored as fitted on train."
        )
    ]
    return Section(f"Numbers: {where}", prose, [numbers(group, names)])


def _data(run: FinishedRun, where: str) -> Section:
    audit = {key.removeprefix("audit/"): value for key, value in run.metrics.items() if key.startswith("audit/")}
    counts = [
        [part, *(int(audit.get(f"{what}_{part}", 0)) for what in ("ratings", "users", "items", "duplicate_pairs"))]
        for part in PARTS
    ]
    leaks = [
        [
            key.partition("_")[2].replace("_", " "),
            *(_fact(audit, f"{part}_{key.partition('_')[2]}") for part in PARTS[1:]),
        ]
        for key in audit
        if key.startswith("test_")
    ]
    rule = run.identity.get("split_rule", "")
    source = {key: value for key, value in run.identity.items() if key.endswith("fingerprint")}
    prose = [f"Split: {rule}." if rule else "", *(f"{key.replace('_', ' ')}: {value}" for key, value in source.items())]
    prose += run.notes
    return Section(
        f"Data and split: {where}",
        [text for text in prose if text],
        [
            Table(["part", "ratings", "users", "items", "repeated pairs"], counts, "What each part has."),
            Table(
                ["audit", "valid", "test"],
                leaks,
                "What of valid and test a model may already know, or cannot know: valid against train, test against "
                "train and valid.",
            ),
        ],
    )


def _differences(outcome: Comparison) -> list[Section]:
    folder = compare_files.folder_of(outcome.runs)
    pictures = [Picture(path, _alt(path), "") for path in compare_files.write(outcome, folder)]
    whole = Table(
        ["metric", "model", "difference", "95% interval", "p (Holm)", "users", "verdict"],
        [[one.metric, *_cells(one)] for one in outcome.tests],
        f"Each model against {outcome.against}, on all of test.",
    )
    rules = Table(
        ["slice", "rule", "ratings", "users"],
        [[name, about["rule"], about["ratings"], about["users"]] for name, about in outcome.slices.items()],
        "Parts of test.",
    )
    sliced = Table(
        ["slice", "metric", "model", "difference", "95% interval", "p (Holm)", "users", "verdict"],
        [[one.where, one.metric, *_cells(one)] for one in outcome.slice_tests],
        f"Each model against {outcome.against}, on parts of test.",
    )
    return [
        Section(f"Differences to {outcome.against}", [*outcome.protocol[1:], *outcome.notes], [whole], pictures),
        Section("Differences on parts of test", [], [rules, sliced]),
    ]


def _cells(one: Tested) -> list[Any]:
    found = one.difference
    none = found.low != found.low
    return [
        one.run,
        f"{found.value:+.4f}",
        "too few users" if none else f"{found.low:+.4f} to {found.high:+.4f}",
        "" if none else ("<.001" if found.p_corrected < 0.001 else f"{found.p_corrected:.3f}"),
        found.users,
        one.verdict,
    ]


def _stages(runs: Sequence[FinishedRun], labels: Sequence[str], folder: Path) -> list[Section]:
    """Tell what each stage took; the first run is drawn, into a folder beside the page."""
    if not pipeline.steps(runs[0]):
        return []
    from mfx.figures.style import save_both

    _, drawn = save_both(pipeline.draw(runs[0], labels[0]), folder / "pipeline")
    alt = f"The stages of {labels[0]} as boxes with arrows between them, seconds and peak memory below each"
    return [Section("Stages: seconds and memory", [], [pipeline.table(runs, labels)], [Picture(drawn, alt, wide=True)])]


def _drawn(run: FinishedRun) -> list[Path]:
    return [run.folder / results.FIGURES / name for name in FIGURES if (run.folder / results.FIGURES / name).is_file()]


def _figures(run: FinishedRun, name: str) -> Section:
    return Section(
        f"Fit of {name}",
        [],
        [],
        [Picture(path, f"{_alt(path)}: {name}", wide=path.stem == "dynamics") for path in _drawn(run)],
    )


def _alt(path: Path) -> str:
    return ALT.get(path.stem, path.stem.replace("_", " "))


def _again(runs: Sequence[FinishedRun], labels: Sequence[str]) -> Section:
    rows = [[name, compose.command(run.config), run.shown] for name, run in zip(labels, runs, strict=True)]
    table = Table(["run", "command", "files"], rows, "What to type for the numbers of each run.")
    return Section("The commands", ["Same data, same seed, same numbers, whatever the number of threads."], [table])


def _settings(runs: Sequence[FinishedRun]) -> dict[str, str]:
    """All settings of one run; of several, those that they share."""
    flat = [compose.flatten(run.config) for run in runs]
    return {
        name: value
        for name, value in flat[0].items()
        if not name.startswith("tags.") and all(one.get(name) == value for one in flat)
    }


def _fact(audit: dict[str, float], name: str) -> int | float | None:
    value = audit.get(name)
    return int(value) if value is not None and float(value).is_integer() else value
