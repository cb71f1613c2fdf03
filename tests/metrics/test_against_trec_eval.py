"""The same lists, measured by an independent library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mfx.interfaces import Ratings
from mfx.metrics import lists, ranking, ratings  # noqa: F401 - registers the metrics
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import create_metrics

pytrec_eval = pytest.importorskip("pytrec_eval")

CUTS = (1, 3, 5, 10, 30)
PEERS = {
    "precision": "P_{}",
    "recall": "recall_{}",
    "map": "map_cut_{}",
    "hit_rate": "success_{}",
    "ndcg": "ndcg_cut_{}",
}
Qrel = dict[str, dict[str, int]]


def judge(held_out: Ratings, threshold: float | None, gain: str = "binary") -> Qrel:
    qrel: Qrel = {}
    for user, item, value in zip(held_out.users, held_out.items, held_out.values, strict=True):
        relevant = threshold is None or value >= threshold
        grade = {"binary": 1, "rating": int(value), "exponential": 2 ** int(value) - 1}[gain]
        qrel.setdefault(str(user), {})[str(item)] = grade if relevant else 0
    return qrel


def rank(world: Any) -> dict[str, dict[str, float]]:
    run: dict[str, dict[str, float]] = {}
    for user in np.unique(world.held_out.users):
        mine = world.seen.items[world.seen.users == user]
        run[str(user)] = {
            str(item): float(world.scores[user, item]) for item in range(world.scores.shape[1]) if item not in mine
        }
    return run


def peer(world: Any, qrel: Qrel, measures: set[str]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = pytrec_eval.RelevanceEvaluator(qrel, measures).evaluate(rank(world))
    return found


@pytest.mark.parametrize("threshold", [None, 4.0])
@pytest.mark.parametrize("name", list(PEERS))
def test_every_user_agrees_at_every_cut(world: Any, name: str, threshold: float | None) -> None:
    metrics = create_metrics([f"{name}@{k}" for k in CUTS])
    settings = EvaluationSettings(relevance_threshold=threshold, users_without_relevant="zero")
    result = evaluate(world.model(), world.seen, world.held_out, metrics, settings)
    measures = {PEERS[name].format(k) for k in CUTS}
    theirs = peer(world, judge(world.held_out, threshold), measures)
    assert len(theirs) == result.users.size == 37
    for k in CUTS:
        expected = [theirs[str(user)][PEERS[name].format(k)] for user in result.users]
        np.testing.assert_allclose(result.per_user[f"{name}@{k}"], expected, rtol=0, atol=1e-9)
        assert result.values[f"{name}@{k}"] == pytest.approx(np.mean(expected), abs=1e-9)


@pytest.mark.parametrize("gain", ["rating", "exponential"])
@pytest.mark.parametrize("threshold", [None, 3.0])
def test_graded_gains_agree(world: Any, gain: str, threshold: float | None) -> None:
    metrics = create_metrics([f"ndcg@{k}" for k in CUTS], {"ndcg": {"gain": gain}})
    settings = EvaluationSettings(relevance_threshold=threshold, users_without_relevant="zero")
    result = evaluate(world.model(), world.seen, world.held_out, metrics, settings)
    theirs = peer(world, judge(world.held_out, threshold, gain), {f"ndcg_cut_{k}" for k in CUTS})
    for k in CUTS:
        expected = [theirs[str(user)][f"ndcg_cut_{k}"] for user in result.users]
        np.testing.assert_allclose(result.per_user[f"ndcg@{k}"], expected, rtol=0, atol=1e-9)


def test_reciprocal_rank_agrees_over_the_whole_list_and_cut(world: Any) -> None:
    result = evaluate(world.model(), world.seen, world.held_out, create_metrics(["mrr@60", "mrr@2"]))
    theirs = peer(world, judge(world.held_out, None), {"recip_rank"})
    expected = np.array([theirs[str(user)]["recip_rank"] for user in result.users])
    np.testing.assert_allclose(result.per_user["mrr@60"], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.per_user["mrr@2"], np.where(expected >= 0.5, expected, 0), rtol=0, atol=1e-9)


def test_area_agrees_with_counting_all_pairs(world: Any) -> None:
    coarse = np.round(world.scores)  # a handful of distinct scores: mostly ties
    result = evaluate(world.model(coarse), world.seen, world.held_out, create_metrics(["auc"]))
    for user, area in zip(result.users, result.per_user["auc"], strict=True):
        mine = set(world.held_out.items[world.held_out.users == user].tolist())
        seen = set(world.seen.items[world.seen.users == user].tolist())
        others = [i for i in range(60) if i not in mine and i not in seen]
        pairs = [
            (coarse[user, a] > coarse[user, b]) + 0.5 * (coarse[user, a] == coarse[user, b])
            for a in mine
            for b in others
        ]
        assert area == pytest.approx(np.mean(pairs), abs=1e-12)
    assert result.values["auc"] == pytest.approx(result.per_user["auc"].mean(), abs=1e-12)
