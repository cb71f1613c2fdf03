"""Who takes part: one line each. A further model of MFX is one more line and its name in `conf/experiment`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contestant:
    """A model in the tables.

    Attributes
    ----------
    label : str
        What the tables call it.
    model : str
        Name of the component; peers are those of `peers.py`.
    module, package : str or None
        What a peer imports, and the distribution that brings it; None for MFX's own.
    tuned : bool
        Whether its search ranges are searched; if not, it stays at its defaults.
    settings : mapping
        Settings that are not searched, in place of the defaults.
    """

    label: str
    model: str
    module: str | None = None
    package: str | None = None
    tuned: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


FACTORS = {"factors": 64}
"""Rankings are compared at one number of factors: the default of `bpr`."""

DRAWS = {"factors": 16, "epochs": 60, "sweeps": 5}
"""Samplers are compared at one number of draws. Of ratings alone: what `bayes_mf` makes of those that myFM sees."""

CONTESTANTS: Sequence[Contestant] = (
    Contestant("bias", "bias"),
    Contestant("als", "als"),
    Contestant("genre_als", "genre_als"),
    Contestant("bayes_mf", "bayes_mf"),
    Contestant("Surprise SVD", "surprise_svd", "surprise", "scikit-surprise"),
    Contestant("Surprise SVD++", "surprise_svdpp", "surprise", "scikit-surprise"),
    Contestant("cmfrec", "cmfrec", "cmfrec", "cmfrec"),
    Contestant("myFM", "myfm", "myfm", "myfm"),
    Contestant("bayes_mf at 300 draws", "bayes_mf", tuned=False, settings=DRAWS),
    Contestant(
        "bayes_mf at 300 draws of ratings alone",
        "bayes_mf",
        tuned=False,
        settings={**DRAWS, "item_features": ["constant", "count", "rated"]},
    ),
    Contestant(
        "bayes_mf at 300 draws, no features, one noise",
        "bayes_mf",
        tuned=False,
        settings={**DRAWS, "item_features": ["constant"], "user_features": ["constant"], "user_noise": False},
    ),
    Contestant("myFM at 300 draws", "myfm", "myfm", "myfm", tuned=False, settings={"factors": 16, "samples": 300}),
    Contestant("popularity", "popularity", tuned=False),
    Contestant("bpr at its defaults", "bpr", tuned=False),
    Contestant("bpr", "bpr", settings=FACTORS),
    Contestant("implicit BPR", "implicit_bpr", "implicit", "implicit", settings=FACTORS),
    Contestant("implicit ALS", "implicit_als", "implicit", "implicit", settings=FACTORS),
    Contestant("Cornac BPR", "cornac_bpr", "cornac", "cornac", settings=FACTORS),
)


def named(labels: Iterable[str]) -> list[Contestant]:
    """Return the contestants with these labels or names of components, in the order of the tables.

    Raises
    ------
    SystemExit
        If there is no such contestant.
    """
    wanted = set(labels)
    unknown = wanted - {one.label for one in CONTESTANTS} - {one.model for one in CONTESTANTS}
    if unknown:
        known = ", ".join(dict.fromkeys(one.model for one in CONTESTANTS))
        raise SystemExit(f"leaderboard: there is no contestant called {', '.join(sorted(unknown))}. Known: {known}.")
    return [one for one in CONTESTANTS if {one.label, one.model} & wanted]


def missing(contestants: Iterable[Contestant]) -> dict[str, str]:
    """Return why contestants cannot take part, by label: their package is not installed, or cannot be imported."""
    reasons: dict[str, str] = {}
    tried: dict[str, str] = {}
    for one in contestants:
        if one.module is None:
            continue
        if one.module not in tried:
            command = [sys.executable, "-W", "ignore", "-c", f"import {one.module}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            tried[one.module] = done.stderr.strip().splitlines()[-1] if done.returncode else ""
        if tried[one.module]:
            reasons[one.label] = f"{one.package} cannot be imported ({tried[one.module]})"
    return reasons
