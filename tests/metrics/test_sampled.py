"""Sampled candidates against the protocol written out in plain Python, one list at a time."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from mfx import compose
from mfx.errors import MetricError, SettingError
from mfx.metrics import lists, ranking, ratings  # noqa: F401 - registers the metrics
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import create_metrics, under_protocol
from mfx.solver.hashing import CANDIDATES, key_of, random_bits
from mfx.solver.sampling import sample_free

NAMES = ["hit_rate@10", "ndcg@10", "mrr@10", "recall@5", "precision@5", "auc", "mae"]


def named(names, settings):
    return {under_protocol(name, metric, settings): metric for name, metric in create_metrics(names).items()}


def drawn(user, item, taken, n_items, size, seed):
    """Floyd's algorithm on the ranks of what the user has not."""
    pair = key_of(seed, CANDIDATES, user, item)
    free = [i for i in range(n_items) if i not in taken]
    ranks = []
    for n in range(min(size, len(free))):
        last = len(free) - min(size, len(free)) + n
        rank = ((int(random_bits(pair, np.uint64(n))) >> 32) * (last + 1)) >> 32
        ranks.append(last if rank in ranks else rank)
    return [free[rank] for rank in ranks]


def reference(scores, seen, held_out, size, seed, relevant=lambda rating: True):
    """HR@10, NDCG@10 and so on as in He et al. 2017: hit if fewer than k of the sampled score higher."""
    had = [set(seen.items[seen.users == u].tolist()) for u in range(seen.n_users)]
    asked = [dict(zip(held_out.items[m].tolist(), held_out.values[m].tolist(), strict=True))
             for m in (held_out.users == u for u in range(seen.n_users))]  # fmt: skip
    found = {}
    for u in range(seen.n_users):
        for item in (item for item, rating in asked[u].items() if relevant(rating)):
            others = drawn(u, item, had[u] | set(asked[u]), seen.n_items, size, seed)
            rank = int((scores[u, others] > scores[u, item]).sum())
            found.setdefault(u, []).append(
                {
                    "hit_rate@10": float(rank < 10),
                    "ndcg@10": math.log(2) / math.log(rank + 2) if rank < 10 else 0.0,
                    "mrr@10": 1 / (rank + 1) if rank < 10 else 0.0,
                    "recall@5": float(rank < 5),
                    "precision@5": (rank < 5) / 5,
                    "auc": 1 - rank / len(others),
                }
            )
    return {u: {name: np.mean([one[name] for one in rows]) for name in rows[0]} for u, rows in found.items()}


@pytest.mark.parametrize(("size", "seed", "threshold"), [(20, 42, None), (7, 1, 4.0), (1000, 42, None)])
def test_each_held_out_item_is_ranked_among_its_own_draws(world, size, seed, threshold):
    settings = EvaluationSettings(candidates=size, sampling_seed=seed, relevance_threshold=threshold)
    result = evaluate(world.model(), world.seen, world.held_out, named(NAMES, settings), settings)
    expected = reference(
        world.scores, world.seen, world.held_out, size, seed, lambda rating: threshold is None or rating >= threshold
    )
    for name in NAMES[:-1]:
        shown = f"{name}_sampled_{size}"
        assert result.values[shown] == pytest.approx(np.mean([one[name] for one in expected.values()])), name
        for place, user in enumerate(result.users.tolist()):
            assert result.per_user[shown][place] == pytest.approx(expected.get(user, {name: np.nan})[name], nan_ok=True)
    assert result.values["mae"] == evaluate(world.model(), world.seen, world.held_out, named(["mae"], settings),
                                            settings).values["mae"]  # fmt: skip


def test_more_candidates_than_there_are_is_the_full_list_where_one_item_is_held_out(make, world):
    seen, held = world.seen, make([(u, int(world.held_out.items[world.held_out.users == u][0]), 4.0)
                                   for u in np.unique(world.held_out.users)], 40, 60)  # fmt: skip
    settings = EvaluationSettings(candidates=60)
    names = ["hit_rate@5", "ndcg@10", "auc"]
    sampled = evaluate(world.model(), seen, held, named(names, settings), settings).values
    full = evaluate(world.model(), seen, held, create_metrics(names)).values
    assert sampled == pytest.approx({f"{name}_sampled_60": value for name, value in full.items()})


def test_draws_are_distinct_free_even_and_do_not_depend_on_what_else_is_asked():
    n_items, taken = 50, np.arange(0, 50, 5, dtype=np.int32)
    users, items = np.zeros(5000, np.int32), np.arange(5000, dtype=np.int32)
    found = sample_free(users, items, np.array([0, 10]), taken, n_items=n_items, size=20, seed=3)
    assert all(len(set(row)) == 20 for row in found.tolist())
    counts = np.bincount(found.ravel(), minlength=50)
    assert (counts[taken] == 0).all()
    free = np.setdiff1d(np.arange(50), taken)
    assert np.abs(counts[free] / 5000 - 0.5).max() < 5 * 0.5 / np.sqrt(5000)
    alone = sample_free(users[:1], items[77:78], np.array([0, 10]), taken, n_items=n_items, size=20, seed=3)
    np.testing.assert_array_equal(alone[0], found[77])
    other = sample_free(users, items, np.array([0, 10]), taken, n_items=n_items, size=20, seed=4)
    assert (other != found).any(axis=1).all()
    short = sample_free(users[:1], items[:1], np.array([0, 10]), taken, n_items=n_items, size=60, seed=3)[0]
    assert sorted(short[:40].tolist()) == free.tolist()
    assert (short[40:] == -1).all()


@pytest.mark.parametrize(("ties", "place"), [("item_order", 2), ("pessimistic", 4)])
def test_equal_scores_follow_the_tie_rule(make, world, ties, place):
    held, seen = make([(0, 2, 5.0)], 1, 5), make([(0, 0, 3.0)], 1, 5)
    settings = EvaluationSettings(candidates=4, ties=ties)
    result = evaluate(world.model(np.ones((1, 5))), seen, held, named(["mrr@5", "auc"], settings), settings)
    assert result.values == pytest.approx({"mrr@5_sampled_4": 1 / place, "auc_sampled_4": 0.5})


@pytest.mark.parametrize("target", [0, 1])
def test_ties_of_any_item_count_half_and_only_ties_do(make, world, target):
    held = make([(0, target, 5.0)], 1, 4)
    settings = EvaluationSettings(candidates=3)
    scores = np.array([[1.0, 1.0, 1.0, 0.0]])
    result = evaluate(world.model(scores), make([], 1, 4), held, named(["auc"], settings), settings)
    assert result.values == pytest.approx({"auc_sampled_3": (1 + 0.5 + 0.5) / 3})


@pytest.mark.parametrize(("rule", "value"), [("skip", 1.0), ("zero", 0.5)])
def test_users_without_relevant_items_follow_the_rule(make, world, rule, value):
    held = make([(0, 1, 5.0), (1, 1, 2.0)], 2, 3)
    settings = EvaluationSettings(candidates=1, relevance_threshold=3.5, users_without_relevant=rule)
    result = evaluate(
        world.model(np.array([[0.0, 9, 1]] * 2)), make([], 2, 3), held, named(["recall@1", "auc"], settings), settings
    )
    assert result.values == pytest.approx({"recall@1_sampled_1": value, "auc_sampled_1": 1.0})
    expected = [1.0, 0.0 if rule == "zero" else np.nan]
    assert result.per_user["recall@1_sampled_1"].tolist() == pytest.approx(expected, nan_ok=True)
    assert result.per_user["auc_sampled_1"].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)


def test_an_item_that_was_seen_is_missed(make, world):
    both = make([(0, 2, 5.0)], 1, 5)
    settings = EvaluationSettings(candidates=2)
    result = evaluate(world.model(np.eye(5)[[2]]), both, both, named(["recall@5", "auc"], settings), settings)
    assert result.values == {"recall@5_sampled_2": 0.0, "auc_sampled_2": 0.0}


def test_an_item_that_is_no_candidate_is_below_all_and_tied_with_none(make, world):
    outcomes = []

    @dataclass
    class Keep:
        needs: str
        k: int = 5
        higher_is_better: ClassVar[bool] = True

        def per_user(self, outcome):
            outcomes.append(outcome)
            return np.zeros(outcome.users.size)

    settings = EvaluationSettings(candidates=4)
    seen = make([(0, 0, 3.0), (0, 2, 5.0), (1, 0, 3.0), (2, 1, 3.0)], 3, 4)
    held = make([(0, 2, 5.0), (1, 3, 5.0), (2, 1, 5.0)], 3, 4)
    metrics = {f"{needs}_sampled_4": Keep(needs) for needs in ("ranks", "lists")}
    evaluate(world.model(np.zeros((3, 4))), seen, held, metrics, settings)
    outcome, shown = outcomes[0], outcomes[-1]
    # Items 1 and 3 are free to user 0, 1 and 2 beside the held-out 3 to user 1, 0, 2 and 3 to user 2; scores are equal.
    assert outcome.above.tolist() == [2, 0, 3]
    assert outcome.tied.tolist() == [0, 2, 0]
    assert outcome.candidates.tolist() == [2, 3, 3]
    assert [sorted(row) for row in shown.items.tolist()] == [[-1, -1, 1, 3], [-1, 1, 2, 3], [-1, 0, 2, 3]]


def test_metrics_of_whole_lists_say_that_there_are_none(world):
    settings = EvaluationSettings(candidates=9)
    result = evaluate(world.model(), world.seen, world.held_out, named(["coverage", "novelty"], settings), settings)
    assert result.values == {}
    assert all("whole lists" in reason for reason in result.skipped.values())


def test_names_and_protocol_cannot_be_mixed_up(world):
    settings = EvaluationSettings(candidates=9)
    with pytest.raises(MetricError, match=r"'ndcg@10' is asked for with evaluation.candidates=9.") as caught:
        evaluate(world.model(), world.seen, world.held_out, create_metrics(["ndcg"]), settings)
    assert "Call it ndcg@10_sampled_9," in caught.value.hint
    with pytest.raises(MetricError, match="candidates=unseen"):
        evaluate(world.model(), world.seen, world.held_out, named(["ndcg"], settings))
    more = EvaluationSettings(candidates=99)
    with pytest.raises(MetricError, match="candidates=99") as caught:
        evaluate(world.model(), world.seen, world.held_out, named(["ndcg"], settings), more)
    assert "Call it ndcg@10_sampled_99," in caught.value.hint


@pytest.mark.parametrize("wrong", [0, -3, "99", "many", ""])
def test_wrong_candidates_are_refused(wrong):
    with pytest.raises(SettingError, match=r"unseen, unseen_rated, or how many"):
        EvaluationSettings(candidates=wrong)


def test_a_composed_run_is_named_by_its_protocol():
    plan = compose.build(compose.compose(["model=bpr", "evaluation.candidates=99", "metrics=[hit_rate@10,ndcg@10]"]))
    assert list(plan.metrics) == ["hit_rate@10_sampled_99", "ndcg@10_sampled_99"]
    assert plan.objective == "ndcg@10_sampled_99"
    assert compose.build(compose.compose(["model=bpr"])).objective == "ndcg@10"
    with pytest.raises(SettingError, match="candidates"):
        compose.build(compose.compose(["evaluation.candidates=-1"]))
