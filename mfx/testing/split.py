"""Laws of splitters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx.errors import SplitError
from mfx.interfaces import AnyArray, Catalogue, Ratings, Split
from mfx.split.audit import audit
from mfx.testing.component import ComponentContract, fresh, untouched_generators

Row = tuple[int, int, float, int | None]
RawRow = tuple[str, str, float, int | None]


class SplitContract(ComponentContract):
    """The laws of splitters. Override the fixture `component` with one that returns your splitter.

    What the splitter itself declares is read off it: ``leaves_aside`` and ``leak_free`` (see `mfx.Splitter`).

    Attributes
    ----------
    moved_by_one : int or None
        How many other ratings may change parts, at most, for each rating that is added to the data: 2 where test and
        valid are cut off a list in which each rating has a place of its own. None: the rule promises no bound.
    moves : {"ratings", "items"}
        What `moved_by_one` counts: ratings; or items, for rules that give each item whole to one part, for each item
        that is added.
    """

    kind = "split"
    moved_by_one: ClassVar[int | None] = None
    moves: ClassVar[str] = "ratings"

    @pytest.fixture
    def columns(self) -> tuple[Any, ...]:
        """Return raw columns: users, items, values, timestamps that often coincide.

        Some pairs repeat, and one row does. For a rule that refuses these, override the fixture by distinct pairs.
        """
        rng = np.random.default_rng(0)
        users, items = np.nonzero(rng.random((24, 20)) < 0.6)
        users, items = (np.concatenate([one, one[:6], one[:1]]) for one in (users, items))
        values, times = rng.integers(1, 6, users.size).astype(float), rng.integers(0, 60, users.size)
        values[-1], times[-1] = values[0], times[0]
        return users, items, values, times

    @pytest.fixture
    def ratings(self, columns: tuple[Any, ...]) -> Ratings:
        """Return the ratings to divide; two users and one item of the catalogue have none."""
        return _ratings(columns)

    @pytest.fixture
    def split(self, component: Any, ratings: Ratings) -> Split:
        """Return the parts."""
        divided: Split = component.split(ratings)
        return divided

    def test_parts_are_disjoint(self, split: Split, ratings: Ratings) -> None:
        """No rating is in two parts, or twice in one: equal ones are in the parts as often as they were given."""
        given, together = Counter(_rows(ratings)), Counter(_all_rows(split))
        assert not [row for row in given if together[row] > given[row]], "a rating is in two parts, or twice in one"

    def test_parts_hold_nothing_but_the_ratings(self, split: Split, ratings: Ratings) -> None:
        """Every rating of every part is one of the ratings, unchanged."""
        assert set(_all_rows(split)) <= set(_rows(ratings)), "a part holds a rating that was not given"

    def test_parts_are_complete(self, component: Any, split: Split, ratings: Ratings) -> None:
        """Every rating is in a part."""
        if getattr(component, "leaves_aside", False):
            pytest.skip("the splitter declares leaves_aside")
        given, together = Counter(_rows(ratings)), Counter(_all_rows(split))
        assert not [row for row in given if together[row] < given[row]], "a rating is in no part"

    def test_parts_share_the_catalogue(self, split: Split, ratings: Ratings) -> None:
        """Indices mean the same users and items in every part, and the scale is that of the ratings."""
        for part in _parts(split):
            assert part.catalogue is ratings.catalogue
            assert part.scale == ratings.scale

    def test_the_unit_of_time_is_passed_on(self, component: Any, ratings: Ratings, split: Split) -> None:
        """Ratings whose timestamps count milliseconds fall into the same parts, whose timestamps count them too."""
        if component.split(ratings).fingerprint != split.fingerprint:
            pytest.skip("a second split differs in any case: see test_the_same_settings_give_the_same_parts")
        for part, other in zip(_parts(component.split(replace(ratings, time_unit="ms"))), _parts(split), strict=True):
            assert part.time_unit == "ms", "the time_unit of the ratings is lost"
            assert _rows(part) == _rows(other), "the unit of time changes the parts"

    def test_train_and_test_are_not_empty(self, split: Split) -> None:
        """There is something to learn from and something to score; valid may be empty on purpose."""
        assert len(split.train) > 0, "train is empty"
        assert len(split.test) > 0, "test is empty"

    def test_the_order_of_rows_does_not_matter(
        self, component: Any, ratings: Ratings, split: Split, columns: tuple[Any, ...]
    ) -> None:
        """The same ratings read in another order fall into the same parts."""
        _skip_if_another(component, ratings, split)
        order = np.random.default_rng(1).permutation(columns[0].size)
        again = component.split(_ratings(tuple(column[order] for column in columns)))
        assert again.fingerprint == split.fingerprint

    def test_titles_and_what_nobody_rated_do_not_matter(
        self, component: Any, ratings: Ratings, split: Split, columns: tuple[Any, ...]
    ) -> None:
        """The same ratings with titles, and with more users and items in the catalogue, fall into the same parts."""
        _skip_if_another(component, ratings, split, columns)
        more = Catalogue(np.arange(-7, 60), np.arange(-5, 80), titles=np.array([f"Title {n}" for n in range(85)]))
        again = component.split(_ratings(columns, more))
        assert _parts_of_rows(again) == _parts_of_rows(split)

    def test_the_way_ids_are_stored_does_not_matter(
        self, component: Any, ratings: Ratings, split: Split, columns: tuple[Any, ...]
    ) -> None:
        """The same ids in fewer bits, or read as text, fall into the same parts."""
        _skip_if_another(component, ratings, split, columns)
        users, items, *rest = columns
        for kind in (np.int32, np.str_):
            catalogue = Catalogue(np.unique(np.arange(26).astype(kind)), np.unique(np.arange(21).astype(kind)))
            again = component.split(_ratings((users.astype(kind), items.astype(kind), *rest), catalogue))
            assert _parts_of_rows(again) == _parts_of_rows(split), (
                f"ids stored as {kind.__name__} are divided in another way"
            )

    def test_added_ratings_move_few_others(
        self, component: Any, ratings: Ratings, split: Split, columns: tuple[Any, ...]
    ) -> None:
        """More ratings, of old and new users and items, change the parts of no more others than `moved_by_one` says."""
        if self.moved_by_one is None:
            pytest.skip("moved_by_one is not declared")
        _skip_if_another(component, ratings, split, columns)
        everybody, rng = Catalogue(np.arange(40), np.arange(40)), np.random.default_rng(2)
        before = component.split(_ratings(columns, everybody))
        free = np.setdiff1d(np.arange(1600), columns[0] * 40 + columns[1])
        for count in (1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 5, 9):
            pairs = rng.choice(free, count, replace=False)
            new = pairs // 40, pairs % 40, rng.integers(1, 6, count).astype(float), rng.integers(0, 60, count)
            both = tuple(np.concatenate([old, more]) for old, more in zip(columns, new, strict=True))
            after = component.split(_ratings(both, everybody))
            if self.moves == "items":
                count = len(set((pairs % 40).tolist()) - set(columns[1].tolist()))
                moved = len(_items_with_parts(before) - _items_with_parts(after))
            else:
                moved = (_parts_of_rows(before) - _parts_of_rows(after)).total()
            assert moved <= self.moved_by_one * count, f"{count} more {self.moves} moved {moved} others"

    def test_the_same_settings_give_the_same_parts(self, component: Any, ratings: Ratings, split: Split) -> None:
        """A second splitter with the same settings divides alike, and so does the first one when asked again."""
        assert fresh(component).split(ratings).fingerprint == split.fingerprint
        assert component.split(ratings).fingerprint == split.fingerprint

    def test_global_generators_are_left_alone(self, component: Any, ratings: Ratings) -> None:
        """Splitting neither draws from nor seeds the global generators of numpy and Python."""
        with untouched_generators():
            component.split(ratings)

    def test_the_seed_decides(self, component: Any, ratings: Ratings) -> None:
        """Another seed gives other parts."""
        settings = component.settings()
        if "seed" not in settings:
            pytest.skip("it has no seed")
        found = {
            type(component)(**{**settings, "seed": settings["seed"] + n}).split(ratings).fingerprint for n in range(4)
        }
        assert len(found) > 1, "four seeds gave the same parts"

    def test_splitting_leaves_the_ratings_alone(self, component: Any, ratings: Ratings) -> None:
        """No array of the ratings is written to."""
        before = _rows(ratings)
        component.split(ratings)
        assert _rows(ratings) == before

    def test_held_out_ratings_are_not_older_than_history(self, component: Any, split: Split) -> None:
        """What is held out was given after what is learned from, as far as `leak_free` promises."""
        promised = _promise_of(component)
        what = "history" if promised == "global" else "user_history"
        numbers = audit(split)
        for part in ("valid", "test"):
            assert numbers.get(f"{part}_older_than_{what}", 0.0) == 0.0, f"{part} holds ratings older than {what}"

    def test_missing_timestamps_are_refused(self, component: Any, columns: tuple[Any, ...]) -> None:
        """Where time is promised to matter, ratings without timestamps are a SplitError."""
        _promise_of(component)
        with pytest.raises(SplitError):
            component.split(_ratings(columns[:3]))

    def test_nothing_to_split_is_refused(self, component: Any, ratings: Ratings) -> None:
        """No ratings are a SplitError."""
        with pytest.raises(SplitError):
            component.split(ratings.take(np.zeros(len(ratings), dtype=np.bool_)))

    def test_the_rule_is_one_line(self, split: Split) -> None:
        """`Split.rule` tells people in one line how the parts were made."""
        assert split.rule.strip()
        assert "\n" not in split.rule


def _ratings(columns: tuple[Any, ...], catalogue: Catalogue | None = None) -> Ratings:
    known = catalogue or Catalogue(np.arange(26), np.arange(21))
    return Ratings.from_columns(*columns, catalogue=known, name="contract")


def _skip_if_another(component: Any, ratings: Ratings, split: Split, columns: tuple[Any, ...] | None = None) -> None:
    """Skip where the same ratings, or equal ones made of the columns, are divided in another way in any case."""
    if component.split(ratings).fingerprint != split.fingerprint:
        pytest.skip("a second split differs in any case: see test_the_same_settings_give_the_same_parts")
    if columns is not None and component.split(_ratings(columns)).fingerprint != split.fingerprint:
        pytest.skip("equal ratings are divided in another way: see test_the_order_of_rows_does_not_matter")


def _promise_of(component: Any) -> str:
    promised = str(getattr(component, "leak_free", "none"))
    if promised == "none":
        pytest.skip("the splitter does not declare leak_free")
    return promised


def _parts(split: Split) -> tuple[Ratings, Ratings, Ratings]:
    return split.train, split.valid, split.test


def _all_rows(split: Split) -> list[Row]:
    return [row for part in _parts(split) for row in _rows(part)]


def _rows(part: Ratings) -> list[Row]:
    return _zipped(part, part.users, part.items)


def _zipped(part: Ratings, users: AnyArray, items: AnyArray) -> list[Any]:
    times = [None] * len(part) if part.timestamps is None else part.timestamps.tolist()
    return list(zip(users.tolist(), items.tolist(), part.values.tolist(), times, strict=True))


def _raw(ids: AnyArray, index: AnyArray) -> AnyArray:
    named: AnyArray = np.array([str(one) for one in ids.tolist()], dtype=object)[index]
    return named


def _parts_of_rows(split: Split) -> Counter[tuple[RawRow, int]]:
    """Count the rows of each part, with raw ids as text."""
    ids = split.train.catalogue
    rows: Iterable[tuple[RawRow, int]] = (
        (row, number)
        for number, part in enumerate(_parts(split))
        for row in _zipped(part, _raw(ids.user_ids, part.users), _raw(ids.item_ids, part.items))
    )
    return Counter(rows)


def _items_with_parts(split: Split) -> set[tuple[str, int]]:
    return {(row[1], number) for row, number in _parts_of_rows(split)}
