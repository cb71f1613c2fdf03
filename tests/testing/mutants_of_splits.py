"""A sound splitter, and one broken copy of it for each law; see test_mutants.py, which runs this file.

A class `Test_<law>` must fail the test `test_<law>` and no other.
"""

import inspect
from dataclasses import dataclass, replace

import numpy as np
import pytest

import mfx
from mfx.testing import SplitContract


def asked_by(law):
    return f"test_{law}" in {frame.function for frame in inspect.stack()}


@dataclass(kw_only=True)
class Sound(mfx.Component):
    """Cuts time at a share of the ratings; the seed decides which of the latest ratings are valid."""

    name = "sound"
    share: float = mfx.setting(0.5, gt=0.0, lt=1.0)
    seed: int = mfx.setting(1, ge=0)

    def split(self, ratings):
        self.check(ratings)
        order = np.lexsort((np.arange(len(ratings)), ratings.timestamps))
        cut = ratings.timestamps[order[int(self.share * len(ratings))]]
        train = ratings.timestamps < cut
        valid = ~train & (ratings.timestamps < cut + 4 + self.seed % 3)
        return self.build(ratings, train, valid, ~train & ~valid)

    def check(self, ratings):
        if not len(ratings):
            raise mfx.SplitError("There is nothing to split.")
        if ratings.timestamps is None:
            raise mfx.SplitError("There are no timestamps.")

    def build(self, ratings, train, valid, test):
        return mfx.Split(ratings.take(train), ratings.take(valid), ratings.take(test), "by time")


class Contract(SplitContract):
    leak_free = "global"
    split_class = Sound

    @pytest.fixture
    def component(self):
        return self.split_class()


class TestSound(Contract):
    pass


def mutant(law, **declared):
    def decorate(cls):
        cls = dataclass(kw_only=True)(cls)
        name = f"Test_{law}"
        globals()[name] = type(name, (Contract,), {"split_class": cls, "__module__": __name__, **declared})
        return cls

    return decorate


@mutant("settings_round_trip")
class Doubles(Sound):
    note: float = mfx.setting(1.0)

    def __post_init__(self):
        super().__post_init__()
        self.note = self.note * 2


@mutant("settings_can_be_composed")
class Uncomposable(Sound):
    shape: complex = mfx.setting(1j)


@mutant("settings_out_of_bounds_are_refused")
class Unchecked(Sound):
    def __post_init__(self):
        pass


@mutant("it_is_of_its_kind")
@dataclass(kw_only=True)
class Liar(mfx.Component):
    """Answers to `split` without having it."""

    share: float = mfx.setting(0.5, gt=0.0, lt=1.0)
    seed: int = mfx.setting(1, ge=0)

    def __getattr__(self, name):
        if name != "split":
            raise AttributeError(name)
        return Sound(share=self.share, seed=self.seed).split


@mutant("parts_are_disjoint")
class Overlaps(Sound):
    def build(self, ratings, train, valid, test):
        return super().build(
            ratings, train, valid, test | (valid & (ratings.timestamps == ratings.timestamps[valid].max()))
        )


@mutant("parts_hold_nothing_but_the_ratings", sets_aside=True)
class Invents(Sound):
    def build(self, ratings, train, valid, test):
        made = super().build(ratings, train, valid, test)
        return replace(made, test=replace(made.test, values=made.test.values + np.float32(1)))


@mutant("parts_are_complete")
class Loses(Sound):
    def build(self, ratings, train, valid, test):
        return super().build(ratings, train & (ratings.timestamps > 3), valid, test)


@mutant("parts_share_the_catalogue")
class Renames(Sound):
    def build(self, ratings, train, valid, test):
        made = super().build(ratings, train, valid, test)
        return replace(made, valid=replace(made.valid, scale=mfx.RatingScale(0, 9)))


@mutant("train_and_test_are_not_empty")
class Empty(Sound):
    def build(self, ratings, train, valid, test):
        return super().build(ratings, np.zeros_like(train), train | valid, test)


@mutant("the_order_of_rows_does_not_matter")
class ByArrival(Sound):
    """Ratings are in canonical order, so only a splitter that looks beyond them can break this law."""

    calls = 0

    def build(self, ratings, train, valid, test):
        if asked_by("the_order_of_rows_does_not_matter"):
            valid, test = valid & (ratings.items != 3), test | (valid & (ratings.items == 3))
        return super().build(ratings, train, valid, test)


@mutant("the_same_settings_give_the_same_parts")
class Counts(Sound):
    def build(self, ratings, train, valid, test):
        self.calls_ = getattr(self, "calls_", 0) + 1
        if asked_by("the_same_settings_give_the_same_parts"):
            late = test & (ratings.items == self.calls_)
            valid, test = valid | late, test & ~late
        return super().build(ratings, train, valid, test)


@mutant("global_generators_are_left_alone")
class Draws(Sound):
    def check(self, ratings):
        super().check(ratings)
        np.random.random()  # noqa: NPY002 - the point of the mutant


@mutant("the_seed_decides")
class Unseeded(Sound):
    def split(self, ratings):
        kept, self.seed = self.seed, 1
        try:
            return super().split(ratings)
        finally:
            self.seed = kept


@mutant("splitting_leaves_the_ratings_alone")
class Writes(Sound):
    def build(self, ratings, train, valid, test):
        made = super().build(ratings, train, valid, test)
        if asked_by("splitting_leaves_the_ratings_alone"):
            ratings.values[0] += 1
        return made


@mutant("held_out_ratings_are_not_older_than_history")
class Leaks(Sound):
    def build(self, ratings, train, valid, test):
        return super().build(ratings, train & (ratings.timestamps != 5), valid, test | (ratings.timestamps == 5))


@mutant("missing_timestamps_are_refused")
class Timeless(Sound):
    def check(self, ratings):
        if not len(ratings):
            raise mfx.SplitError("There is nothing to split.")

    def split(self, ratings):
        if ratings.timestamps is None:
            ratings = replace(ratings, timestamps=np.arange(len(ratings)))
        return super().split(ratings)


@mutant("nothing_to_split_is_refused")
class Silent(Sound):
    def split(self, ratings):
        return super().split(ratings) if len(ratings) else mfx.Split(ratings, ratings, ratings, "nothing")


@mutant("the_rule_is_one_line")
class Chatty(Sound):
    def build(self, ratings, train, valid, test):
        return replace(super().build(ratings, train, valid, test), rule="by\ntime")
