"""Laws of splitters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx.errors import SplitError
from mfx.interfaces import Catalogue, Ratings, Split
from mfx.split.audit import audit
from mfx.testing.component import ComponentContract, fresh, untouched_generators

Row = tuple[int, int, float, int | None]


class SplitContract(ComponentContract):
    """The laws of splitters. Override the fixture `component` with one that returns your splitter.

    Attributes
    ----------
    sets_aside : bool
        Whether some ratings may end up in no part, by the rule of the splitter.
    leak_free : {"none", "user", "global"}
        What is promised about time: nothing; that no rating in a user's held-out part is older than that user's
        history; or than anybody's. With a promise, timestamps are needed.
    """

    kind = "split"
    sets_aside: ClassVar[bool] = False
    leak_free: ClassVar[str] = "none"

    @pytest.fixture
    def columns(self) -> tuple[Any, ...]:
        """Return raw columns: users, items, values, timestamps that often coincide; distinct pairs."""
        rng = np.random.default_rng(0)
        users, items = np.nonzero(rng.random((24, 20)) < 0.6)
        return users, items, rng.integers(1, 6, users.size).astype(float), rng.integers(0, 60, users.size)

    @pytest.fixture
    def ratings(self, columns: tuple[Any, ...]) -> Ratings:
        """Return the ratings to divide; two users and one item of the catalogue have none."""
        return _ratings(columns)

    @pytest.fixture
    def split(self, component: Any, ratings: Ratings) -> Split:
        """Return the parts."""
        divided: Split = component.split(ratings)
        return divided

    def test_parts_are_disjoint(self, split: Split) -> None:
        """No rating is in two parts."""
        together = [row for part in _parts(split) for row in _rows(part)]
        assert len(together) == len(set(together)), "a rating is in two parts"

    def test_parts_hold_nothing_but_the_ratings(self, split: Split, ratings: Ratings) -> None:
        """Every rating of every part is one of the ratings, unchanged."""
        together = {row for part in _parts(split) for row in _rows(part)}
        assert together <= set(_rows(ratings)), "a part holds a rating that was not given"

    def test_parts_are_complete(self, split: Split, ratings: Ratings) -> None:
        """Every rating is in a part."""
        if self.sets_aside:
            pytest.skip("sets_aside is declared")
        together = {row for part in _parts(split) for row in _rows(part)}
        assert together >= set(_rows(ratings)), "a rating is in no part"

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
        if component.split(ratings).fingerprint != split.fingerprint:
            pytest.skip("a second split differs in any case: see test_the_same_settings_give_the_same_parts")
        order = np.random.default_rng(1).permutation(columns[0].size)
        again = component.split(_ratings(tuple(column[order] for column in columns)))
        assert again.fingerprint == split.fingerprint

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

    def test_held_out_ratings_are_not_older_than_history(self, split: Split) -> None:
        """What is held out was given after what is learned from, as far as `leak_free` promises."""
        if self.leak_free == "none":
            pytest.skip("leak_free is not declared")
        what = "history" if self.leak_free == "global" else "user_history"
        numbers = audit(split)
        for part in ("valid", "test"):
            assert numbers.get(f"{part}_older_than_{what}", 0.0) == 0.0, f"{part} holds ratings older than {what}"

    def test_missing_timestamps_are_refused(self, component: Any, ratings: Ratings) -> None:
        """Where time is promised to matter, ratings without timestamps are a SplitError."""
        if self.leak_free == "none":
            pytest.skip("leak_free is not declared")
        with pytest.raises(SplitError):
            component.split(replace(ratings, timestamps=None))

    def test_nothing_to_split_is_refused(self, component: Any, ratings: Ratings) -> None:
        """No ratings are a SplitError."""
        with pytest.raises(SplitError):
            component.split(ratings.take(np.zeros(len(ratings), dtype=np.bool_)))

    def test_the_rule_is_one_line(self, split: Split) -> None:
        """`Split.rule` tells people in one line how the parts were made."""
        assert split.rule.strip()
        assert "\n" not in split.rule


def _ratings(columns: tuple[Any, ...]) -> Ratings:
    return Ratings.from_columns(*columns, catalogue=Catalogue(np.arange(26), np.arange(21)), name="contract")


def _parts(split: Split) -> tuple[Ratings, Ratings, Ratings]:
    return split.train, split.valid, split.test


def _rows(part: Ratings) -> list[Row]:
    times = [None] * len(part) if part.timestamps is None else part.timestamps.tolist()
    return list(zip(part.users.tolist(), part.items.tolist(), part.values.tolist(), times, strict=True))
