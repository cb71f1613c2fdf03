"""A sound data set, and one broken copy of it for each law; see test_mutants.py, which runs this file.

A class `Test_<law>` must fail the test `test_<law>` and no other.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import mfx
from mfx.testing import DatasetContract


@dataclass(kw_only=True)
class Sound(mfx.Component):
    """Sixty ratings from a formula."""

    users: int = mfx.setting(10, ge=2)

    def load(self):
        user, item = np.divmod(np.arange(6 * self.users), 6)
        values = (user * item) % 5 + 1.0
        scale = mfx.RatingScale(1.0, 5.0)
        return mfx.Ratings.from_columns(user, item, values, 10**9 + user, scale=scale, name="sound")


class Contract(DatasetContract):
    dataset_class = Sound

    @pytest.fixture
    def component(self):
        return self.dataset_class()


class TestSound(Contract):
    pass


def mutant(law):
    def decorate(cls):
        cls = dataclass(kw_only=True)(cls)
        name = f"Test_{law}"
        globals()[name] = type(name, (Contract,), {"dataset_class": cls, "__module__": __name__})
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
    """Answers to `load` without having it."""

    users: int = mfx.setting(10, ge=2)

    def __getattr__(self, name):
        if name != "load":
            raise AttributeError(name)
        return Sound(users=self.users).load


class Loaded(mfx.Ratings):
    """Passes for ratings where nobody asks."""


@mutant("it_loads_ratings")
class Other(Sound):
    def load(self):
        from types import SimpleNamespace

        made = super().load()
        names = [name for name in dir(made) if not name.startswith("_")]
        found = type("Found", (SimpleNamespace,), {"__len__": lambda self: len(self.users)})
        return found(**{name: getattr(made, name) for name in names})


@mutant("ratings_are_on_their_scale")
class OffScale(Sound):
    def load(self):
        return replace(super().load(), scale=mfx.RatingScale(2.0, 5.0))


@mutant("loading_again_gives_the_same_ratings")
class Grows(Sound):
    def load(self):
        self.loads_ = getattr(self, "loads_", 0) + 1
        made = super().load()
        import inspect

        names = {frame.function for frame in inspect.stack()}
        if "test_loading_again_gives_the_same_ratings" in names and self.loads_ > 1:
            return made.take(np.arange(len(made) - 1))
        return made


@mutant("loads_do_not_share_arrays")
class Shares(Sound):
    def load(self):
        if not hasattr(self, "kept_"):
            self.kept_ = super().load()
        return replace(self.kept_)


@mutant("global_generators_are_left_alone")
class Draws(Sound):
    def load(self):
        np.random.seed(self.users)  # noqa: NPY002 - the point of the mutant
        return super().load()


@mutant("everybody_in_the_catalogue_is_described")
class Lonely(Sound):
    def load(self):
        made = super().load()
        catalogue = mfx.Catalogue(np.arange(1000), made.catalogue.item_ids)
        return replace(made, catalogue=catalogue)


@mutant("it_has_a_name")
class Nameless(Sound):
    def load(self):
        return replace(super().load(), name=" ")


@mutant("timestamps_are_seconds")
class Milliseconds(Sound):
    def load(self):
        made = super().load()
        return replace(made, timestamps=made.timestamps * 1000)
