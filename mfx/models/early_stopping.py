"""Early stopping: when to end a fit, and which epoch was the best, by one number on held-out ratings."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mfx.errors import ModelError
from mfx.interfaces import Epoch, Model
from mfx.settings import Component, setting


@dataclass(kw_only=True)
class EarlyStopping(Component):
    """Settings of early stopping."""

    enabled: bool = setting(True)
    """Whether a fit may end before the model's last epoch; if not, the last epoch counts as the best."""
    patience: int = setting(15, ge=1)
    """Epochs without improvement after which the fit ends; a ranking metric on few users needs many, as it is noisy."""
    min_delta: float = setting(0.0, ge=0)
    """How much better than the best so far an epoch must be to count as an improvement."""

    def watch(self, score: Callable[[Model], float], *, higher_is_better: bool) -> Watch:
        """Make the object that follows one fit; `score` rates the model as it is after an epoch."""
        return Watch(self, score, higher_is_better)


@dataclass
class Watch:
    """Follows one fit: give it as (part of) `on_epoch`.

    Attributes
    ----------
    epochs : int
        Number of the last epoch seen; 0 before the first.
    best_epoch : int
        Number of the best epoch; 0 before the first.
    best_score : float
        Its score.
    scores : list of float
        Score of every epoch.
    """

    settings: EarlyStopping
    score: Callable[[Model], float]
    higher_is_better: bool
    epochs: int = 0
    best_epoch: int = 0
    best_score: float = math.nan
    scores: list[float] = field(default_factory=list)
    _best_state: Any = None

    def __call__(self, model: Model, epoch: Epoch) -> bool:
        """Score the model; say whether the fit should stop.

        Raises
        ------
        ModelError
            If the score is not finite: the fit has diverged.
        """
        score = float(self.score(model))
        self.epochs = epoch.number
        self.scores.append(score)
        if not math.isfinite(score):
            raise ModelError(
                f"The fit diverged: its score on valid is {score} after epoch {epoch.number}.",
                "Regularise more, or learn more slowly.",
            )
        if not self.settings.enabled:
            self.best_epoch, self.best_score = epoch.number, score
            return False
        if self._improves(score):
            self.best_epoch, self.best_score = epoch.number, score
            self._best_state = _state(model)
        return epoch.number - self.best_epoch >= self.settings.patience

    def _improves(self, score: float) -> bool:
        gain = score - self.best_score if self.higher_is_better else self.best_score - score
        return self.best_epoch == 0 or gain > self.settings.min_delta

    def restore_best(self, model: Model) -> None:
        """Put the model back into the state of the best epoch; does nothing where that was the last one."""
        if self._best_state is not None and self.best_epoch != self.epochs:
            _restore(model, self._best_state)
        self._best_state = None

    def progress(self) -> tuple[dict[str, Any], Any]:
        """Return what `resume` takes: numbers, and the state of the best epoch (None where it need not be kept)."""
        names = ("epochs", "best_epoch", "best_score", "scores")
        return {name: getattr(self, name) for name in names}, self._best_state

    def begin_again(self) -> None:
        """Forget every epoch seen."""
        self.resume({"epochs": 0, "best_epoch": 0, "best_score": math.nan, "scores": []}, None)

    def resume(self, numbers: Mapping[str, Any], best_state: Any) -> None:
        """Follow a fit that goes on from where it was when `progress` returned this."""
        for name, value in numbers.items():
            setattr(self, name, list(value) if isinstance(value, list) else value)
        self._best_state = best_state


def _state(model: Model) -> Any:
    # A model may update its arrays in place, so a reference to them would follow the fit.
    return copy.deepcopy(model.state() if hasattr(model, "state") else vars(model))


def _restore(model: Model, state: Any) -> None:
    if hasattr(model, "restore"):
        model.restore(state)
    else:
        vars(model).clear()
        vars(model).update(state)
