"""Several finished runs by one word: a run, or the folder of a sweep with all of its runs."""

from __future__ import annotations

from pathlib import Path

from mfx import results
from mfx.analysis.finished_run import RUNS, FinishedRun, RunError, open_run
from mfx.analysis.runs import BEST_OF, find, is_named


def expand(reference: str, root: Path = RUNS) -> list[FinishedRun]:
    """Find the run that a reference means, or the finished runs of a sweep ``mfx -m`` by its folder.

    Parameters
    ----------
    reference : str
        As in `mfx.analysis.runs.find`; or the folder of a sweep, its name or the token at that name's end.

    Raises
    ------
    RunError
        If there is no such run, or no run of the sweep came to its end.
    """
    wanted = reference.strip()
    folder = next((place for place in _places(wanted, root) if (place / results.PARENT_FILE).is_file()), None)
    if folder is None or (folder / results.STUDY_FILE).is_file():
        return [find(wanted, root)]
    found = runs_of(folder)
    if not found:
        raise RunError(f"No run of the sweep {folder} came to its end.", "Look at the run.log of one of them.")
    return found


def runs_of(folder: Path) -> list[FinishedRun]:
    """Open the runs of a sweep that came to their end, in the order of their numbers."""
    return [
        open_run(place)
        for place in sorted(folder.iterdir(), key=results.by_number)
        if (place / results.CONFIG_FILE).is_file() and (place / results.METRICS_FILE).is_file()
    ]


def _places(wanted: str, root: Path) -> list[Path]:
    if not wanted:
        return []
    tokens = [path for path in root.glob("*/*_sweep_*") if is_named(path, wanted)]
    return [Path(wanted).expanduser().absolute(), root.absolute() / wanted, *tokens]


def study_of(reference: str, root: Path = RUNS) -> Path | None:
    """Return the folder of the study that a reference names; None where it means something else."""
    wanted = reference.strip().removeprefix(BEST_OF).strip()
    for place in (root.absolute() / results.STUDIES / wanted, Path(wanted).expanduser().absolute(), root / wanted):
        if wanted and (place / results.STUDY_FILE).is_file():
            return place.absolute()
    return None
