from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.errors import MetricError, SettingError
from mfx.interfaces import Catalogue, Ratings
from mfx.metrics import lists, ranking, ratings  # noqa: F401 - registers the metrics
from mfx.metrics.evaluation import EvaluationSettings, evaluate, find_relevant
from mfx.metrics.names import create_metrics

ON_LISTS = ["precision", "recall", "ndcg", "map", "mrr", "hit_rate"]
EVERY = ["rmse", "mae", *ON_LISTS, "auc", "coverage", "novelty", "popularity_share"]


def test_rating_errors_by_hand(make: Any, world: Any) -> None:
    held = make([(0, 0, 4.0), (0, 1, 2.0), (2, 1, 5.0)], 3, 2)
    model = world.model(np.array([[3.0, 2.0], [0, 0], [0, 2.0]]))
    result = evaluate(model, make([], 3, 2), held, create_metrics(["rmse", "mae"]))
    assert result.values == pytest.approx({"rmse": np.sqrt(10 / 3), "mae": 4 / 3})
    assert result.users.tolist() == [0, 2]
    assert result.per_user["rmse"] == pytest.approx([np.sqrt(0.5), 3])
    assert result.per_user["mae"] == pytest.approx([0.5, 3])
    assert model.scored == []


def test_one_relevant_item_at_place_two(make: Any, world: Any) -> None:
    held = make([(0, 1, 4.0)], 1, 12)
    model = world.model(np.array([[9.0, 8.0, *range(7, -3, -1)]]))
    result = evaluate(model, make([], 1, 12), held, create_metrics([f"{m}@10" for m in ON_LISTS]))
    assert result.values == pytest.approx(
        {
            "precision@10": 0.1,
            "recall@10": 1,
            "ndcg@10": 0.6309297535714575,
            "map@10": 0.5,
            "mrr@10": 0.5,
            "hit_rate@10": 1,
        }
    )


def test_one_pass_whatever_the_number_of_metrics(world: Any) -> None:
    model = world.model()
    metrics = create_metrics([f"{m}@{k}" for m in ON_LISTS for k in (1, 5, 20)] + ["auc", "coverage", "novelty"])
    result = evaluate(model, world.seen, world.held_out, metrics, EvaluationSettings(block_size=7))
    assert model.scored == result.users.tolist() == list(range(37))


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_block_size_changes_nothing(world: Any, size: int) -> None:
    metrics = create_metrics(EVERY)
    whole = evaluate(world.model(), world.seen, world.held_out, metrics)
    parts = evaluate(world.model(), world.seen, world.held_out, metrics, EvaluationSettings(block_size=size))
    assert whole.values == parts.values
    assert set(whole.values) == {n if n in ("rmse", "mae", "auc") else f"{n}@10" for n in EVERY}


def test_default_block_fits_64_megabytes() -> None:
    assert EvaluationSettings().users_per_block(87_000) == 192
    assert EvaluationSettings().users_per_block(10**9) == 1


def test_a_ranking_model_has_no_rating_errors_and_says_why(world: Any, ranker: Any) -> None:
    result = evaluate(ranker(world.scores, []), world.seen, world.held_out, create_metrics(["rmse", "ndcg"]))
    assert list(result.values) == ["ndcg@10"]
    assert result.skipped == {"rmse": "Ranker ranks and predicts no ratings"}


def perfect(world: Any, sign: float = 1.0) -> np.ndarray[Any, Any]:
    scores = np.zeros_like(world.scores)
    scores[world.held_out.users, world.held_out.items] = sign * world.held_out.values
    return scores


def test_perfect_ranking(world: Any) -> None:
    names = [f"{m}@60" for m in ON_LISTS] + ["ndcg@3", "mrr@1", "auc"]
    result = evaluate(world.model(perfect(world)), world.seen, world.held_out, create_metrics(names))
    for name in set(names) - {"precision@60"}:
        assert result.values[name] == pytest.approx(1, abs=1e-12), name
    held = world.held_out.user_counts
    assert result.values["precision@60"] == pytest.approx(np.mean(held[held > 0] / 60))


def test_graded_gain_rewards_the_order_of_ratings(world: Any) -> None:
    metrics = create_metrics(["ndcg@60"], {"ndcg": {"gain": "rating"}})
    best = evaluate(world.model(perfect(world)), world.seen, world.held_out, metrics)
    flat = evaluate(world.model(perfect(world) > 0), world.seen, world.held_out, metrics)
    assert best.values["ndcg@60"] == pytest.approx(1)
    assert flat.values["ndcg@60"] < 1


def test_worst_ranking(world: Any) -> None:
    result = evaluate(world.model(perfect(world, -1)), world.seen, world.held_out, create_metrics([*ON_LISTS, "auc"]))
    assert all(value == 0 for value in result.values.values())


@pytest.mark.parametrize(("ties", "place"), [("item_order", 2), ("pessimistic", 4)])
def test_equal_scores_follow_the_tie_rule(make: Any, world: Any, ties: str, place: int) -> None:
    held, seen = make([(0, 2, 5.0)], 1, 5), make([(0, 0, 3.0)], 1, 5)
    metrics = create_metrics(["mrr@5", "auc"])
    result = evaluate(world.model(np.ones((1, 5))), seen, held, metrics, EvaluationSettings(ties=ties))
    assert result.values == pytest.approx({"mrr@5": 1 / place, "auc": 0.5})


@pytest.mark.parametrize(("rule", "recall", "average"), [("relevant", 0.5, 0.5), ("attainable", 1.0, 1.0)])
def test_denominators(make: Any, world: Any, rule: str, recall: float, average: float) -> None:
    held = make([(0, i, 5.0) for i in range(4)], 1, 8)
    model = world.model(np.arange(8.0)[None, ::-1])
    metrics = create_metrics(["recall@2", "map@2", "precision@2", "ndcg@2"])
    result = evaluate(model, make([], 1, 8), held, metrics, EvaluationSettings(denominator=rule))
    assert result.values == pytest.approx({"recall@2": recall, "map@2": average, "precision@2": 1, "ndcg@2": 1})


@pytest.mark.parametrize(("rule", "value"), [("skip", 1.0), ("zero", 0.5)])
@pytest.mark.parametrize("gain", ["binary", "exponential"])
def test_users_without_relevant_items(make: Any, world: Any, rule: str, value: float, gain: str) -> None:
    held = make([(0, 1, 5.0), (1, 1, 2.0)], 2, 3)
    options = EvaluationSettings(relevance_threshold=3.5, users_without_relevant=rule)
    metrics = create_metrics(["ndcg@2", "recall@2", "auc", "coverage@1"], {"ndcg": {"gain": gain}})
    result = evaluate(world.model(np.array([[1.0, 3, 2]] * 2)), make([], 2, 3), held, metrics, options)
    assert result.values == pytest.approx({"ndcg@2": value, "recall@2": value, "auc": 1.0, "coverage@1": 1 / 3})
    assert result.users.tolist() == [0, 1]
    assert np.isnan(result.per_user["auc"][1])
    assert np.isnan(result.per_user["recall@2"][1]) == (rule == "skip")


def test_no_relevant_item_at_all_is_a_reason_not_a_number(make: Any, world: Any) -> None:
    held = make([(0, 1, 2.0)], 1, 3)
    metrics = create_metrics(["ndcg", "auc", "mae"])
    result = evaluate(
        world.model(np.ones((1, 3))), make([], 1, 3), held, metrics, EvaluationSettings(relevance_threshold=4)
    )
    assert result.values == {"mae": 1.0}
    assert "defined for no user" in result.skipped["ndcg@10"]
    assert "relevance_threshold" in result.skipped["auc"]


def test_threshold_compares_in_the_type_of_the_ratings(make: Any, world: Any) -> None:
    held = make([(0, 1, 4.1)], 1, 3)
    options = EvaluationSettings(relevance_threshold=4.1)
    result = evaluate(world.model(np.ones((1, 3))), make([], 1, 3), held, create_metrics(["hit_rate"]), options)
    assert result.values == {"hit_rate@10": 1.0}


def test_candidates_can_be_limited_to_rated_items(make: Any, world: Any) -> None:
    seen, held = make([(1, 2, 4.0), (1, 0, 4.0)], 2, 4), make([(0, 2, 5.0), (0, 3, 5.0)], 2, 4)
    model = world.model(np.array([[1.0, 9, 2, 8], [0, 0, 0, 0]]))
    metrics = create_metrics(["mrr@4", "recall@4", "auc"])
    wide = evaluate(model, seen, held, metrics)
    assert wide.values == pytest.approx({"mrr@4": 0.5, "recall@4": 1, "auc": (1 + 2 - 1) / 4})
    narrow = evaluate(model, seen, held, metrics, EvaluationSettings(candidates="unseen_rated"))
    # Item 3 was never rated: it is missed, and ranked below the one irrelevant candidate.
    assert narrow.values == pytest.approx({"mrr@4": 1, "recall@4": 0.5, "auc": 0.5})


def test_lists_longer_than_the_catalogue(world: Any) -> None:
    result = evaluate(world.model(), world.seen, world.held_out, create_metrics(["precision@1000", "recall@1000"]))
    held = world.held_out.user_counts
    assert result.values["recall@1000"] == 1
    assert result.values["precision@1000"] == pytest.approx(np.mean(held[held > 0] / 1000))


def test_a_repeated_pair_counts_once_with_its_latest_rating(world: Any) -> None:
    held = Ratings.from_columns(
        [0, 0, 0], [1, 1, 2], [2, 5, 1], [10, 20, 5], catalogue=Catalogue(np.arange(1), np.arange(4))
    )
    seen = held.take(np.zeros(0, int))
    result = evaluate(
        world.model(np.array([[0.0, 4, 3, 2]])),
        seen,
        held,
        create_metrics(["recall@1", "precision@1"]),
        EvaluationSettings(relevance_threshold=4),
    )
    assert result.values == {"recall@1": 1.0, "precision@1": 1.0}


def test_a_pair_whose_latest_rating_is_low_is_not_relevant() -> None:
    held = Ratings.from_columns(
        [0, 0, 0, 1, 1],
        [1, 1, 2, 2, 2],
        [5, 2, 5, 1, 4],
        [10, 20, 5, 1, 2],
        catalogue=Catalogue(np.arange(2), np.arange(4)),
    )
    users = np.array([0, 1], dtype=np.int32)
    relevant = find_relevant(held, users, 4.0)
    assert (relevant.indptr.tolist(), relevant.items.tolist(), relevant.values.tolist()) == ([0, 1, 2], [2, 2], [5, 4])
    everything = find_relevant(held, users, None)
    assert (everything.items.tolist(), everything.values.tolist()) == ([1, 2, 2], [2, 5, 4])


@pytest.mark.parametrize("rule", ["skip", "zero"])
def test_an_empty_list_has_no_properties(make: Any, world: Any, rule: str) -> None:
    seen, held = make([(0, 0, 3.0), (0, 1, 3.0), (1, 0, 3.0)], 2, 2), make([(0, 1, 3.0), (1, 1, 3.0)], 2, 2)
    metrics = create_metrics(["novelty@2", "popularity_share@2", "coverage@2"])
    options = EvaluationSettings(users_without_relevant=rule)
    result = evaluate(world.model(np.ones((2, 2))), seen, held, metrics, options)
    # User 0 has seen both items; user 1's list is item 1, which one of two users rated.
    assert result.per_user["novelty@2"].tolist() == pytest.approx([np.nan, 1.0], nan_ok=True)
    assert result.per_user["popularity_share@2"].tolist() == pytest.approx([np.nan, 0.0], nan_ok=True)
    assert result.values == {"novelty@2": 1.0, "popularity_share@2": 0.0, "coverage@2": 0.5}


def test_properties_of_the_lists(make: Any, world: Any) -> None:
    seen = make([(u, 0, 3.0) for u in range(1, 5)] + [(1, 1, 3.0), (2, 1, 3.0), (3, 2, 3.0)], 5, 5)
    held = make([(0, 4, 3.0), (4, 4, 3.0)], 5, 5)
    scores = np.tile(np.array([5.0, 4, 3, 2, 1]), (5, 1))
    metrics = create_metrics(["coverage@2", "novelty@2", "popularity_share@2"], {"popularity_share": {"head": 0.58}})
    result = evaluate(world.model(scores), seen, held, metrics)
    # Lists: user 0 gets items 0, 1; user 4 has seen 0 and gets 1, 2. Raters of items 0, 1, 2: 4, 2, 1 of 4 users.
    assert result.per_user["novelty@2"] == pytest.approx([(0 + 1) / 2, (1 + 2) / 2])
    # 0.58 of 7 ratings is 4.06, so items 0 and 1 are the head.
    assert result.per_user["popularity_share@2"] == pytest.approx([1, 0.5])
    assert result.values == pytest.approx({"coverage@2": 3 / 5, "novelty@2": 1.0, "popularity_share@2": 0.75})


def test_lists_of_the_first_item_and_of_the_only_rater(make: Any, world: Any) -> None:
    seen, held = make([(1, 0, 3.0)], 2, 3), make([(0, 2, 3.0)], 2, 3)
    metrics = create_metrics(["novelty@2", "popularity_share@2"])
    result = evaluate(world.model(np.array([[3.0, 2, 1]] * 2)), seen, held, metrics)
    # The list is items 0 and 1: the one that the only rater rated, and one that counts as rated once.
    assert result.values == {"novelty@2": 0.0, "popularity_share@2": 0.5}


@pytest.mark.parametrize(
    ("head", "marked"), [(0.01, [1]), (0.4, [1]), (0.41, [0, 1]), (0.7, [0, 1]), (0.71, [0, 1, 2]), (1.0, [0, 1, 2])]
)
def test_head_items_are_the_fewest_that_hold_the_share(head: float, marked: list[int]) -> None:
    assert np.flatnonzero(lists.popular_items(np.array([3, 4, 3, 0]), head)).tolist() == marked


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("metric", "message"), [("mae", "predicts 1 of"), ("ndcg", "1 of 37 users, the first being")])
def test_predictions_that_are_not_finite_are_an_error(world: Any, bad: float, metric: str, message: str) -> None:
    scores = world.scores.copy()
    scores[world.held_out.users[0], world.held_out.items[0]] = bad
    with pytest.raises(MetricError, match=message) as caught:
        evaluate(world.model(scores), world.seen, world.held_out, create_metrics([metric]))
    assert "learning rate" in caught.value.hint


def test_scores_of_a_wrong_kind_are_an_error(world: Any) -> None:
    class Wide(type(world.model())):  # type: ignore[misc]
        def score_users(self, users: Any) -> Any:
            return self.scores[users]

        def score_pairs(self, users: Any, items: Any) -> Any:
            return self.scores[users, items].tolist()

    with pytest.raises(MetricError, match=r"Wide.score_users returned float64 \(37, 60\), not float32"):
        evaluate(Wide(world.scores, []), world.seen, world.held_out, create_metrics(["ndcg"]))
    with pytest.raises(MetricError, match=r"Wide.score_pairs returned list, not float32"):
        evaluate(Wide(world.scores, []), world.seen, world.held_out, create_metrics(["mae"]))


def test_read_only_scores_are_copied(world: Any) -> None:
    class Same(type(world.model())):  # type: ignore[misc]
        def score_users(self, users: Any) -> Any:
            return np.broadcast_to(self.scores[0].astype(np.float32), (users.size, 60))

    result = evaluate(Same(world.scores, []), world.seen, world.held_out, create_metrics(["ndcg"]))
    repeated = evaluate(
        world.model(np.tile(world.scores[0], (40, 1))), world.seen, world.held_out, create_metrics(["ndcg"])
    )
    assert result.values == repeated.values


def test_nothing_held_out_and_foreign_catalogues_are_refused(world: Any, make: Any) -> None:
    with pytest.raises(MetricError, match="no held-out ratings"):
        evaluate(world.model(), world.seen, world.held_out.take(np.zeros(0, int)), create_metrics(["rmse"]))
    with pytest.raises(MetricError, match="different catalogues"):
        evaluate(world.model(), make([], 2, 2), world.held_out, create_metrics(["rmse"]))


@pytest.mark.parametrize(("rule", "value"), [("skip", 1.0), ("zero", 0.5)])
def test_ratings_that_gain_nothing_count_as_irrelevant(make: Any, world: Any, rule: str, value: float) -> None:
    held = make([(0, 1, 5.0), (1, 1, 0.0)], 2, 3)
    metrics = create_metrics(["ndcg@2"], {"ndcg": {"gain": "rating"}})
    options = EvaluationSettings(users_without_relevant=rule)
    result = evaluate(world.model(np.array([[1.0, 3, 2]] * 2)), make([], 2, 3), held, metrics, options)
    assert result.values == {"ndcg@2": value}


def test_negative_ratings_have_no_graded_gain(world: Any) -> None:
    held = replace(world.held_out, values=world.held_out.values - np.float32(3))
    metrics = create_metrics(["ndcg@5", "recall@5"], {"ndcg": {"gain": "exponential"}})
    result = evaluate(world.model(), world.seen, held, metrics)
    assert list(result.values) == ["recall@5"]
    assert "negative" in result.skipped["ndcg@5"]


def test_metrics_of_others_need_only_a_value(world: Any) -> None:
    @dataclass
    class Longest:
        needs: ClassVar[Any] = "lists"
        higher_is_better: ClassVar[bool] = True
        k: int = 4

        def value(self, outcome: Any) -> float:
            return float(outcome.items.shape[1])

    @dataclass
    class Broken(Longest):
        def value(self, outcome: Any) -> float:
            return float("nan")

    result = evaluate(world.model(), world.seen, world.held_out, {"longest": Longest(), "broken": Broken()})
    assert result.values == {"longest": 4}
    assert result.per_user == {}
    assert "nan" in result.skipped["broken"]


def test_wrong_settings_are_refused() -> None:
    for wrong in (
        {"ties": "random"},
        {"denominator": "k"},
        {"users_without_relevant": "drop"},
        {"sampling_seed": -1},
        {"block_size": 0},
        {"block_size": 2.5},
        {"relevance_threshold": "high"},
    ):
        with pytest.raises(SettingError):
            EvaluationSettings(**wrong)  # type: ignore[arg-type]
    assert EvaluationSettings(relevance_threshold=4).relevance_threshold == 4.0


@given(st.randoms(use_true_random=False), st.integers(1, 70), st.sampled_from([None, 3.0, 5.0]))
@settings(max_examples=25, deadline=None)
def test_values_are_bounded_and_do_not_depend_on_the_names_of_users(
    world: Any, shuffle: Any, k: int, threshold: float | None
) -> None:
    order = list(range(40))
    shuffle.shuffle(order)
    names = np.array(order)

    def renamed(part: Ratings) -> Ratings:
        return Ratings.from_columns(names[part.users], part.items, part.values, catalogue=part.catalogue)

    coarse = np.round(world.scores * 4)
    moved = np.empty_like(coarse)
    moved[names] = coarse
    metrics = create_metrics([n if n in ("rmse", "mae", "auc") else f"{n}@{k}" for n in EVERY])
    options = EvaluationSettings(relevance_threshold=threshold)
    one = evaluate(world.model(coarse), world.seen, world.held_out, metrics, options)
    two = evaluate(world.model(moved), renamed(world.seen), renamed(world.held_out), metrics, options)
    assert one.values == pytest.approx(two.values, rel=1e-12)
    for name, value in one.values.items():
        assert value >= 0
        assert value <= 1 or name.startswith(("rmse", "mae", "novelty")), name
        where = {user: place for place, user in enumerate(two.users.tolist())}
        if name in one.per_user:
            again = two.per_user[name][[where[names[user]] for user in one.users]]
            np.testing.assert_allclose(again, one.per_user[name], rtol=1e-12)


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6), st.data())
@settings(max_examples=40, deadline=None)
def test_pessimistic_ties_never_score_higher(make: Any, world: Any, scores: list[int], data: st.DataObject) -> None:
    relevant = data.draw(st.sets(st.integers(0, 5), min_size=1))
    held = make([(0, item, 4.0) for item in relevant], 1, 6)
    metrics = create_metrics([f"{m}@3" for m in ON_LISTS])
    by_order, pessimistic = (
        evaluate(
            world.model(np.array([scores], float)), make([], 1, 6), held, metrics, EvaluationSettings(ties=ties)
        ).values
        for ties in ("item_order", "pessimistic")
    )
    assert all(pessimistic[name] <= by_order[name] + 1e-12 for name in metrics)
