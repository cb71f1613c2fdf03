"""A sound metric, and one broken copy of it for each law; see test_mutants.py, which runs this file.

A class `Test_<law>` must fail the test `test_<law>` and no other.
"""

import inspect
from dataclasses import dataclass

import numpy as np
import pytest

import mfx
from mfx.testing import MetricContract


def asked_by(law):
    return f"test_{law}" in {frame.function for frame in inspect.stack()}


@dataclass(kw_only=True)
class Sound(mfx.Component):
    """Share of the first k places that hold relevant items."""

    needs = "lists"
    higher_is_better = True
    k: int = mfx.setting(3, ge=1)

    def per_user(self, outcome):
        return outcome.hits[:, : self.k].mean(axis=1)

    def value(self, outcome):
        return float(self.per_user(outcome).mean())


class Contract(MetricContract):
    metric_class = Sound

    @pytest.fixture
    def component(self):
        return self.metric_class()


class TestSound(Contract):
    pass


def mutant(law, **declared):
    def decorate(cls):
        cls = dataclass(kw_only=True)(cls)
        name = f"Test_{law}"
        globals()[name] = type(name, (Contract,), {"metric_class": cls, "__module__": __name__, **declared})
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
    """Has its `needs` and the like as instances only, where nobody looks for them."""

    k: int = mfx.setting(3, ge=1)

    def __getattr__(self, name):
        if name not in ("needs", "higher_is_better", "value", "per_user"):
            raise AttributeError(name)
        return getattr(Sound(k=self.k), name)


@mutant("values_are_within_bounds", perfect=2.0)
class Twice(Sound):
    def value(self, outcome):
        return 2 * super().value(outcome)


@mutant("a_perfect_model_gets_the_perfect_value", bounds=(0.0, 1.0))
class Never(Sound):
    def value(self, outcome):
        return 0.9 * super().value(outcome)


@mutant("the_worst_ranking_gets_the_worst_value")
class Kind(Sound):
    def value(self, outcome):
        return 0.1 + 0.9 * super().value(outcome)


@mutant("the_direction_is_the_declared_one")
class Upside(Sound):
    higher_is_better = False


@mutant("names_of_users_do_not_matter")
class Users(Sound):
    def value(self, outcome):
        value = super().value(outcome)
        return value if value in (0.0, 1.0) or np.isin(outcome.users, range(37)).all() else 0.99 * value


@mutant("names_of_items_do_not_matter")
class Items(Sound):
    def value(self, outcome):
        per_user = self.per_user(outcome)
        if 0 < per_user.mean() < 1:
            per_user = np.where(outcome.items[:, 0] < 30, per_user, 0.9 * per_user)
        return float(per_user.mean())


@mutant("the_same_outcome_has_the_same_value")
class Remembers(Sound):
    def value(self, outcome):
        self.calls_ = getattr(self, "calls_", 0) + 1
        value = super().value(outcome)
        return value if self.calls_ < 3 or value in (0.0, 1.0) else 0.99 * value


@mutant("values_of_users_are_one_a_user")
class Short(Sound):
    def per_user(self, outcome):
        return super().per_user(outcome)[:-1]

    def value(self, outcome):
        return float(super().per_user(outcome).mean())


@mutant("it_does_not_write_to_what_it_is_given")
class Writes(Sound):
    def value(self, outcome):
        value = super().value(outcome)
        outcome.ratings[0, 0] += 1
        return value
