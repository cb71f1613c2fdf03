"""Settings of splitters: their defaults, and where they end."""

from __future__ import annotations

from typing import Any

import pytest

from mfx.errors import SettingError
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
