"""Metrics of held-out ratings that lie in parts: sums of each part, added up, and the value of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mfx.errors import MetricError
from mfx.interfaces import Metric, Model, Ratings
from mfx.metrics.evaluation import no_ratings, outcomes_of
from mfx.metrics.sampled import per_user
from mfx.metrics.settings import EvaluationSettings

Sums = tuple[float, float]


def adds_up(metric: Metric) -> bool:
    """Say whether a metric can be computed from sums of parts, each with whole users.

    It has methods ``sums(outcome)`` and ``of_sums(total, weight)``, or says that it is the mean over the users for whom
    it is defined: ``mean_of_users = True``.
    """
    return hasattr(metric, "sums") or getattr(metric, "mean_of_users", False)


def part_sums(
    model: Model, seen: Ratings, held_out: Ratings, metrics: Mapping[str, Metric], settings: EvaluationSettings
) -> dict[str, Sums | str]:
    """Return of each metric a total and a weight, or why it has none on this part.

    Parameters
    ----------
    model, seen, held_out, metrics, settings
        As in `mfx.metrics.evaluation.evaluate`; `seen` counts ratings of items over all parts.
    """
    users, outcomes = outcomes_of(model, seen, held_out, metrics, settings)
    found: dict[str, Sums | str] = {}
    for name, metric in metrics.items():
        if metric.needs not in outcomes:
            found[name] = no_ratings(model)
            continue
        try:
            found[name] = _sums(metric, outcomes[metric.needs], users)
        except MetricError as error:
            found[name] = str(error)
    return found


def _sums(metric: Any, outcome: Any, users: Any) -> Sums:
    if hasattr(metric, "sums"):
        total, weight = metric.sums(outcome)
        return total, weight
    single = per_user(metric, outcome, users)
    assert single is not None
    defined = single[~np.isnan(single)]
    return float(defined.sum()), float(defined.size)


def whole(metrics: Mapping[str, Metric], parts: list[dict[str, Sums | str]]) -> tuple[dict[str, float], dict[str, str]]:
    """Add up what `part_sums` returned of each part; return values, and reasons of metrics that have none."""
    values: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for name, metric in metrics.items():
        found = [part[name] for part in parts]
        reasons = [one for one in found if isinstance(one, str)]
        total, weight = (float(sum(one[i] for one in found if not isinstance(one, str))) for i in (0, 1))
        if reasons:
            skipped[name] = reasons[0]
        elif not weight:
            skipped[name] = "It is defined for no user of the held-out part."
        else:
            of_sums = getattr(metric, "of_sums", None)
            value = float(total / weight if of_sums is None else of_sums(total, weight))
            if np.isfinite(value):
                values[name] = value
            else:
                skipped[name] = f"its value is {value}, not a finite number"
    return values, skipped
