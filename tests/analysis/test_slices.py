from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx.analysis.scores import score
from mfx.analysis.slices import half_of_the_ratings, slices
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import create_metrics
from mfx.models.als import ALS
from mfx.models.bpr import BPR
from mfx.split.item_stratified import ItemStratifiedSplit
from mfx.testing import planted_ratings

NAMES = ["rmse", "mae", "precision@5", "recall@5", "ndcg@5", "map@5", "auc", "coverage@5"]


@pytest.fixture(scope="module")
def split():
    return ItemStratifiedSplit(seed=1).split(planted_ratings())


@pytest.fixture(scope="module")
def model(split):
    return ALS(factors=4, epochs=4).fit(split.train_and_valid)


def test_half_by_hand():
    counts = np.array([1, 5, 0, 5, 3, 2])
    assert half_of_the_ratings(counts).tolist() == [False, True, False, True, False, False]
    assert half_of_the_ratings(np.array([0, 0])).tolist() == [False, False]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_half_is_half_and_no_row_more(counts):
    counts = np.array(counts)
    marked = half_of_the_ratings(counts)
    assert 2 * counts[marked].sum() >= counts.sum()
    if marked.any():
        assert 2 * (counts[marked].sum() - counts[marked].min()) < counts.sum()
        assert counts[marked].min() >= counts[~marked].max(initial=0)


def test_items_and_users_are_cut_into_parts(split):
    found = {one.name: one for one in slices(split.train_and_valid, split.test)}
    for names in (["cold items", "tail items", "head items"], ["light users", "heavy users"]):
        members = [found[name].ratings(split.test) for name in names if name in found]
        assert (np.sum(members, axis=0) == 1).all()


def test_history_alone_decides_what_is_popular_and_who_is_heavy(split):
    """In test another item and another user have the most ratings by far."""
    history = split.train_and_valid
    item, user = int(np.argmin(history.item_counts)), int(np.argmin(history.user_counts))
    crowd = np.full(len(history), item, split.test.items.dtype), np.full(len(history), user, split.test.users.dtype)
    test = replace(split.test, items=crowd[0], users=crowd[1], values=np.sort(history.values), timestamps=None)
    found = {one.name: one for one in slices(history, test)}
    assert "head items" not in found
    assert "heavy users" not in found
    assert found["light users"].users[user]
    assert (found["tail items"].items if history.item_counts[item] else found["cold items"].items)[item]
    head = half_of_the_ratings(history.item_counts)
    (made,) = [one for one in slices(history, split.test) if one.name == "head items"]
    np.testing.assert_array_equal(made.items, head)


def test_what_was_scored_is_what_an_experiment_scores(split, model):
    metrics = create_metrics(NAMES)
    found = score(model, split.train_and_valid, split.test, metrics, EvaluationSettings())
    plain = evaluate(model, split.train_and_valid, split.test, metrics)
    assert found.values == plain.values
    for name, one in found.per_user.items():
        assert one.value() == pytest.approx(plain.values[name], rel=1e-6)
    assert "coverage@5" not in found.per_user


def test_a_slice_is_the_held_out_part_without_the_rest(split, model):
    """Scoring the ratings of a slice alone says the same: lists are made from all candidates either way."""
    names = ["rmse", "mae", "precision@5", "recall@5", "ndcg@5", "map@5"]
    cuts = slices(split.train_and_valid, split.test)
    seen, test, settings = split.train_and_valid, split.test, EvaluationSettings()
    found = score(model, seen, test, create_metrics(names), settings, cuts, names)
    assert len(cuts) > 4
    for one in cuts:
        alone = evaluate(model, seen, test.take(one.ratings(test)), create_metrics(names))
        for name in names:
            assert found.sliced[name, one.name].value() == pytest.approx(alone.values[name], rel=1e-6), (one.name, name)


def test_pooled_squares_of_the_parts_add_up(split, model):
    cuts = slices(split.train_and_valid, split.test)
    found = score(
        model, split.train_and_valid, split.test, create_metrics(["rmse"]), EvaluationSettings(), cuts, ["rmse"]
    )
    whole = found.per_user["rmse"]
    parts = [found.sliced["rmse", one.name] for one in cuts if one.name.endswith(" items")]
    assert sum(part.totals.sum() for part in parts) == pytest.approx(whole.totals.sum())
    assert sum(part.counts.sum() for part in parts) == len(split.test)


def test_a_ranking_has_no_ratings_but_lists(split):
    model = BPR(factors=4, epochs=2).fit(split.train_and_valid)
    found = score(model, split.train_and_valid, split.test, create_metrics(NAMES), EvaluationSettings())
    assert "rmse" in found.skipped
    assert "ndcg@5" in found.per_user
    assert found.curve[5] == found.values["precision@5"]
    assert list(found.curve) == sorted(found.curve)
