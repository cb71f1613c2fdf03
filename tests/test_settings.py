import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx.errors import SettingError
from mfx.settings import Bounds, Component, check_names, setting, settings_of, tunable


@dataclass(kw_only=True)
class Demo(Component):
    rate: float = tunable(0.1, low=0.001, high=1.0, log=True, gt=0)
    size: int = setting(3, ge=1, le=9)
    kind: str = setting("a", choices=("a", "b"))
    flag: bool = setting(True)
    names: list[str] = setting(["x"])
    limit: int | None = setting(None)


def test_settings_are_listed_in_order_with_bounds():
    found = settings_of(Demo)
    assert list(found) == ["rate", "size", "kind", "flag", "names", "limit"]
    assert found["rate"].bounds.tunable
    assert (found["rate"].bounds.low, found["rate"].bounds.high, found["rate"].bounds.log) == (0.001, 1.0, True)
    assert not found["size"].bounds.tunable
    assert [found[name].type_name for name in ("rate", "names", "limit")] == ["float", "list[str]", "int | None"]


def test_settings_make_an_equal_component():
    demo = Demo(rate=0.5, size=2, names=["y"])
    assert Demo(**demo.settings()) == demo


def test_list_defaults_are_not_shared():
    first = Demo()
    first.names.append("y")
    assert Demo().names == ["x"]


def test_whole_numbers_become_floats():
    rate = Demo(rate=1).rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("given_", "part"),
    [
        ({"rate": 0.0}, "rate=0.0 must be above 0"),
        ({"rate": math.nan}, "rate=nan must be a finite number"),
        ({"limit": 2**63}, "must fit into 64 bits"),
        ({"limit": -(10**400)}, "must fit into 64 bits"),
        ({"rate": math.inf}, "rate=inf must be a finite number"),
        ({"rate": "abc"}, "rate='abc' must be of type float"),
        ({"size": 0}, "size=0 must be at least 1"),
        ({"size": 10}, "size=10 must be at most 9"),
        ({"size": 2.5}, "size=2.5 must be of type int"),
        ({"size": True}, "size=True must be of type int"),
        ({"kind": "c"}, "kind='c' must be one of a, b"),
        ({"flag": 1}, "flag=1 must be of type bool"),
        ({"names": 5}, "names=5 must be of type list[str]"),
        ({"names": "xy"}, "names='xy' must be of type list[str]"),
    ],
)
def test_values_out_of_bounds_are_refused(given_, part):
    with pytest.raises(SettingError) as caught:
        Demo(**given_)
    assert part in str(caught.value)


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(-5, 0), st.floats(0, 5))
def test_bounds_hold_exactly(value, low, high):
    inside = math.isfinite(value) and low <= value < high
    assert (Bounds(ge=low, lt=high).problem(value) is None) == inside


def test_unknown_names_are_refused():
    with pytest.raises(SettingError, match=r"model 'demo' has no setting 'siez'.*Did you mean 'size'"):
        check_names(Demo, {"siez": 1}, "model 'demo'")


def test_every_setting_needs_a_default():
    @dataclass(kw_only=True)
    class Without(Component):
        size: int

    with pytest.raises(SettingError, match=r"'size'.*has no default"):
        settings_of(Without)
    with pytest.raises(SettingError, match="is not a dataclass"):
        settings_of(int)


def test_a_subclass_with_settings_needs_the_decorator_too():
    class Forgotten(Demo):
        more: int = setting(1)

    class Without(Demo):
        unit: ClassVar[str] = "no setting"

    with pytest.raises(SettingError, match="Forgotten is not a dataclass"):
        settings_of(Forgotten)
    assert settings_of(Without) == settings_of(Demo)
