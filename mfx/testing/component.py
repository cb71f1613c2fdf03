"""Laws of every component: its settings."""

from __future__ import annotations

import contextlib
import copy
import os
import random
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx import registry
from mfx.errors import MFXError
from mfx.settings import settings_of


class ComponentContract:
    """What every component promises; base of the suites of single kinds."""

    kind: ClassVar[str]

    @pytest.fixture
    def component(self) -> Any:
        """Return the component under test, not used yet; the author overrides this."""
        raise NotImplementedError("Override the fixture `component`: return your component, ready to use.")

    def test_settings_round_trip(self, component: Any) -> None:
        """Settings make an equal component again, and are plain values that a configuration can hold."""
        given = component.settings()
        again = type(component)(**copy.deepcopy(given))
        assert again.settings() == given, "a component made from the settings of another has other settings"
        type(component)()  # every setting has a default

    def test_settings_can_be_composed(self, component: Any) -> None:
        """Hydra can hold the settings: their types and defaults fit, and none is called ``name``."""
        from mfx.compose import nodes

        entry = registry.Entry(self.kind, getattr(type(component), "name", "mine"), type(component), "yours")
        nodes.typed(nodes.node_class(entry))

    def test_settings_out_of_bounds_are_refused(self, component: Any) -> None:
        """A value outside the declared bounds, or of another type, is a SettingError."""
        tried = 0
        for info in settings_of(type(component)).values():
            wrong = [value for value in _wrong_values(info.bounds) if info.bounds.problem(value)]
            wrong += ["text"] if info.type in (int, float, bool) else []
            for value in wrong:
                tried += 1
                with pytest.raises(MFXError):
                    type(component)(**{**component.settings(), info.name: value})
        if not tried:
            pytest.skip("no setting has a bound")

    def test_it_is_of_its_kind(self, component: Any) -> None:
        """The class has the methods and attributes of its kind."""
        registry.check_kind(registry.Entry(self.kind, "mine", type(component), "yours"))


def _wrong_values(bounds: Any) -> list[Any]:
    low = bounds.ge if bounds.ge is not None else bounds.gt
    high = bounds.le if bounds.le is not None else bounds.lt
    numbers = [] if low is None else [type(low)(low - 1)]
    numbers += [] if high is None else [type(high)(high + 1)]
    return [*numbers, *(["no such choice"] if bounds.choices else [])]


def fresh(component: Any) -> Any:
    """Make the component anew from its settings."""
    return type(component)(**copy.deepcopy(component.settings()))


@contextlib.contextmanager
def untouched_generators() -> Iterator[None]:
    """Fail if the block draws from, or seeds, the global generators of numpy or Python."""
    before = random.getstate(), np.random.get_state(legacy=True)  # noqa: NPY002 - to see that nobody uses it
    try:
        # From a state that no seed leads to, so that seeding is seen whatever the seed.
        random.seed(os.urandom(8))
        np.random.seed(random.getrandbits(32))  # noqa: NPY002
        asked = _next_numbers()
        random.setstate(asked[0])
        np.random.set_state(asked[1])  # noqa: NPY002
        yield
        assert _next_numbers()[2] == asked[2], "a global random generator was used; make one with default_rng(seed)"
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002


def _next_numbers() -> tuple[Any, Any, tuple[float, float]]:
    states = random.getstate(), np.random.get_state(legacy=True)  # noqa: NPY002
    return *states, (random.random(), float(np.random.random()))  # noqa: NPY002
