"""Splits small enough to check by eye, and counts on real ratings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx.interfaces import Ratings, Split
from mfx.split.audit import audit
from mfx.split.chance import number_hash, rating_hash, smallest
from mfx.split.global_temporal import GlobalTemporalSplit
from mfx.split.item_stratified import ItemStratifiedSplit
from mfx.split.kfold import KFold
from mfx.split.leave_last_out import LeaveLastOut
from mfx.split.random import RandomSplit
from mfx.split.shares import floor_share, floor_share_of
from mfx.split.temporal import TemporalSplit


def test_equal_timestamps_go_by_item_id() -> None:
    ratings = Ratings.from_columns([1] * 5, [50, 40, 30, 20, 10], [1, 2, 3, 4, 5], [9, 9, 9, 9, 1])
    split = TemporalSplit(fraction=0.4, valid_fraction=0.4).split(ratings)
    assert ratings.catalogue.item_ids[split.test.items].tolist() == [40, 50]
    assert ratings.catalogue.item_ids[split.valid.items].tolist() == [30]
    assert ratings.catalogue.item_ids[split.train.items].tolist() == [10, 20]


def test_leave_last_out_serves_test_first() -> None:
    ratings = Ratings.from_columns([1, 2, 2, 3, 3, 3], [1, 1, 2, 1, 2, 3], [1] * 6, [1, 2, 1, 3, 3, 3])
    split = LeaveLastOut().split(ratings)
    ids = ratings.catalogue
    assert list(zip(ids.user_ids[split.test.users], ids.item_ids[split.test.items], strict=True)) == [(2, 1), (3, 3)]
    assert list(zip(ids.user_ids[split.valid.users], ids.item_ids[split.valid.items], strict=True)) == [(3, 2)]


def test_global_cut_keeps_equal_timestamps_on_the_early_side() -> None:
    ratings = Ratings.from_columns([1] * 10, range(10), [1] * 10, [1, 2, 3, 4, 5, 6, 7, 8, 8, 9])
    split = GlobalTemporalSplit(fraction=0.2, valid_fraction=0.3).split(ratings)
    assert split.test.timestamps is not None
    assert split.valid.timestamps is not None
    assert split.test.timestamps.tolist() == [9]
    assert split.valid.timestamps.tolist() == [8, 8]


def test_counts_on_real_ratings(movielens: Ratings) -> None:
    n, users, items = len(movielens), movielens.user_counts, movielens.item_counts
    assert n == 100_004
    assert len(TemporalSplit().split(movielens).test) == sum(2 * int(c) // 10 for c in users) == 19_753
    assert len(ItemStratifiedSplit().split(movielens).test) == sum(2 * int(c) // 10 for c in items)
    assert len(RandomSplit().split(movielens).test) == 20_000
    assert len(LeaveLastOut().split(movielens).test) == len(LeaveLastOut().split(movielens).valid) == 671
    assert [len(KFold(fold=f).split(movielens).test) for f in range(5)] == [20_000, 20_001, 20_001, 20_001, 20_001]


def test_random_choices_are_spread_evenly(movielens: Ratings) -> None:
    hashes = rating_hash(1, movielens)
    assert np.unique(hashes).size == hashes.size
    assert hashes.min() >= 0
    counts = np.bincount((hashes >> 57).astype(int), minlength=64)
    expected = len(movielens) / 64
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert 30 < chi_square < 110  # 63 degrees of freedom: outside with a chance below 1 in 1,000
    other = rating_hash(2, movielens)
    assert abs(np.corrcoef(hashes, other)[0, 1]) < 0.015


def test_repeated_pairs_get_hashes_of_their_own() -> None:
    ratings = Ratings.from_columns([1, 1, 1, 1, 2, 2], [5, 5, 5, 6, 6, 6], [1, 2, 3, 4, 5, 5])
    assert np.unique(rating_hash(1, ratings)).size == 6
    alone = ratings.take(np.array([0, 3, 4]))
    assert set(rating_hash(1, alone)) <= set(rating_hash(1, ratings))


@pytest.mark.parametrize(
    ("fraction", "count", "share"),
    [(0.29, 100, 29), (0.2, 5, 1), (0.07, 100, 7), (1e-5, 99, 0), (1e-30, 99, 0), (2.147483647e-21, 2**32 + 2, 0)],
)
def test_shares_are_decimal(fraction: float, count: int, share: int) -> None:
    assert floor_share(fraction, np.array([count])).tolist() == [share]
    assert floor_share_of(fraction, count) == share


@given(st.floats(1e-9, 0.999999), st.lists(st.integers(0, 2**40), min_size=1, max_size=5))
def test_shares_of_arrays_and_numbers_agree_without_overflow(fraction: float, counts: list[int]) -> None:
    assert floor_share(fraction, np.array(counts)).tolist() == [floor_share_of(fraction, c) for c in counts]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.data())
def test_smallest_ranks_equal_keys_by_position(keys: list[int], data: st.DataObject) -> None:
    bounds = sorted(data.draw(st.lists(st.integers(0, len(keys)), max_size=3)))
    rank = np.empty(len(keys), dtype=int)
    rank[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    expected = [sum(bound <= r for bound in bounds) for r in rank]
    assert smallest(np.array(keys), bounds).tolist() == expected


def test_hash_streams_and_seeds_differ() -> None:
    numbers = np.arange(1000)
    variants = [number_hash(s, numbers, t) for s, t in ((0, 0), (0, 1), (1, 0), (2**40, 0))]
    assert np.unique(np.concatenate(variants)).size == 4000


def test_valid_of_a_fold_comes_from_all_other_folds(movielens: Ratings) -> None:
    valid = KFold(fold=0).split(movielens).valid
    pairs = set(zip(valid.users.tolist(), valid.items.tolist(), strict=True))
    for fold in range(1, 5):
        test = KFold(fold=fold).split(movielens).test
        shared = len(pairs & set(zip(test.users.tolist(), test.items.tolist(), strict=True)))
        assert 1800 < shared < 2200  # a quarter of 8,000, give or take five standard deviations


def test_audit_counts_by_hand() -> None:
    ratings = Ratings.from_columns(
        [1, 1, 1, 2, 2, 3], [10, 11, 12, 10, 11, 13], [1, 2, 3, 4, 5, 1], [1, 2, 3, 10, 20, 5]
    )
    split = TemporalSplit(fraction=0.5, valid_fraction=0.5).split(ratings)
    # user 1: one rating in each part; user 2: one in train, one in test; user 3: train.
    numbers = audit(split)
    assert (numbers["ratings_train"], numbers["ratings_valid"], numbers["ratings_test"]) == (3, 1, 2)
    assert (numbers["users_test"], numbers["items_test"]) == (2, 2)
    assert (numbers["test_cold_users"], numbers["test_cold_items"], numbers["test_cold_item_ratings"]) == (0, 1, 1)
    assert numbers["test_cold_item_share"] == 0.5
    assert numbers["valid_cold_items"] == 1
    assert numbers["test_older_than_user_history"] == 0
    assert numbers["test_older_than_history"] == 0.5  # user 1's test is of second 3, user 2's train of second 10
    assert numbers["test_pairs_in_history"] == 0


def audited(split: Split) -> dict[str, float]:
    """Count what `audit` counts, one rating after the other."""
    parts = {
        name: list(zip(part.users.tolist(), part.items.tolist(), part.timestamps.tolist(), strict=True))  # type: ignore[union-attr]
        for name, part in (("train", split.train), ("valid", split.valid), ("test", split.test))
    }
    found: dict[str, float] = {"ratings_aside": split.aside}
    for name, rows in parts.items():
        pairs = [row[:2] for row in rows]
        found[f"ratings_{name}"], found[f"duplicate_pairs_{name}"] = len(rows), len(rows) - len(set(pairs))
        found[f"users_{name}"], found[f"items_{name}"] = len({u for u, _ in pairs}), len({i for _, i in pairs})
    for name, past in (("valid", parts["train"]), ("test", parts["train"] + parts["valid"])):
        rows = parts[name]
        for column, what in enumerate(("user", "item")):
            cold = [row[column] for row in rows if row[column] not in {old[column] for old in past}]
            found |= {f"{name}_cold_{what}s": len(set(cold)), f"{name}_cold_{what}_ratings": len(cold)}
            found |= {f"{name}_cold_{what}_share": len(cold) / len(rows)} if rows else {}
        found[f"{name}_pairs_in_history"] = sum(row[:2] in {old[:2] for old in past} for row in rows)
        if rows:
            own = [row[2] < max((t for u, _, t in past if u == row[0]), default=-1) for row in rows]
            anybody = [row[2] < max((t for _, _, t in past), default=-1) for row in rows]
            found |= {f"{name}_older_than_user_history": sum(own) / len(rows)}
            found |= {f"{name}_older_than_history": sum(anybody) / len(rows)}
    return found


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 9), st.integers(0, 2)), min_size=1),
    st.permutations([0, 1, 2]),
)
def test_audit_counts_what_counting_by_hand_counts(rows: list[tuple[int, ...]], turn: list[int]) -> None:
    users, items, times, parts = (np.array(column) for column in zip(*rows, strict=True))
    ratings = Ratings.from_columns(users, items, np.ones(users.size), times)
    label = np.array(turn)[np.resize(parts, users.size)]
    split = Split(*(ratings.take(label == part) for part in range(3)), "by hand")
    assert audit(split) == pytest.approx(audited(split))
    assert set(audit(split)) == set(audited(split))


def test_audit_without_timestamps_tells_the_rest() -> None:
    ratings = Ratings.from_columns([1, 1, 2, 2], [1, 2, 1, 2], [1, 2, 3, 4])
    numbers = audit(RandomSplit(fraction=0.5, valid_fraction=0.5).split(ratings))
    assert numbers["ratings_test"] == 2
    assert not [name for name in numbers if "older" in name]


def test_audit_sees_leaks() -> None:
    ratings = Ratings.from_columns([1, 1, 1, 1], [5, 5, 6, 7], [1, 2, 3, 4], [4, 5, 1, 2])
    split = TemporalSplit(fraction=0.25, valid_fraction=0.0).split(ratings)
    assert audit(split)["test_pairs_in_history"] == 1
    assert audit(split)["duplicate_pairs_train"] == 0
    turned = audit(replace(split, train=split.test, test=split.train))
    assert turned["test_older_than_user_history"] == 1
    assert audit(replace(split, train=ratings))["duplicate_pairs_train"] == 1


def test_audit_of_random_and_temporal_on_real_ratings(movielens: Ratings) -> None:
    temporal, chance = (audit(s.split(movielens)) for s in (TemporalSplit(), RandomSplit()))
    assert temporal["test_older_than_user_history"] == 0
    assert chance["test_older_than_user_history"] > 0.5
    assert audit(GlobalTemporalSplit().split(movielens))["test_older_than_history"] == 0
    assert temporal["duplicate_pairs_train"] == 0
