"""Ratings that the models are tested on: those of the contract suites."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mfx.interfaces import Ratings
from mfx.testing import planted_ratings


@pytest.fixture
def planted() -> Ratings:
    return planted_ratings()


@pytest.fixture
def make_planted() -> Callable[..., Ratings]:
    return planted_ratings
