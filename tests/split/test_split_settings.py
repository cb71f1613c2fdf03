"""Settings of splitters: their defaults, and where they end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mfx.errors import SettingError, SplitError
from mfx.interfaces import Ratings
from mfx.split.cold_items import ColdItemsSplit
from mfx.split.global_temporal import GlobalTemporalSplit
from mfx.split.item_stratified import ItemStratifiedSplit
from mfx.split.kfold import KFold
from mfx.split.leave_last_out import LeaveLastOut
from mfx.split.random import RandomSplit
from mfx.split.temporal import TemporalSplit

SHARES = {"fraction": 0.2, "valid_fraction": 0.1}
DEFAULTS: dict[Any, dict[str, Any]] = {
    RandomSplit: {**SHARES, "seed": 42},
    TemporalSplit: SHARES,
    LeaveLastOut: {"count": 1, "valid_count": 1},
    GlobalTemporalSplit: SHARES,
    ItemStratifiedSplit: {**SHARES, "seed": 42},
    KFold: {"folds": 5, "fold": 0, "valid_fraction": 0.1, "seed": 42},
    ColdItemsSplit: {**SHARES, "seed": 42},
}


NAMES = {
    RandomSplit: "random",
    TemporalSplit: "temporal",
    LeaveLastOut: "leave_last_out",
    GlobalTemporalSplit: "global_temporal",
    ItemStratifiedSplit: "item_stratified",
    KFold: "kfold",
    ColdItemsSplit: "cold_items",
}


@pytest.mark.parametrize("kind", NAMES)
def test_errors_name_the_split_and_advise(kind: Any) -> None:
    name = NAMES[kind]
    one = Ratings.from_columns([1], [1], [3], [4], name="tiny")
    with pytest.raises(SplitError, match=f"split '{name}': the data set 'tiny' has no ratings"):
        kind().split(one.take(np.zeros(1, dtype=np.bool_)))
    with pytest.raises(SplitError, match=f"split '{name}'.*") as caught:
        kind().split(one)
    assert caught.value.hint
    if kind is not GlobalTemporalSplit:
        assert f"split '{name}' of 1 ratings of 'tiny': the test part is empty" in str(caught.value)
    if kind is LeaveLastOut:
        return
    many = Ratings.from_columns(np.repeat([1, 2], 5), np.tile(range(5), 2), np.ones(10), range(10), name="few")
    small = {"valid_fraction": 0.01, **({} if kind is KFold else {"fraction": 0.5})}
    with pytest.raises(SplitError, match=f"split '{name}' of 10 ratings of 'few': the valid part is empty") as caught:
        kind(**small).split(many)
    assert "split.valid_fraction=0" in caught.value.hint


def test_leaving_the_last_out_says_what_users_lack() -> None:
    alone = Ratings.from_columns([1, 2], [1, 2], [3, 3], [4, 5])
    with pytest.raises(SplitError, match="the test part is empty") as caught:
        LeaveLastOut().split(alone)
    assert "No user has two ratings" in caught.value.hint
    pair = Ratings.from_columns([1, 1], [1, 2], [3, 3], [4, 5])
    with pytest.raises(SplitError, match=r"'leave_last_out'.*the valid part is empty") as caught:
        LeaveLastOut().split(pair)
    assert "split.valid_count=0" in caught.value.hint
    assert len(LeaveLastOut(valid_count=0).split(pair).test) == 1


@pytest.mark.parametrize("kind", DEFAULTS)
def test_defaults_and_bounds(kind: Any) -> None:
    assert kind().settings() == DEFAULTS[kind]
    allowed = {
        "fraction": (1e-9, 0.999),
        "valid_fraction": (0.0, 0.999),
        "seed": (0,),
        "count": (1,),
        "valid_count": (0,),
    }
    refused = {
        "fraction": (0.0, 1.0, float("nan")),
        "valid_fraction": (-1e-9, 1.0, 1.5),
        "seed": (-1,),
        "count": (0,),
        "valid_count": (-1,),
    }
    allowed |= {"folds": (2,), "fold": (0, 4)}
    refused |= {"folds": (1, 0), "fold": (-1, 5, 6)}
    for name in DEFAULTS[kind]:
        for value in allowed[name]:
            assert getattr(kind(**{name: value}), name) == value
        for value in refused[name]:
            with pytest.raises(SettingError, match=f"{kind.__name__}.{name}={value}"):
                kind(**{name: value})


def test_which_splits_can_be_made_of_parts() -> None:
    """By whole users, or by a key of each rating; an engine reads that where no process holds all ratings."""
    found = {name: getattr(kind, "divides", None) for kind, name in NAMES.items()}
    assert {name: how for name, how in found.items() if how} == {
        "random": "keys",
        "temporal": "users",
        "leave_last_out": "users",
    }
