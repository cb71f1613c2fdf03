"""Whatever a splitter returns is checked: each rating in one part, none invented, none lost without being declared."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx.errors import SplitError
from mfx.interfaces import Ratings, Split
from mfx.split.audit import audit
from mfx.split.checks import divide, notes
from mfx.split.predefined import PredefinedSplit
from mfx.split.random import RandomSplit
from mfx.testing import planted_ratings


class Returns:
    """A splitter that returns what it was given."""

    name = "mine"

    def __init__(self, make: Any, **declared: Any) -> None:
        self.make = make
        self.__dict__.update(declared)

    def split(self, ratings: Ratings) -> Split:
        made: Split = self.make if isinstance(self.make, Split) else self.make(RandomSplit().split(ratings), ratings)
        return made


def some(ratings: Ratings, rows: Any) -> Ratings:
    """Take rows, each as often as it is named."""
    order = np.sort(np.asarray(rows, dtype=np.int64))
    times = None if ratings.timestamps is None else ratings.timestamps[order]
    users, items, values = (getattr(ratings, name)[order] for name in ("users", "items", "values"))
    return replace(ratings, users=users, items=items, values=values, timestamps=times)


@pytest.fixture
def ratings() -> Ratings:
    return planted_ratings()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda made, all_: replace(made, train=all_),
            r"^split 'mine': {valid:,} ratings of valid are in another part too, or twice in it, the first being user",
        ),
        (
            lambda made, all_: replace(made, valid=made.valid.take(np.zeros(0, np.int64)), train=all_),
            "{test:,} ratings",
        ),
        (lambda made, all_: replace(made, test=some(made.test, [0, 0, 1])), "1 ratings of test are in another"),
        (lambda made, all_: replace(made, test=made.test.take(np.arange(3))), "are in no part, the first being user"),
        (
            lambda made, all_: replace(made, test=replace(made.test, values=made.test.values + 10)),
            "{test:,} rows of test are none of the ratings",
        ),
        (
            lambda made, all_: replace(made, test=replace(made.test, catalogue=replace(all_.catalogue))),
            "test has another catalogue",
        ),
        (
            lambda made, all_: replace(made, train=replace(made.train, timestamps=None)),
            "train and the ratings do not both have timestamps",
        ),
    ],
)
def test_a_split_that_is_none_is_refused_with_number_and_example(make: Any, said: str, ratings: Ratings) -> None:
    sizes = {name: len(getattr(RandomSplit().split(ratings), name)) for name in ("valid", "test")}
    with pytest.raises(SplitError) as caught:
        divide(Returns(make), ratings)
    assert said.format(**sizes).replace("^", "") in caught.value.message
    assert "\n" not in str(caught.value)


def test_the_example_is_named_by_raw_ids() -> None:
    given = Ratings.from_columns(["ann", "bob", "bob"], [70, 70, 90], [1, 2, 3])
    leak = Split(given.take(np.array([0, 2])), given.take(np.array([1])), given.take(np.array([2])), "leaks")
    with pytest.raises(SplitError, match=r"1 ratings of test .*, the first being user bob, item 90"):
        divide(Returns(leak), given)
    lost = replace(leak, test=given.take(np.zeros(0, np.int64)), train=given.take(np.array([0])))
    with pytest.raises(SplitError, match="1 of 3 ratings are in no part, the first being user bob, item 90"):
        divide(Returns(lost), given)


def test_ratings_may_be_left_aside_where_the_splitter_says_so(ratings: Ratings) -> None:
    def make(made: Split, all_: Ratings) -> Split:
        return replace(made, valid=made.valid.take(np.arange(3)))

    expected = len(RandomSplit().split(ratings).valid) - 3
    splitter = Returns(make, leaves_aside=True)
    split = divide(splitter, ratings)
    assert split.aside == audit(split)["ratings_aside"] == expected
    assert notes(splitter, audit(split)) == [f"{expected} of {len(ratings):,} ratings are in no part of split 'mine'."]


ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 2), st.integers(0, 1)), min_size=1)


@given(ROWS, st.data())
def test_rows_are_compared_as_a_multiset(rows: list[tuple[int, ...]], data: st.DataObject) -> None:
    users, items, values, times = (np.array(column) for column in zip(*rows, strict=True))
    timed = data.draw(st.booleans())
    given_ = Ratings.from_columns(users, items, values, times if timed else None)
    picks = st.lists(st.integers(0, len(rows) - 1), max_size=len(rows))
    parts = [some(given_, data.draw(picks)) for _ in range(3)]
    if data.draw(st.booleans()):  # as a rule of random picks some row is taken twice
        labels = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))))
        parts = [given_.take(labels == part) for part in range(3)]

    def count(part: Ratings) -> Counter[Any]:
        time = np.zeros(len(part), np.int64) if part.timestamps is None else part.timestamps
        columns = (part.users, part.items, part.values, time)
        return Counter(zip(*(column.tolist() for column in columns), strict=True))

    held = count(parts[0]) + count(parts[1]) + count(parts[2])
    too_many, aside = (held - count(given_)).total(), (count(given_) - held).total()
    splitter = SimpleNamespace(split=lambda _: Split(*parts, "by hand"), leaves_aside=True)
    if too_many:
        with pytest.raises(SplitError, match="another part too, or twice"):
            divide(splitter, given_)
    else:
        assert divide(splitter, given_).aside == aside


def test_a_row_that_is_no_rating_is_told_from_one_that_is_taken_twice() -> None:
    given_ = Ratings.from_columns([1, 1, 1, 2], [5, 5, 6, 6], [1, 2, 3, 4], [7, 7, 8, 9])
    for change, said in (
        ({"values": [1, 1.5, 3, 4]}, "1 rows of train are none of the ratings, the first being user 1, item 5"),
        ({"timestamps": [7, 7, 8, 10]}, "1 rows of train are none of the ratings, the first being user 2, item 6"),
        (
            {"values": [2, 2, 3, 4]},
            "1 ratings of train are in another part too, or twice in it, the first being user 1",
        ),
    ):
        changed = {name: np.array(column, getattr(given_, name).dtype) for name, column in change.items()}
        train, nothing = replace(given_, **changed), given_.take(np.zeros(0, np.int64))
        with pytest.raises(SplitError, match=said):
            divide(Returns(Split(train, nothing, nothing, "by hand")), given_)


def test_pairs_that_repeat_and_ratings_older_than_history_are_told() -> None:
    given_ = Ratings.from_columns([1, 1, 1, 2], [5, 5, 6, 6], [1, 2, 3, 4], [7, 9, 8, 5])
    split = Split(*(given_.take(np.array([row, *more])) for row, more in ((1, [3]), (2, []), (0, []))), "by hand")
    repeated = "1 of 1 ratings of test are of a user and item that the history has too: the data repeat them."
    assert notes(Returns(None), audit(split)) == [repeated]
    own = "1 of 1 ratings of {} are older than the same user's history, though 'mine' goes by time."
    assert notes(Returns(None, leak_free="user"), audit(split)) == [own.format("valid"), repeated, own.format("test")]
    other = replace(split, test=given_.take(np.array([3])), train=given_.take(np.array([1])))
    assert notes(Returns(None, leak_free="user"), audit(other)) == [own.format("valid")]
    anybody = "1 of 1 ratings of {} are older than the history, though 'mine' goes by time."
    found = notes(Returns(None, leak_free="global"), audit(other))
    assert found == [anybody.format("valid"), anybody.format("test")]


def test_predefined_says_what_it_left_out(tmp_path: Any) -> None:
    given_ = Ratings.from_columns([1, 1, 2, 2, 3], [5, 6, 5, 6, 5], [1, 2, 3, 4, 5])
    (tmp_path / "a").write_text("1\t5\n1\t6\n9\t5\n")
    (tmp_path / "b").write_text("2\t5\n")
    paths = {"train_path": str(tmp_path / "a"), "test_path": str(tmp_path / "b")}
    choices = {"columns": ["user_id", "item_id"], "valid_fraction": 0.0, "unknown_rows": "drop"}
    splitter = PredefinedSplit(**paths, **choices, unlisted_rows="drop")
    assert divide(splitter, given_).aside == 2
    assert splitter.dropped_ == {
        "rating in no file (unlisted_rows=drop)": 2,
        "row not in the data (unknown_rows=drop)": 1,
    }
    assert not PredefinedSplit(**paths, **choices).leaves_aside


def test_ratings_that_repeat_a_pair_are_in_canonical_order() -> None:
    from mfx.errors import DataError

    given_ = Ratings.from_columns([1, 1], [5, 5], [1, 2], [7, 7])
    for change in ({"values": np.array([2, 1], np.float32)}, {"timestamps": np.array([8, 7])}):
        with pytest.raises(DataError, match="not ordered by timestamp and value"):
            replace(given_, **change)
