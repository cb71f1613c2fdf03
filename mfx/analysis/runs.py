"""Finding a finished run by whatever a person has at hand."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from mfx import results
from mfx.analysis.finished_run import RUNS, FinishedRun, RunError, open_run
from mfx.analysis.tracked import MIN_PREFIX, Tracked, look_up
from mfx.errors import did_you_mean

__all__ = ["FinishedRun", "RunError", "find", "finished", "open_run", "studies"]

log = logging.getLogger(__name__)

LAST = "last"
BEST_OF = "best of "
AHEAD = 60 * 10**9
"""Nanoseconds by which clocks of machines that share a folder may differ without a word."""
SHOWN = 5
"""How many runs an error lists."""
DEPTH = 4
"""Levels below ``runs/`` at which folders of runs lie."""


def find(reference: str, root: Path = RUNS) -> FinishedRun:
    """Find a finished run.

    Parameters
    ----------
    reference : str
        The run's folder (as a path, or below `root`), its folder's name or the token at that name's end, its id in
        the tracker or the beginning of it, its name, ``last`` for the newest, the name of a sweep's study or
        ``best of STUDY`` for the study's refitted best.
    root : pathlib.Path
        The folder ``runs``.

    Raises
    ------
    RunError
        If there is no such run, there are several, or it did not finish; says what exists.
    """
    wanted = reference.strip()
    if not wanted:
        raise RunError("Which run?", f"Write run=last, or name one. {_what_exists(root)}")
    if wanted.startswith(BEST_OF):
        return _best_of(wanted.removeprefix(BEST_OF).strip(), root)
    for place in dict.fromkeys((root / wanted, Path(wanted).expanduser(), root / results.STUDIES / wanted)):
        if (place / results.STUDY_FILE).is_file():
            return _best_of(str(place.absolute()), root)
        if (place / results.CONFIG_FILE).is_file():
            return open_run(place)
    known = finished(root)
    if wanted == LAST:
        if not known:
            raise RunError(f"There is no finished run below {root.absolute()}.", "Make one with: mfx")
        if _ended(known[0].folder) > time.time_ns() + AHEAD:
            log.warning("The clock has been set back: %s, taken for the last run, ended in the future.", known[0].shown)
        return known[0]
    matching = [run for run in known if _matches(run, wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise RunError(
            f"{len(matching)} runs are called '{wanted}'.",
            f"Name one by its folder, newest first: {_listed(matching)}.",
        )
    for folder in _folders(root):
        if is_named(folder, wanted):
            return open_run(folder)
    if tracked := look_up(wanted):
        return _out_of_mlflow(wanted, tracked, root)
    names = {LAST, *(run.name for run in known), *(run.folder.name for run in known), *studies(root)} if known else []
    close = did_you_mean(wanted, names).partition(" Available")[0] if names else ""
    guess = f"{close} " if close.startswith("Did") else ""
    raise RunError(f"There is no run '{wanted}' below {root.absolute()}.", f"{guess}{_what_exists(root)}")


def finished(root: Path = RUNS) -> list[FinishedRun]:
    """List the finished runs below a folder, the one that ended last first; those of sweeps' best are among them."""
    ended = {folder: _ended(folder) for folder in _folders(root) if (folder / results.METRICS_FILE).is_file()}
    return [FinishedRun(folder) for folder in sorted(ended, key=lambda one: (-ended[one], str(one)))]


def _ended(folder: Path) -> int:
    """Return when a run ended, in nanoseconds since 1970."""
    return (folder / results.METRICS_FILE).stat().st_mtime_ns


def studies(root: Path = RUNS) -> list[str]:
    """Name the studies of sweeps below a folder, finished or not."""
    return sorted(path.parent.name for path in (root / results.STUDIES).glob(f"*/{results.STUDY_FILE}"))


def _best_of(study: str, root: Path) -> FinishedRun:
    folder = root / results.STUDIES / study  # an absolute path replaces what stands before it
    if not study or not (folder / results.STUDY_FILE).is_file():
        raise RunError(f"There is no study '{study}' below {root.absolute()}.", did_you_mean(study, studies(root)))
    best = folder / results.BEST
    if not (best / results.METRICS_FILE).is_file():
        raise RunError(
            f"The study '{folder.name}' is not finished, so it has no best run yet.",
            "Type its mfx sweep command again: it goes on where it stopped.",
        )
    return open_run(best)


def _out_of_mlflow(wanted: str, tracked: list[Tracked], root: Path) -> FinishedRun:
    """Say why none of these runs can be opened; the parent of a sweep stands for the best of its study."""
    tracked = [one for one in tracked if one.status == "FINISHED"] or tracked
    if len(tracked) > 1:
        ids = ", ".join(f"{one.run_id[:8]} ({one.status.lower()})" for one in tracked[:SHOWN])
        raise RunError(
            f"MLflow has {len(tracked)} runs '{wanted}', and none has its folder below {root.absolute()}.",
            f"The first: {ids}. {_what_exists(root)}",
        )
    (one,) = tracked
    label = f"Run {one.run_id[:8]} of MLflow, '{one.name}',"
    study = one.tags.get("study")
    if study is not None:
        return _best_of(study, root)
    if one.tags.get("explore") == "true":
        raise RunError(f"{label} is an exploration of a data set.", "Name a run: mfx explore fits no model.")
    if "trial" in one.tags:
        raise RunError(f"{label} is a trial of a sweep, and trials keep no model.", f"Write run='{BEST_OF}STUDY'.")
    if one.status != "FINISHED":
        raise RunError(f"{label} is not finished: it is {one.status.lower()}.", _what_exists(root))
    copied = one.artifacts is not None and (one.artifacts / results.METRICS_FILE).is_file()
    hint = f"MLflow kept a copy of its files: run={one.artifacts}" if copied else _what_exists(root)
    raise RunError(f"{label} has no folder below {root.absolute()} any more.", hint)


def is_named(folder: Path, wanted: str) -> bool:
    """Whether a text is a folder's name, or the token of four characters at the end of TIME_NAME_TOKEN."""
    found = re.fullmatch(r"\d\d-\d\d-\d\d_.+_([0-9a-f]{4})", folder.name)
    return wanted == folder.name or (found is not None and wanted == found[1])


def _matches(run: FinishedRun, wanted: str) -> bool:
    if is_named(run.folder, wanted) or wanted == run.run_id:
        return True
    if len(wanted) >= MIN_PREFIX and run.run_id is not None and run.run_id.startswith(wanted):
        return True
    return run.identity.get("name") == wanted or (not run.identity and _name_in(run.folder) == wanted)


def _name_in(folder: Path) -> str:
    """Name of a run that did not write it down, out of TIME_NAME_TOKEN or NUMBER_NAME."""
    found = re.fullmatch(r"(?:\d\d-\d\d-\d\d_(.+)_[0-9a-f]{4}|\d+_(.+))", folder.name)
    return (found[1] or found[2]) if found else folder.name


def _folders(root: Path) -> Iterator[Path]:
    """Walk over the folders of runs; MLflow's copies of them, trials of sweeps and explorations are none."""
    top = root.absolute()
    for place, inner, files in os.walk(top):
        folder = Path(place)
        if results.CONFIG_FILE in files and folder != top:
            inner.clear()
            if results.EXPLORATION not in files:
                yield folder
        elif len(folder.relative_to(top).parts) >= DEPTH or folder.name == "trials":
            inner.clear()
        elif folder == top:
            inner[:] = [name for name in inner if name != "artifacts"]


def _what_exists(root: Path) -> str:
    known = finished(root)
    if not known:
        return "There are no finished runs yet: make one with mfx."
    named = studies(root)
    return f"Newest runs: {_listed(known)}." + (f" Studies: {', '.join(named[:SHOWN])}." if named else "")


def _listed(known: list[FinishedRun]) -> str:
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(run.shown for run in known[:SHOWN]) + more
