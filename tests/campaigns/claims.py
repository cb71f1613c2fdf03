"""How often `mfx compare` claims a difference between models that are equal, and between models that are not.

    python tests/campaigns/claims.py [comparisons=1000] [seed=0]

simulates comparisons of two models on all of test and on 24 slices, tests them as `mfx compare` does, and counts the
comparisons with a claim. A shape is a number of fits a side and a kind of ratings; it fails with more claims than 99 %
of fair tests at level .05 make (66 of 1,000). Beside it stands the share of claims where one model is better, so
that a test which never claims is seen. Results go to ``results/claims.json``.

What a user scores with a fit is a sum of draws with mean 0: the user's own, common to all fits; the user's with the
model, in all and on each slice; the luck of the fit, shared by all users, by those of each slice of users, and on each
slice of items; and noise of user and fit on each slice of items.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from campaign import arguments, keep, kept, when

from mfx.analysis.paired import PerUser, differences

FITS = ((2, 2), (3, 3), (5, 5), (10, 10))
ALL_FITS = ("plain", "little but luck", "one model without luck")
"""Kinds that are simulated with each number of fits; others with the fewest and the most."""
BETTER = 0.05
"""By how much a model is better where power is counted: five times the standard deviation of a fit's luck."""


@dataclass(frozen=True)
class Shape:
    """A kind of comparison.

    Attributes
    ----------
    fits : tuple of int
        How many of the one model and of the other.
    luck : tuple of float
        Standard deviation of what all users of a fit share, for the one model and for the other.
    taste, noise : float
        Standard deviations of a user with a model, and of a user with a fit.
    draws : {"normal", "heavy", "skewed"}
        Distribution of what belongs to users: normal; Student's t with 3 degrees of freedom; exponential.
    slices : int
        Number of slices of items, and of slices of users.
    root : bool
        Whether the metric is a root of squares over numbers of ratings, which are lognormal over users; else it is a
        mean over users, of whom two in five have no value on a slice of items.
    """

    fits: tuple[int, int] = (2, 2)
    users: int = 300
    luck: tuple[float, float] = (0.01, 0.01)
    taste: float = 0.1
    noise: float = 0.1
    draws: str = "normal"
    root: bool = False
    slices: int = 12


KINDS = {
    "plain": Shape(),
    "50 users": Shape(users=50),
    "2,000 users": Shape(users=2000),
    "rmse, few users with many ratings": Shape(root=True),
    "rmse, 50 users": Shape(root=True, users=50),
    "heavy tails": Shape(draws="heavy"),
    "skewed users": Shape(draws="skewed"),
    "hardly any luck": Shape(luck=(0.001, 0.001)),
    "little but luck": Shape(luck=(0.05, 0.05), taste=0.02, noise=0.02),
    "one model without luck": Shape(luck=(0.0, 0.02), taste=0.03, noise=0.03),
}


def shapes() -> Iterator[tuple[str, Shape]]:
    """Yield every shape and its name."""
    for name, shape in KINDS.items():
        for fits in FITS if name in ALL_FITS else FITS[:: len(FITS) - 1]:
            yield f"{name}, {fits[0]} and {fits[1]} fits", replace(shape, fits=fits)
    yield "plain, 2 and 10 fits", Shape(fits=(2, 10))
    yield "one model without luck, 10 and 2 fits", replace(KINDS["one model without luck"], fits=(10, 2))
    yield "no luck, 1 and 1 fits", Shape(fits=(1, 1), luck=(0.0, 0.0))


Tests = list[tuple[list[PerUser], list[PerUser]]]


def draw(rng: np.random.Generator, shape: Shape, better: float = 0.0) -> Tests:
    """Draw the fits of two models: on all of test, then on each slice.

    Parameters
    ----------
    better : float
        What the one model has beyond the other, on everything.
    """
    users, slices = shape.users, shape.slices

    def of_users(*size: int) -> Any:
        if shape.draws == "heavy":
            return rng.standard_t(3, size) / math.sqrt(3)
        return rng.exponential(size=size) - 1 if shape.draws == "skewed" else rng.standard_normal(size)

    if shape.root:
        counts = rng.poisson(0.3 * rng.lognormal(1.0, 1.0, (users, 1)), (users, slices)).astype(np.float64)
    else:
        counts = (rng.random((users, slices)) < 0.6).astype(np.float64)
    groups = rng.random((users, slices)) < 0.4
    common = of_users(users, 1)
    sides = []
    for fits, luck, shift in zip(shape.fits, shape.luck, (better, 0.0), strict=True):
        level = 1 + common * 0.2 + shape.taste * (of_users(users, 1) + of_users(users, slices)) + shift
        fitted = np.empty((fits, users, slices))
        for fit in fitted:
            of_fit = rng.standard_normal() + rng.standard_normal(slices)  # on all, on each slice of items
            of_groups = groups @ rng.standard_normal(slices) / math.sqrt(slices)
            fit[:] = level + luck * (of_fit + of_groups[:, None]) + shape.noise * rng.standard_normal((users, slices))
        sides.append(fitted * counts)
    # Which ratings of which users each test sees: all, those of some items, those of some users.
    cuts = [np.ones((users, slices)), *(np.tile(row, (users, 1)) for row in np.eye(slices))]
    cuts += [np.tile(column[:, None], (1, slices)) for column in groups.T]
    weights = [np.einsum("us,us->u", counts, cut) for cut in cuts]
    totals = [[np.einsum("fus,us->fu", side, cut) for cut in cuts] for side in sides]
    return [
        tuple([_per_user(fit, weight, shape.root) for fit in side] for side in pair)  # type: ignore[misc]
        for *pair, weight in zip(*totals, weights, strict=True)
    ]


def _per_user(totals: Any, weights: Any, root: bool) -> PerUser:
    if root:
        return PerUser(totals, weights, root=True)
    has = weights > 0
    means = np.divide(totals, weights, out=np.zeros_like(totals), where=has)
    return PerUser(means, has.astype(np.float64))


def claims(shape: Shape, comparisons: int, seed: int, better: float = 0.0) -> dict[str, float]:
    """Simulate comparisons.

    Returns
    -------
    dict
        ``whole`` and ``slices``: comparisons with a claim on all of test, and with one on any slice; ``found``: mean
        share of the slices with a right claim.
    """
    rng = np.random.default_rng(seed)
    whole = slices = found = 0.0
    for _ in range(comparisons):
        overall, *parts = draw(rng, shape, better)
        (first,) = differences([overall])
        tested = differences(parts)
        whole += first.certain
        slices += any(one.certain for one in tested)
        found += sum(one.certain and one.value > 0 for one in tested) / len(tested)
    return {"whole": int(whole), "slices": int(slices), "found": found / comparisons}


def allowed(comparisons: int) -> int:
    """Return how many claims a test of exactly the level .05 exceeds in one simulation of 100; 66 of 1,000."""
    from scipy.stats import binom

    return int(binom.ppf(0.99, comparisons, 0.05)) - 1


def lines(found: dict[str, Any]) -> list[str]:
    """Write the section of the page on reliability."""
    if not found:
        return []
    one = next(iter(found.values()))
    worst = max(max(shape["whole"], shape["slices"]) for shape in found.values())
    table = [
        f"| {name} | {shape['whole']} | {shape['slices']} | {shape['power']:.0%} | {shape['power on slices']:.0%} |"
        for name, shape in sorted(found.items(), key=lambda item: item[1]["place"])
    ]
    return [
        "## Claims",
        "",
        f"`python tests/campaigns/claims.py`: {one['comparisons']:,} simulated comparisons of equal models of each "
        f"shape, tested as `mfx compare` does, seed {one['seed']}. A test of exactly the level .05 makes more than "
        f"{allowed(one['comparisons'])} claims in one of 100 such simulations; most here: {worst}. Power is the share "
        "of claims where one model is better by .05, five times the standard deviation of what all users share of a "
        "fit where nothing else is said; on slices the mean share of the 24 that are found. " + when(one) + ".",
        "",
        "| shape | claims on all of test | with a claim on any of 24 slices | power on all of test | on slices |",
        "|---|---:|---:|---:|---:|",
        *table,
        "",
    ]


if __name__ == "__main__":
    chosen = arguments(comparisons=1000, seed=0)
    most, failed = allowed(chosen["comparisons"]), []
    for place, (name, shape) in enumerate(shapes()):
        began = time.monotonic()
        equal = claims(shape, **chosen)
        power = claims(shape, max(1, chosen["comparisons"] // 5), chosen["seed"], BETTER)
        told = {
            "place": place, "whole": equal["whole"], "slices": equal["slices"], **chosen,
            "power": power["whole"] / max(1, chosen["comparisons"] // 5), "power on slices": power["found"],
        }  # fmt: skip
        keep("claims", {name: told})
        print(f"{name}: {told}, {time.monotonic() - began:.0f} s", flush=True)
        failed += [name] * (max(equal["whole"], equal["slices"]) > most)
    print("\n".join(lines(kept("claims"))))
    sys.exit(f"Too many claims: {'; '.join(failed)}" if failed else 0)
