"""Where a study is kept: the names of its files, and Optuna's storage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from mfx.errors import MFXError

if TYPE_CHECKING:
    import optuna

RESULT_FILE = "result.json"
"""What a trial came to, in the folder of the trial."""
REFUSED = "refused"
"""Status of a trial whose data or code are not those of the other trials; it ends the sweep and counts as not run."""
JOURNAL = "study.journal"
TIMES_FILE = "times.json"
"""How long sweepers were busy with which trials."""


class StudyError(MFXError):
    """A study cannot be opened, or is that of another sweep."""


_reporting: dict[str, Any] = {}


def reporting(folder: Path, storage: str | None, number: int) -> optuna.trial.Trial:
    """Return the trial as its own job sees it, to report epochs and to be pruned; opens the study once per process."""
    import optuna

    key = f"{folder} {storage}"
    if key not in _reporting:
        _quiet()
        _reporting[key] = optuna.load_study(
            study_name=folder.name,
            storage=_storage(folder, storage),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2),
        )
    study = _reporting[key]
    # Optuna has no public way to take up a trial that runs elsewhere.
    return optuna.trial.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def _quiet() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_study(folder: Path, storage: str | None, higher_is_better: bool) -> optuna.Study:
    """Open Optuna's part of a study, or begin it.

    Raises
    ------
    StudyError
        If its database does not answer, or lacks a driver.
    """
    import optuna

    _quiet()
    try:
        return optuna.create_study(
            study_name=folder.name,
            storage=_storage(folder, storage),
            direction="maximize" if higher_is_better else "minimize",
            load_if_exists=True,
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
    except (ImportError, optuna.exceptions.StorageInternalError) as error:
        raise StudyError(
            f"The storage of the study cannot be opened: {' '.join(str(error).split())[:300]}",
            "Check sweep.storage, and install the driver of the database (pip install 'mfx[postgresql]').",
        ) from error
    except Exception as error:
        if storage is None or type(error).__module__.partition(".")[0] not in ("sqlalchemy", "psycopg"):
            raise
        raise StudyError(
            f"The storage of the study cannot be opened: {' '.join(str(error).split())[:300]}",
            "Check that the database of sweep.storage runs and lets you in.",
        ) from error


def _storage(folder: Path, storage: str | None) -> Any:
    if storage is not None:
        return storage
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    journal = folder / JOURNAL
    lock = _JournalLock(folder / "journal.lock")
    _drop_torn_line(journal, lock)
    return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))  # type: ignore[arg-type]


class _JournalLock:
    """A lock that ends with its process; Optuna's own would be waited for half a minute after a kill."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _drop_torn_line(journal: Path, lock: _JournalLock) -> None:
    """Cut off a last line that a killed process could not finish: with one more behind it, Optuna could not read on."""
    if not journal.exists():
        return
    lock.acquire()
    try:
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            with journal.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()
