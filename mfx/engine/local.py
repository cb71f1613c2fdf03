"""The engine that needs nothing: this process and its threads."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from mfx.interfaces import Dataset, Metric, Model, OnEpoch, Ratings, Splitter
from mfx.registry import register
from mfx.settings import Component


@register("engine", "local")
@dataclass(kw_only=True)
class LocalEngine(Component):
    """Everything in this process, on as many threads as there are processors (``NUMBA_NUM_THREADS``)."""

    def check(self, dataset: Dataset, splitter: Splitter, model: Model, metrics: Mapping[str, Metric]) -> None:
        """Refuse nothing: all components work here."""

    def working(self) -> contextlib.AbstractContextManager[None]:
        """Start nothing."""
        return contextlib.nullcontext()

    def fit(self, model: Model, train: Ratings, on_epoch: OnEpoch | None) -> Model:
        """Fit the model."""
        return model.fit(train, on_epoch=on_epoch)

    def spent(self) -> Mapping[str, float]:
        """Return nothing: there is no transfer and nobody to wait for."""
        return {}
