"""What every splitter promises, whatever the ratings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mfx.errors import SplitError
from mfx.interfaces import Catalogue, Ratings, Split, Splitter
from mfx.split.cold_items import ColdItemsSplit
from mfx.split.global_temporal import GlobalTemporalSplit
from mfx.split.item_stratified import ItemStratifiedSplit
from mfx.split.kfold import KFold
from mfx.split.leave_last_out import LeaveLastOut
from mfx.split.random import RandomSplit
from mfx.split.temporal import TemporalSplit

ALL = [
    RandomSplit,
    TemporalSplit,
    LeaveLastOut,
    GlobalTemporalSplit,
    ItemStratifiedSplit,
    KFold,
    ColdItemsSplit,
]
ENOUGH: dict[Any, dict[str, float]] = {
    kind: {"valid_fraction": 0.5} if kind is KFold else {"fraction": 0.5, "valid_fraction": 0.5}
    for kind in ALL
    if kind is not LeaveLastOut
}
IN_TIME = [TemporalSplit, LeaveLastOut, GlobalTemporalSplit]

Columns = tuple[np.ndarray[Any, Any], ...]


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    """Distinct (user, item) pairs with timestamps that often coincide, in any row order."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), min_size=20, max_size=40, unique=True))
    times = draw(st.lists(st.integers(0, 20), min_size=len(pairs), max_size=len(pairs)))
    users, items = (np.array(column) for column in zip(*pairs, strict=True))
    return users, items, np.arange(len(pairs)) % 5 + 1.0, np.array(times)


def make(data: Columns) -> Ratings:
    return Ratings.from_columns(*data, catalogue=Catalogue(np.arange(7), np.arange(10)))


def try_split(splitter: Splitter, ratings: Ratings) -> Split:
    try:
        return splitter.split(ratings)
    except SplitError:
        assume(False)
        raise


def rows(part: Ratings) -> list[tuple[Any, ...]]:
    assert part.timestamps is not None
    return list(
        zip(part.users.tolist(), part.items.tolist(), part.values.tolist(), part.timestamps.tolist(), strict=True)
    )


@pytest.mark.parametrize("kind", ALL)
@given(data=columns(), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_parts_are_disjoint_complete_and_independent_of_row_order(kind: Any, data: Columns, shuffle: Any) -> None:
    ratings = make(data)
    splitter = kind(**ENOUGH.get(kind, {}))
    split = try_split(splitter, ratings)
    together = rows(split.train) + rows(split.valid) + rows(split.test)
    assert sorted(together) == sorted(rows(ratings))
    assert split.train.catalogue is split.valid.catalogue is split.test.catalogue is ratings.catalogue
    order = list(range(len(ratings)))
    shuffle.shuffle(order)
    again = splitter.split(make(tuple(column[order] for column in data)))
    assert again.fingerprint == split.fingerprint
    assert "\n" not in split.rule


@pytest.mark.parametrize("kind", ALL)
@given(data=columns())
@settings(max_examples=30, deadline=None)
def test_without_valid_the_test_part_is_the_same(kind: Any, data: Columns) -> None:
    ratings = make(data)
    enough = ENOUGH.get(kind, {})
    off = {"valid_count": 0} if kind is LeaveLastOut else {"valid_fraction": 0.0}
    with_valid = try_split(kind(**enough), ratings)
    without = kind(**{**enough, **off}).split(ratings)
    assert len(without.valid) == 0
    assert without.test.rows_fingerprint == with_valid.test.rows_fingerprint


@given(data=columns(), tenths=st.integers(3, 7))
@settings(max_examples=30, deadline=None)
def test_random_counts_are_exact(data: Columns, tenths: int) -> None:
    ratings = make(data)
    split = try_split(RandomSplit(fraction=tenths / 10, valid_fraction=0.5), ratings)
    n = len(ratings)
    assert len(split.test) == n * tenths // 10
    assert len(split.valid) == (n - len(split.test)) * 5 // 10


@given(data=columns(), tenths=st.integers(3, 7))
@settings(max_examples=30, deadline=None)
def test_temporal_is_exact_per_user_and_lets_nothing_later_into_train(data: Columns, tenths: int) -> None:
    ratings = make(data)
    split = try_split(TemporalSplit(fraction=tenths / 10, valid_fraction=0.5), ratings)
    assert np.array_equal(split.test.user_counts, ratings.user_counts * tenths // 10)
    rest = ratings.user_counts - split.test.user_counts
    assert np.array_equal(split.valid.user_counts, rest * 5 // 10)
    for user in range(5):
        order = sorted((t, i) for u, i, _, t in rows(ratings) if u == user)
        parts = [sorted((t, i) for u, i, _, t in rows(p) if u == user) for p in (split.train, split.valid, split.test)]
        assert parts[0] + parts[1] + parts[2] == order


@given(data=columns(), count=st.integers(1, 3), valid_count=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_leave_last_out_takes_at_most_its_counts_and_leaves_everybody_a_rating(
    data: Columns, count: int, valid_count: int
) -> None:
    ratings = make(data)
    split = try_split(LeaveLastOut(count=count, valid_count=valid_count), ratings)
    had = ratings.user_counts
    assert np.array_equal(split.test.user_counts, np.clip(had - 1, 0, count))
    assert np.array_equal(split.valid.user_counts, np.clip(had - 1 - split.test.user_counts, 0, valid_count))
    assert np.all(split.train.user_counts[had > 0] >= 1)
    for user in range(5):
        order = sorted((t, i) for u, i, _, t in rows(ratings) if u == user)
        last = [(t, i) for u, i, _, t in rows(split.test) if u == user]
        assert sorted(last) == order[len(order) - len(last) :]


@given(data=columns(), tenths=st.integers(3, 7))
@settings(max_examples=30, deadline=None)
def test_global_temporal_divides_no_moment_and_takes_at_most_its_share(data: Columns, tenths: int) -> None:
    ratings = make(data)
    split = try_split(GlobalTemporalSplit(fraction=tenths / 10, valid_fraction=0.5), ratings)
    train, valid, test = ([r[3] for r in rows(part)] for part in (split.train, split.valid, split.test))
    assert max(train) < min(valid)
    assert max(valid) < min(test)
    n = len(ratings)
    assert len(test) <= n * tenths // 10 < len(test) + sum(t == max(valid) for t in valid)
    rest = n - len(test)
    assert len(valid) <= rest * 5 // 10 < len(valid) + sum(t == max(train) for t in train)


@given(data=columns(), tenths=st.integers(3, 7))
@settings(max_examples=30, deadline=None)
def test_item_stratified_is_exact_per_item(data: Columns, tenths: int) -> None:
    ratings = make(data)
    split = try_split(ItemStratifiedSplit(fraction=tenths / 10, valid_fraction=0.5), ratings)
    assert np.array_equal(split.test.item_counts, ratings.item_counts * tenths // 10)
    assert np.array_equal(split.valid.item_counts, (ratings.item_counts - split.test.item_counts) * 5 // 10)


@given(data=columns(), folds=st.integers(2, 7))
@settings(max_examples=20, deadline=None)
def test_folds_cover_every_rating_once_and_differ_by_at_most_one(data: Columns, folds: int) -> None:
    ratings = make(data)
    assume(len(ratings) > folds)
    tests = [KFold(folds=folds, fold=fold, valid_fraction=0.0).split(ratings).test for fold in range(folds)]
    assert sorted(row for test in tests for row in rows(test)) == sorted(rows(ratings))
    sizes = [len(test) for test in tests]
    assert max(sizes) - min(sizes) <= 1


@given(data=columns(), folds=st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_valid_of_a_fold_is_an_exact_share_of_the_other_folds(data: Columns, folds: int) -> None:
    ratings = make(data)
    split = try_split(KFold(folds=folds, valid_fraction=0.5), ratings)
    assert len(split.valid) == (len(ratings) - len(split.test)) * 5 // 10


@given(data=columns(), tenths=st.integers(3, 7))
@settings(max_examples=30, deadline=None)
def test_cold_items_are_wholly_in_one_part(data: Columns, tenths: int) -> None:
    ratings = make(data)
    split = try_split(ColdItemsSplit(fraction=tenths / 10, valid_fraction=0.5), ratings)
    held = [part.item_counts > 0 for part in (split.train, split.valid, split.test)]
    assert np.array_equal(np.sum(held, axis=0), ratings.item_counts > 0)
    rated = int(np.count_nonzero(ratings.item_counts))
    assert np.count_nonzero(held[2]) == rated * tenths // 10
    assert np.count_nonzero(held[1]) == (rated - rated * tenths // 10) * 5 // 10


@pytest.mark.parametrize("kind", IN_TIME)
def test_missing_timestamps_are_refused(kind: Any) -> None:
    ratings = Ratings.from_columns([1, 1, 2], [1, 2, 1], [3, 4, 5])
    with pytest.raises(SplitError, match="needs timestamps") as caught:
        kind().split(ratings)
    assert "split=random" in caught.value.hint


@pytest.mark.parametrize("kind", [RandomSplit, TemporalSplit, ItemStratifiedSplit, ColdItemsSplit])
def test_empty_parts_name_the_setting_to_change(kind: Any) -> None:
    ratings = Ratings.from_columns([1, 1, 2, 2], [1, 2, 1, 2], [3, 4, 5, 1], [1, 2, 3, 4])
    with pytest.raises(SplitError, match="test part is empty") as caught:
        kind(fraction=0.2).split(ratings)
    assert "split.fraction" in caught.value.hint
    with pytest.raises(SplitError, match="valid part is empty") as caught:
        kind(fraction=0.5, valid_fraction=0.1).split(ratings)
    assert "split.valid_fraction" in caught.value.hint


def test_one_single_moment_cannot_be_cut() -> None:
    ratings = Ratings.from_columns([1, 1, 2, 2], [1, 2, 1, 2], [3, 4, 5, 1], [7, 7, 7, 7])
    with pytest.raises(SplitError, match="share the last timestamp"):
        GlobalTemporalSplit(fraction=0.5).split(ratings)
