"""Draws depend on the seed and raw ids: what else is in the data, and how it is stored, moves next to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.data.table import Table
from mfx.interfaces import Catalogue, Ratings, Splitter
from mfx.split.cold_items import ColdItemsSplit
from mfx.split.global_temporal import GlobalTemporalSplit
from mfx.split.item_stratified import ItemStratifiedSplit
from mfx.split.kfold import KFold
from mfx.split.leave_last_out import LeaveLastOut
from mfx.split.predefined import PredefinedSplit
from mfx.split.random import RandomSplit
from mfx.split.temporal import TemporalSplit

MOVED_BY_ONE = {RandomSplit: 2, ItemStratifiedSplit: 2, KFold: 6}
ALL: list[Any] = [*MOVED_BY_ONE, ColdItemsSplit, TemporalSplit, LeaveLastOut, GlobalTemporalSplit]

Parts = dict[tuple[str, str], str]


def parts(splitter: Splitter, ratings: Ratings) -> Parts:
    """Name the part of each pair of raw ids, as text."""
    found, split, ids = {}, splitter.split(ratings), ratings.catalogue
    for name in ("train", "valid", "test"):
        part = getattr(split, name)
        pairs = zip(ids.user_ids[part.users].tolist(), ids.item_ids[part.items].tolist(), strict=True)
        found |= {(str(user), str(item)): name for user, item in pairs}
    return found


def moved(before: Parts, after: Parts) -> list[tuple[str, str]]:
    return [pair for pair in before if pair in after and before[pair] != after[pair]]


def drawn(size: int = 2000, seed: int = 0) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    pairs = rng.choice(100 * 90, size, replace=False)
    return pairs // 90 * 3, pairs % 90 * 7 - 50, rng.integers(1, 6, size), rng.integers(0, 40, size)


@pytest.mark.parametrize("kind", ALL)
def test_a_file_of_items_and_ids_read_as_text_move_nothing(kind: Any, tmp_path: Path) -> None:
    rows = zip(*(column.tolist() for column in drawn()), strict=True)
    lines = ["user_id,item_id,rating,timestamp", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    items = [f"{item},Film {item},Drama" for item in range(-300, 900)]
    (tmp_path / "i.csv").write_text("\n".join(["item_id,title,genres", *items]))
    plain, described = {"path": str(tmp_path / "r.csv")}, {"items_path": str(tmp_path / "i.csv")}
    text = {"user_ids": "text", "item_ids": "text"}
    expected = parts(kind(), Table(**plain).load())
    assert set(expected.values()) == {"train", "valid", "test"}
    for more in (described, text, described | text, {"user_ids": "text"}):
        assert parts(kind(), Table(**plain, **more).load()) == expected


@pytest.mark.parametrize("kind", [*ALL, PredefinedSplit])
def test_the_width_of_ids_the_order_of_rows_and_the_unrated_move_nothing(kind: Any, tmp_path: Path) -> None:
    users, items, values, times = drawn()
    if kind is PredefinedSplit:
        for name, rows in (("train", slice(None, -200)), ("test", slice(-200, None))):
            pairs = zip(users[rows].tolist(), items[rows].tolist(), strict=True)
            (tmp_path / name).write_text("".join(f"{user}\t{item}\n" for user, item in pairs))

        def splitter() -> Splitter:
            paths = {f"{name}_path": str(tmp_path / name) for name in ("train", "test")}
            return PredefinedSplit(**paths, columns=["user_id", "item_id"])
    else:
        splitter = kind
    expected = parts(splitter(), Ratings.from_columns(users, items, values, times))
    order = np.random.default_rng(1).permutation(users.size)
    everybody = np.arange(-70, 1000)
    for ids in (np.int32, np.int64, np.str_):
        catalogue = Catalogue(np.unique(everybody.astype(ids)), np.unique(everybody.astype(ids)))
        columns = users.astype(ids)[order], items.astype(ids)[order], values[order], times[order]
        assert parts(splitter(), Ratings.from_columns(*columns)) == expected
        assert parts(splitter(), Ratings.from_columns(*columns, catalogue=catalogue)) == expected


@pytest.mark.parametrize("kind", MOVED_BY_ONE)
@given(seed=st.integers(0, 2**32), item=st.integers(-60, 700), added=st.integers(1, 5))
@settings(max_examples=15)
def test_added_ratings_move_few_others(kind: Any, seed: int, item: int, added: int) -> None:
    users, items, values, times = drawn(500, seed)
    splitter = kind(seed=seed, valid_fraction=0.4)
    before = parts(splitter, Ratings.from_columns(users, items, values, times))
    new = 301 + np.arange(added), np.full(added, item), np.ones(added), np.zeros(added, np.int64)
    columns = (np.concatenate(pair) for pair in zip((users, items, values, times), new, strict=True))
    found = moved(before, parts(splitter, Ratings.from_columns(*columns)))
    assert len(found) <= MOVED_BY_ONE[kind] * added
    if kind is ItemStratifiedSplit:
        assert {other for _, other in found} <= {str(item)}


@given(seed=st.integers(0, 2**32), added=st.integers(1, 5))
@settings(max_examples=15)
def test_added_items_move_few_other_items_and_added_ratings_none(seed: int, added: int) -> None:
    users, items, values, times = drawn(500, seed)
    splitter = ColdItemsSplit(seed=seed)
    before = parts(splitter, Ratings.from_columns(users, items, values, times))
    for new, most in ((-1000 + np.arange(added), 2 * added), (np.full(added, items[0]), 0)):
        more = (301 + np.arange(added), new, np.ones(added), np.zeros(added, np.int64))
        columns = (np.concatenate(pair) for pair in zip((users, items, values, times), more, strict=True))
        found = moved(before, parts(splitter, Ratings.from_columns(*columns)))
        assert len({item for _, item in found}) <= most


def test_another_spelling_is_another_id_and_a_repeat_is_known_by_its_place() -> None:
    users, items, values, times = drawn()
    plain = parts(RandomSplit(), Ratings.from_columns(users, items, values, times))
    spelled = parts(RandomSplit(), Ratings.from_columns([f"0{user}" for user in users], items, values, times))
    same = sum(spelled[f"0{user}", item] == part for (user, item), part in plain.items())
    assert same < 0.7 * len(plain)  # by chance .72² + .08² + .2² = .56 of the ratings are in the same part

    def of_repeats(rows: list[tuple[int, int, int, int]]) -> list[tuple[int, ...]]:
        test = RandomSplit(fraction=0.5).split(Ratings.from_columns(*zip(*rows, strict=True))).test
        assert test.timestamps is not None
        return list(zip(test.users.tolist(), test.timestamps.tolist(), test.values.tolist(), strict=True))

    rows = [(user, 5, 1 + time % 5, time) for user in range(9) for time in range(6)]
    expected = of_repeats(rows)
    assert of_repeats(rows[::-1]) == expected
    assert {time for _, time, _ in expected} == set(range(6)), "rows of one pair are drawn one by one"
