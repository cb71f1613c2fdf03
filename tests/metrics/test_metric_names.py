from __future__ import annotations

from typing import Any

import pytest

from mfx.errors import MetricError, SettingError, UnknownName
from mfx.metrics import lists, ranking, ratings  # noqa: F401 - registers the metrics
from mfx.metrics.names import create_metrics, full_name, parse, tracker_name
from mfx.metrics.settings import EvaluationSettings
from mfx.registry import get


def test_parsing() -> None:
    assert parse("ndcg@10") == ("ndcg", 10)
    assert parse("rmse") == ("rmse", None)
    assert parse("hit_rate@1") == ("hit_rate", 1)


@pytest.mark.parametrize(
    "wrong", ["", "ndcg@", "ndcg@0", "ndcg@-1", "ndcg@ten", "@10", "ndcg@1@2", "ndcg 10", "ndcg@1.5"]
)
def test_malformed_names_are_refused(wrong: str) -> None:
    with pytest.raises(MetricError, match="does not name a metric") as caught:
        parse(wrong)
    assert "NAME@K" in caught.value.hint


def test_names_for_trackers() -> None:
    assert tracker_name("ndcg@10") == "ndcg_at_10"
    assert tracker_name("rmse") == "rmse"


def test_default_lengths_are_completed() -> None:
    assert [full_name(n) for n in ("ndcg", "ndcg@5", "rmse", "auc")] == ["ndcg@10", "ndcg@5", "rmse", "auc"]
    metrics = create_metrics(["rmse", "ndcg", "ndcg@3"], {"ndcg": {"gain": "rating"}})
    assert list(metrics) == ["rmse", "ndcg@10", "ndcg@3"]
    assert [(m.k, m.gain) for n, m in metrics.items() if n != "rmse"] == [(10, "rating"), (3, "rating")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "needs", "higher", "settings"),
    [
        ("rmse", "ratings", False, {}),
        ("mae", "ratings", False, {}),
        *((name, "lists", True, {"k": 10}) for name in ("precision", "recall", "map", "mrr", "hit_rate", "coverage")),
        ("ndcg", "lists", True, {"k": 10, "gain": "binary"}),
        ("novelty", "lists", True, {"k": 10}),
        ("popularity_share", "lists", False, {"k": 10, "head": 0.2}),
        ("auc", "ranks", True, {}),
    ],
)
def test_needs_direction_and_defaults(name: str, needs: str, higher: bool, settings: dict[str, Any]) -> None:
    kind = get("metric", name).component
    assert (kind.needs, kind.higher_is_better, kind().settings()) == (needs, higher, settings)
    if settings:
        with pytest.raises(SettingError, match=r"k=0 must be at least 1"):
            kind(k=0)
        assert kind(k=1).k == 1


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.01])
def test_the_head_is_a_share(wrong: float) -> None:
    with pytest.raises(SettingError, match=r"PopularityShare.head"):
        lists.PopularityShare(head=wrong)
    assert lists.PopularityShare(head=1.0).head == 1.0


def test_evaluations_go_by_trec_eval_by_default() -> None:
    assert EvaluationSettings().settings() == {
        "relevance_threshold": None,
        "ties": "item_order",
        "denominator": "relevant",
        "users_without_relevant": "skip",
        "candidates": "unseen",
        "sampling_seed": 42,
        "block_size": None,
    }
    assert EvaluationSettings(block_size=1, sampling_seed=0, candidates=1).users_per_block(10) == 1
    assert EvaluationSettings(candidates=1).sampled == 1
    assert EvaluationSettings(candidates="unseen_rated").sampled is None
    assert [EvaluationSettings().users_per_block(n) for n in (0, 1, 2**24, 2**24 + 1)] == [2**24, 2**24, 1, 1]


def test_only_metrics_of_lists_take_a_length() -> None:
    with pytest.raises(MetricError, match="'rmse' takes no list length"):
        create_metrics(["rmse@10"])


def test_unknown_names_and_settings_are_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'ndcg'"):
        create_metrics(["ndgc@10"])
    with pytest.raises(SettingError, match="no setting 'gian'"):
        create_metrics(["ndcg"], {"ndcg": {"gian": "rating"}})
    with pytest.raises(SettingError, match="must be one of binary, rating, exponential"):
        create_metrics(["ndcg"], {"ndcg": {"gain": "log"}})


def test_ambiguous_requests_are_refused() -> None:
    with pytest.raises(MetricError, match="'ndcg@10' is asked for twice"):
        create_metrics(["ndcg", "ndcg@10"])
    with pytest.raises(MetricError, match="hold a list length"):
        create_metrics(["ndcg"], {"ndcg": {"k": 5}})
    with pytest.raises(MetricError, match="settings for metric 'map', which was not asked for"):
        create_metrics(["ndcg"], {"map": {}})
