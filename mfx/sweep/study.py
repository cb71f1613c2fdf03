"""The study: which trials there are, who runs them and what came of them, in Optuna's storage and a folder of files.

Several sweepers may share a study, on machines that share its folder. A short lock on the folder makes each trial
one sweeper's; a sweeper holds a lock of its own as long as it lives, so that trials of a dead one are taken over.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from mfx import results
from mfx.files import write_text
from mfx.sweep.space import Dimension, Point
from mfx.sweep.storage import REFUSED, RESULT_FILE, StudyError, open_study

if TYPE_CHECKING:
    import optuna

OWNER_FILE = "owner"


class Study:
    """Trials of one sweep.

    Parameters
    ----------
    folder : pathlib.Path
        Its folder; made if need be.
    storage : str or None
        Optuna's database; None is a journal file in the folder.
    higher_is_better : bool
        Direction of the objective.
    space : sequence of Dimension
        What is searched.
    """

    def __init__(self, folder: Path, storage: str | None, higher_is_better: bool, space: Sequence[Dimension]) -> None:
        self.folder, self.space, self.higher_is_better = folder, space, higher_is_better
        (folder / "owners").mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "study.lock")
        self._name = f"{results.token()}{results.token()}"
        self._alive = FileLock(self._owner_lock(self._name))
        self._alive.acquire()
        self._mine: set[int] = set()
        with self._lock:
            self.optuna = open_study(folder, storage, higher_is_better)

    def locked(self) -> FileLock:
        """Return the lock that makes steps of several sweepers happen one after the other; it may be nested."""
        return self._lock

    def close(self) -> None:
        """Let go: trials that still run may be taken over by others."""
        self._alive.release()
        self._owner_lock(self._name).unlink(missing_ok=True)

    def place(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.folder / "trials" / f"{number:04d}"

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """List all trials by number."""
        return self.optuna.get_trials(deepcopy=False)

    def refuse_foreign(self) -> None:
        """Refuse a storage that holds trials of a study in another folder.

        Raises
        ------
        StudyError
            If the folder knows nothing of a trial: its data, and what came of it, are not known here either.
        """
        with self._lock:
            foreign = [one.number for one in self.trials() if not (self.place(one.number) / OWNER_FILE).is_file()]
        if foreign:
            raise StudyError(
                f"The storage of the study holds {len(foreign)} trials that are not in {self.folder}: "
                "their data are unknown.",
                "Put the folder back, or begin another study with sweep.study=NAME.",
            )

    def claim(self, want: int, end: int, point: Callable[[int], Point]) -> list[int]:
        """Make up to `want` trials below number `end` this sweeper's: those of dead sweepers first, then new ones."""
        import optuna
        from optuna.trial import TrialState

        with self._lock:
            trials = self.trials()
            orphans = [one.number for one in trials if one.state == TrialState.RUNNING and self._is_orphan(one.number)]
            claimed = orphans[:want]
            for number in claimed:
                self._own(number)
            for number in range(len(trials), min(end, len(trials) + want - len(claimed))):
                self._own(number)
                distributions = {one.name: distribution(one) for one in self.space}
                # One record, so that a trial is there with its point and its owner, or not at all.
                self.optuna.add_trial(
                    optuna.trial.create_trial(
                        state=TrialState.RUNNING, params=dict(point(number)), distributions=distributions
                    )
                )
                claimed.append(number)
        return claimed

    def others_running(self) -> bool:
        """Whether living sweepers other than this one have trials in hand."""
        from optuna.trial import TrialState

        return any(one.state == TrialState.RUNNING and one.number not in self._mine for one in self.trials())

    def result(self, number: int) -> dict[str, Any] | None:
        """Read what a trial left behind; None if it did not come to its end."""
        path = self.place(number) / RESULT_FILE
        if not path.is_file():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def take_back(self, number: int) -> str | None:
        """Remove the result of a trial that was refused, which counts as not run; return why, None for all others."""
        record = self.result(number)
        if record is None or record["status"] != REFUSED:
            return None
        (self.place(number) / RESULT_FILE).unlink()
        return str(record["error"])

    def tell(self, number: int, record: dict[str, Any]) -> None:
        """Record the end of a trial."""
        from optuna.trial import TrialState

        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        value = record["value"] if record["status"] == "complete" else None
        self.optuna.tell(number, values=value, state=states[record["status"]], skip_if_finished=True)
        self._mine.discard(number)

    def ranked(self, below: int | None = None) -> list[optuna.trial.FrozenTrial]:
        """List complete trials, best first, of equal ones the earlier first."""
        from optuna.trial import TrialState

        sign = -1.0 if self.higher_is_better else 1.0
        done = [one for one in self.trials()[:below] if one.state == TrialState.COMPLETE]
        return sorted(done, key=lambda one: (sign * float(one.value or 0.0), one.number))

    def importances(self, below: int | None = None) -> dict[str, float]:
        """Share of each setting in the differences between trials, by Optuna's PED-ANOVA; equal where unknown."""
        import optuna

        names = [one.name for one in self.space if one.size > 1]
        done = self.ranked(below)
        if len(names) < 2 or len(done) < 4 or len({one.value for one in done}) < 2:
            return dict.fromkeys(names, 1.0 / len(names)) if names else {}
        # A study of its own, so that the random stage alone decides, whatever was tried since.
        alone = optuna.create_study(direction="maximize" if self.higher_is_better else "minimize")
        alone.add_trials(sorted(done, key=lambda one: one.number))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # that of Optuna 4
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(alone, evaluator=evaluator, params=names)
        return {name: float(value) for name, value in found.items()}

    def _own(self, number: int) -> None:
        write_text(self.place(number) / OWNER_FILE, self._name)
        self._mine.add(number)

    def owned_by_other(self, number: int) -> bool:
        """Whether another sweeper that lives has, or had, the trial."""
        path = self.place(number) / OWNER_FILE
        owner = path.read_text(encoding="utf-8") if path.is_file() else ""
        return bool(owner) and owner != self._name and not self._is_dead(owner)

    def _is_orphan(self, number: int) -> bool:
        return number not in self._mine and not self.owned_by_other(number)

    def _is_dead(self, owner: str) -> bool:
        path = self._owner_lock(owner)
        if not path.exists():
            return True
        try:
            with FileLock(path, timeout=0):
                return True
        except Timeout:
            return False

    def _owner_lock(self, owner: str) -> Path:
        return self.folder / "owners" / f"{owner}.lock"


def distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    """Describe a dimension to Optuna."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.kind == "choice":
        return CategoricalDistribution(dimension.choices)
    if dimension.kind == "int":
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log, step=dimension.step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
