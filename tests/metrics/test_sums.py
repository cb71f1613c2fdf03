"""Sums of parts come to the values of the whole."""

import itertools

import numpy as np
import pytest

from mfx.errors import MetricError
from mfx.metrics import lists, ranking, ratings  # noqa: F401 - registers the metrics
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import create_metrics, under_protocol
from mfx.metrics.sums import adds_up, part_sums, whole

NAMES = ["rmse", "mae", "precision@3", "recall@3", "ndcg@5", "map@5", "mrr@5", "hit_rate@3", "auc"]


def named(names, settings):
    return {under_protocol(name, metric, settings): metric for name, metric in create_metrics(names).items()}


def parts_of(held_out, bounds):
    return [
        held_out.take(np.flatnonzero((held_out.users >= a) & (held_out.users < b)))
        for a, b in itertools.pairwise(bounds)
    ]


@pytest.mark.parametrize("candidates", ["unseen", 9])
@pytest.mark.parametrize("rule", ["skip", "zero"])
def test_parts_add_up_to_the_whole(world, candidates, rule):
    settings = EvaluationSettings(candidates=candidates, users_without_relevant=rule, relevance_threshold=4.5)
    metrics = named(NAMES, settings)
    expected = evaluate(world.model(), world.seen, world.held_out, metrics, settings).values
    parts = [
        part_sums(world.model(), world.seen, part, metrics, settings)
        for part in parts_of(world.held_out, [0, 1, 9, 30, 40])
    ]
    values, skipped = whole(metrics, parts)
    assert values == pytest.approx(expected, rel=1e-12)
    assert list(values) == list(metrics)
    assert skipped == {}


def test_which_metrics_add_up():
    metrics = create_metrics([*NAMES, "coverage", "novelty", "popularity_share"])
    assert [name for name, metric in metrics.items() if not adds_up(metric)] == [
        "coverage@10",
        "novelty@10",
        "popularity_share@10",
    ]


def test_what_has_no_value_says_why(world, ranker):
    metrics = create_metrics(["rmse", "recall@3", "mae"])
    strict = EvaluationSettings(relevance_threshold=9.0)
    of_ranker = part_sums(ranker(world.scores, []), world.seen, world.held_out, metrics, strict)
    assert of_ranker["rmse"] == "Ranker ranks and predicts no ratings"
    assert of_ranker["recall@3"] == (0.0, 0.0)
    values, skipped = whole(metrics, [of_ranker, {"rmse": (4.0, 1.0), "recall@3": (0.0, 0.0), "mae": (1.0, 2.0)}])
    assert values == {}
    assert skipped["rmse"] == skipped["mae"] == "Ranker ranks and predicts no ratings"
    assert skipped["recall@3"] == "It is defined for no user of the held-out part."
    assert whole(metrics, [{"rmse": (9.0, 4.0), "recall@3": (1.0, 2.0), "mae": (np.inf, 2.0)}]) == (
        {"rmse": 1.5, "recall@3": 0.5},
        {"mae": "its value is inf, not a finite number"},
    )


def test_a_metric_that_refuses_its_part_is_skipped_with_its_reason(world):
    class Refuses:
        needs, higher_is_better = "ratings", True

        def sums(self, outcome):
            raise MetricError("It does not like them.", "Ask for another.")

    metrics = {**create_metrics(["mae"]), "refuses": Refuses()}
    found = part_sums(world.model(), world.seen, world.held_out, metrics, EvaluationSettings())
    assert "does not like" in found["refuses"]
    assert list(whole(metrics, [found])[0]) == ["mae"]
