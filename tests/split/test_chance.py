"""Hashes against plain integers, and which ratings a seed chooses: the same in every release."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from mfx.id_hashes import id_hashes, id_ranks
from mfx.interfaces import Ratings
from mfx.split import chance
from mfx.split.chance import number_hash, rating_hash
from mfx.split.cold_items import ColdItemsSplit
from mfx.split.item_stratified import ItemStratifiedSplit
from mfx.split.kfold import KFold
from mfx.split.random import RandomSplit

WORD = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def mixed(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


def key(seed: int, stream: int) -> int:
    return mixed((seed * GOLDEN + stream + 1) & WORD)


def hashed(seed: int, number: int, stream: int = 0) -> int:
    return mixed((mixed((number + key(seed, stream)) & WORD) + GOLDEN) & WORD) >> 1


def paired(seed: int, user: int, item: int, stream: int = 0) -> int:
    """Hash a pair of integer ids."""
    return mixed((mixed((mixed(user) + key(seed, stream)) & WORD) + mixed(item)) & WORD) >> 1


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((12, 15)) < 0.6)
    return Ratings.from_columns(users, items, rng.integers(1, 6, users.size), rng.integers(0, 99, users.size))


@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (42, 0), (42, 1), (2**40, 2), (2**63, 7)])
def test_numbers_are_hashed_as_defined(seed: int, stream: int) -> None:
    numbers = [0, 1, 2, 77, 2**32 + 5, 2**62]
    found = number_hash(seed, np.array(numbers), stream)
    assert found.tolist() == [hashed(seed, number, stream) for number in numbers]
    assert number_hash(seed, np.array(numbers)).tolist() == [hashed(seed, number) for number in numbers]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_pairs_are_hashed_with_how_often_they_came_before(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "_CHUNK", chunk)
    users, items = [1, 1, 1, 1, 2, 2, 2, 3, 3], [5, 5, 5, 6, 6, 7, 7, 7, 8]
    repeated = Ratings.from_columns(users, items, [1] * 9, range(9))
    for stream in (0, 2):
        pairs = [paired(9, user, item, stream) for user, item in zip(users, items, strict=True)]
        expected = list(pairs)
        for place, before in ((1, 1), (2, 2), (6, 1)):
            expected[place] = hashed(9, pairs[place] + before, stream + 1)
        assert rating_hash(9, repeated, stream).tolist() == expected
    assert rating_hash(9, repeated).tolist() == rating_hash(9, repeated, 0).tolist()


def test_a_pair_may_be_repeated_from_the_second_row_on() -> None:
    later = Ratings.from_columns([1, 1, 1], [4, 5, 5], [1] * 3, range(3))
    second = paired(9, 1, 5)
    assert rating_hash(9, later).tolist() == [paired(9, 1, 4), second, hashed(9, second + 1, 1)]


TEXTS = ["7", "007", "+7", "-7", "-0", "0", "7.0", " 7", "٧", "", str(2**63 - 1), str(2**63), str(-(2**63)), "tt007"]


def test_an_id_has_one_hash_however_it_is_stored() -> None:
    integers = [7, -7, 0, 2**63 - 1, -(2**63)]
    texts = dict(zip(TEXTS, id_hashes(np.array(TEXTS)).tolist(), strict=True))
    assert [texts[str(one)] for one in integers] == [mixed(one & WORD) for one in integers]
    assert id_hashes(np.array(integers)).tolist() == [mixed(one & WORD) for one in integers]
    for kind in (np.int32, np.uint8, np.uint64):
        assert id_hashes(np.array([0, 7], dtype=kind)).tolist() == [mixed(0), mixed(7)]
    assert id_hashes(np.array([7, 2**63], dtype=np.uint64)).tolist() == [texts["7"], texts[str(2**63)]]
    assert id_hashes(np.array(TEXTS, dtype=object)).tolist() == list(texts.values())
    digest = hashlib.blake2b(b"tt007", digest_size=8).digest()
    assert texts["tt007"] == int.from_bytes(digest, "little")
    assert len(set(texts.values())) == len(TEXTS)


def test_integers_rank_by_value_and_before_other_text() -> None:
    assert id_ranks(np.array([3, 20, 100])) is None
    assert id_ranks(np.array(["a", "b10", "b9"])) is None
    assert id_ranks(np.array([], dtype=np.str_)) is None
    ranks = id_ranks(np.array(["-1", "007", "10", "9", "a"]))
    assert ranks is not None
    assert ranks.tolist() == [0, 3, 2, 1, 4]


def pairs_of(ratings: Ratings, rows: Any) -> set[tuple[int, int]]:
    return set(zip(ratings.users[rows].tolist(), ratings.items[rows].tolist(), strict=True))


def parts_of(split: Any) -> list[set[tuple[int, int]]]:
    return [pairs_of(part, slice(None)) for part in (split.test, split.valid, split.train)]


def test_random_takes_the_smallest_hashes(ratings: Ratings) -> None:
    order, n = np.argsort(rating_hash(3, ratings)), len(ratings)
    test, valid = n * 3 // 10, (n - n * 3 // 10) // 4
    split = RandomSplit(fraction=0.3, valid_fraction=0.25, seed=3).split(ratings)
    expected = [order[:test], order[test : test + valid], order[test + valid :]]
    assert parts_of(split) == [pairs_of(ratings, rows) for rows in expected]


@pytest.mark.parametrize("fold", [0, 1, 3])
def test_a_fold_takes_its_ranks_and_valid_the_smallest_other_hashes(ratings: Ratings, fold: int) -> None:
    order, n = np.argsort(rating_hash(3, ratings)), len(ratings)
    test = order[fold * n // 4 : (fold + 1) * n // 4]
    rest = np.setdiff1d(np.arange(n), test)
    rest = rest[np.argsort(rating_hash(3, ratings, stream=2)[rest])]
    split = KFold(folds=4, fold=fold, valid_fraction=0.2, seed=3).split(ratings)
    expected = [test, rest[: rest.size // 5], rest[rest.size // 5 :]]
    assert parts_of(split) == [pairs_of(ratings, rows) for rows in expected]


def test_stratified_takes_the_largest_hashes_of_each_item(ratings: Ratings) -> None:
    hashes, parts = rating_hash(3, ratings), [[], [], []]  # type: ignore[var-annotated]
    for item in range(ratings.n_items):
        rows = np.flatnonzero(ratings.items == item)
        rows = rows[np.argsort(hashes[rows])][::-1]
        test = rows.size * 3 // 10
        valid = (rows.size - test) // 4
        for part, some in zip(parts, (rows[:test], rows[test : test + valid], rows[test + valid :]), strict=True):
            part.extend(some.tolist())
    split = ItemStratifiedSplit(fraction=0.3, valid_fraction=0.25, seed=3).split(ratings)
    assert parts_of(split) == [pairs_of(ratings, rows) for rows in parts]


def test_cold_items_are_those_of_the_smallest_hashes(ratings: Ratings) -> None:
    order = np.argsort([hashed(3, mixed(item)) for item in ratings.catalogue.item_ids.tolist()])
    split = ColdItemsSplit(fraction=0.3, valid_fraction=0.25, seed=3).split(ratings)
    expected = [order[:4], order[4:6], order[6:]]  # of 15 items
    assert parts_of(split) == [pairs_of(ratings, np.isin(ratings.items, items)) for items in expected]
