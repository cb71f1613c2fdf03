"""The engine that needs nothing: this process and its threads."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfx.interfaces import Dataset, IndexArray, Metric, Model, OnEpoch, Ratings, Split, Splitter
from mfx.registry import register
from mfx.settings import Component

if TYPE_CHECKING:
    from mfx.metrics.settings import EvaluationSettings
    from mfx.models.bulk import FoldedUsers, Wanted
    from mfx.models.factors import FactorModel


@register("engine", "local")
@dataclass(kw_only=True)
class LocalEngine(Component):
    """Everything in this process, on as many threads as there are processors (``NUMBA_NUM_THREADS``)."""

    def check(self, dataset: Dataset, splitter: Splitter, model: Model, metrics: Mapping[str, Metric]) -> None:
        """Refuse nothing: all components work here."""

    def working(self) -> contextlib.AbstractContextManager[None]:
        """Start nothing."""
        return contextlib.nullcontext()

    def load(self, dataset: Dataset) -> Ratings:
        """Read the data set into this process."""
        return dataset.load()

    def split(self, splitter: Splitter, ratings: Ratings) -> Split:
        """Divide the ratings, and refuse what is no split of them."""
        from mfx.split.checks import divide

        return divide(splitter, ratings)

    def audit(self, split: Split) -> Mapping[str, float]:
        """Count what makes the split easier or harder than it looks."""
        from mfx.split.audit import audit

        return audit(split)

    def fit(self, model: Model, train: Ratings, on_epoch: OnEpoch | None) -> Model:
        """Fit the model."""
        return model.fit(train, on_epoch=on_epoch)

    def evaluate(
        self,
        model: Model,
        seen: Ratings,
        held_out: Ratings,
        metrics: Mapping[str, Metric],
        settings: EvaluationSettings,
    ) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """Score held-out ratings; return values, and for metrics that do not apply the reason."""
        from mfx.metrics.evaluation import evaluate

        outcome = evaluate(model, seen, held_out, metrics, settings)
        return outcome.values, outcome.skipped

    def fold_in(self, model: FactorModel, ratings: Ratings, index: IndexArray, wanted: Wanted) -> FoldedUsers:
        """Take in the users of some ratings; `index` is the model's index of each of their items, -1 for none."""
        from mfx.engine import parts

        return parts.fold_in(model, parts.columns_of(ratings), range(ratings.n_users), index, wanted)

    def spent(self) -> Mapping[str, float]:
        """Return nothing: there is no transfer and nobody to wait for."""
        return {}
