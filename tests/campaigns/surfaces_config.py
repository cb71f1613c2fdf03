"""Configurations: nodes as a file gives them, and overrides as they are typed."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from surfaces import Surface, checked

from mfx import compose, registry
from mfx.compose.nodes import GROUPS
from mfx.errors import MFXError
from mfx.models.early_stopping import EarlyStopping
from mfx.settings import settings_of

NAMES = {
    "dataset": ["movielens_demo", "grouplens", "table", "synthetic", "partitioned"],
    "split": [
        "temporal",
        "global_temporal",
        "random",
        "leave_last_out",
        "item_stratified",
        "cold_items",
        "kfold",
        "predefined",
    ],
    "model": ["popularity", "bias", "als", "genre_als", "bayes_mf", "bpr"],
    "engine": ["local", "ray"],
    "tracking": ["mlflow", "console"],
}
ROOT = (
    "seed",
    "refit",
    "figures",
    "objective",
    "metrics",
    "experiment_name",
    "run_name",
    "tags",
    "resume",
    "checkpoint_minutes",
)
NUMBERS = st.one_of(
    st.integers(-3, 40),
    st.sampled_from(
        [0, -1, 2**31, 2**63, 2**70, 0.0, -0.0, 0.5, 1.5, -2.5, 1e308, 5e-324, math.nan, math.inf, -math.inf]
    ),
)
WORDS = st.one_of(
    st.sampled_from(
        ["abc", "", "null", "20", "1e3", "true", "rmse", "ndcg@10", "ndcg@0", "ndcg@-1", "ndcg@1e9", "rmse@3", "@", "s"]
    ),
    st.sampled_from(
        [
            "${seed}",
            "${oc.env:HOME}",
            "${oc.env:NOT_THERE}",
            "${model.factors}",
            "${",
            "???",
            "{a: 1}",
            "[1,2]",
            "../..",
            "\n",
            "\0",
        ]
    ),
    st.sampled_from(
        [
            "sqlite:///x.db",
            "sqlite://",
            "http://",
            "http://host:port/",
            "postgresql://ann:secret@db/x",
            "file:///tmp",
            "ftp://x",
        ]
    ),
    st.text(max_size=6),
)
VALUES = st.one_of(
    NUMBERS,
    WORDS,
    st.booleans(),
    st.none(),
    st.lists(st.one_of(NUMBERS, WORDS), max_size=3),
    st.dictionaries(st.sampled_from(["a", "name", "_target_", "k", "enabled"]), st.one_of(NUMBERS, WORDS), max_size=2),
)


@functools.cache
def keys() -> list[tuple[str, ...]]:
    """List the places of settings: of components by group and name, of early stopping and of the whole."""
    found = [(name,) for name in ROOT]
    found += [("early_stopping", name) for name in settings_of(EarlyStopping)]
    found += [
        ("evaluation", name) for name in ("relevance_threshold", "ties", "candidates", "denominator", "ndcg", "wrong")
    ]
    for group, names in NAMES.items():
        found += [
            (group, name, setting) for name in names for setting in settings_of(registry.get(group, name).component)
        ]
        found += [(group, names[0], "name"), (group, names[-1], "wrong")]
    return found


@st.composite
def nodes(draw: Any) -> dict[str, Any]:
    """Draw a configuration with one to three strange values."""
    chosen = {group: {"name": draw(st.sampled_from(names))} for group, names in NAMES.items()}
    config: dict[str, Any] = {**chosen, "metrics": ["rmse"]}
    for _ in range(draw(st.integers(1, 3))):
        place, value = draw(st.sampled_from(keys())), draw(VALUES)
        if len(place) == 1:
            config[place[0]] = value
        elif len(place) == 2:
            config.setdefault(place[0], {})
            if isinstance(config[place[0]], dict):
                config[place[0]][place[1]] = value
        else:
            config[place[0]] = {"name": place[1], place[2]: value}
    return config


def try_node(config: dict[str, Any], folder: Path) -> str:
    """Build a plan; every number in it is what was asked for, and none of the components has one that is not finite."""
    try:
        plan = compose.build(config)
    except MFXError as error:
        return checked(error)
    return planned(plan, config)


def planned(plan: Any, asked: dict[str, Any]) -> str:
    """See that a plan is what was asked for."""
    chosen = (plan.dataset, plan.splitter, plan.model, plan.engine, plan.tracker)
    for group, component in zip(GROUPS, chosen, strict=True):
        made = {"name": type(component).name, **component.settings()}
        for name, value in made.items():
            assert not isinstance(value, float) or math.isfinite(value), f"{group}.{name}={value} was let through"
        for name, value in asked[group].items():
            if isinstance(value, int | float) and not isinstance(made[name], bool | str) and made[name] is not None:
                assert made[name] == value, f"{group}.{name}={value!r} became {made[name]!r}"
    assert plan.objective in plan.metrics
    assert isinstance(plan.config["seed"], int)
    return "right"


SYNTAX = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                "model.factors",
                "seed",
                "model",
                "split.fraction",
                "+x",
                "~model",
                "metrics",
                "tags.a",
                "hydra.run.dir",
                "model.reg",
            ]
        ),
        VALUES.map(str),
    ).map("=".join),
    st.tuples(st.sampled_from(["model", "split", "dataset", "tracking"]), st.text(max_size=8)).map("=".join),
    st.text(alphabet="abmodel.=[]{}(),:'\"\\$@+~ \n\t0", max_size=14),
    st.text(max_size=10),
)


def try_override(typed: list[str], folder: Path) -> str:
    """Compose what is typed, and build it."""
    try:
        plan = compose.build(compose.compose(typed))
    except MFXError as error:
        return checked(error)
    return planned(plan, {group: {} for group in GROUPS})


NODES = Surface("config", "configurations with strange values of every setting", nodes, try_node)
OVERRIDES = Surface(
    "overrides", "overrides as they are typed", lambda: st.lists(SYNTAX, min_size=1, max_size=2), try_override
)
