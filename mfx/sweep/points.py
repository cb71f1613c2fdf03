"""Which points are tried: pure functions of the space, the seed and what was found so far."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mfx.sweep.space import Dimension, Point, Value

ATTEMPTS = 200
"""Draws of one point before what is left of a small space is listed."""
NARROWEST, WIDEST = 0.05, 0.25
"""Least and greatest half width of a grid, as a share of the range on its own scale."""


@dataclass(frozen=True)
class Grid:
    """The second stage.

    Attributes
    ----------
    over : list of str
        Names of the settings that it is over.
    axes : dict of str to list
        Values along each of them, those of the best point included.
    points : list of Point
        Points that were not tried before, nearest to the centre first.
    """

    over: list[str]
    axes: dict[str, list[Value]]
    points: list[Point]


def identity(space: Sequence[Dimension], point: Point) -> tuple[Value, ...]:
    """Return what makes two points the same."""
    return tuple(point[dimension.name] for dimension in space)


def random_points(space: Sequence[Dimension], seed: int, count: int) -> list[Point]:
    """Return the defaults and up to `count` random points, all distinct; fewer when the space has no more.

    Point i depends on the space, the seed and i only: a longer list begins with the shorter one.
    """
    points: list[Point] = [{dimension.name: dimension.default for dimension in space}]
    taken = {identity(space, points[0])}
    for index in range(1, count + 1):
        point = _fresh(space, seed, index, taken)
        if point is None:
            break
        points.append(point)
        taken.add(identity(space, point))
    return points


def _fresh(space: Sequence[Dimension], seed: int, index: int, taken: set[tuple[Value, ...]]) -> Point | None:
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, index, attempt])
        point = {dimension.name: dimension.draw(rng) for dimension in space}
        if identity(space, point) not in taken:
            return point
    if not math.isfinite(math.prod(dimension.size for dimension in space)):
        return None
    left = [one for one in itertools.product(*(dimension.values() for dimension in space)) if one not in taken]
    if not left:
        return None
    chosen = left[int(np.random.default_rng([seed, index]).integers(len(left)))]
    return {dimension.name: value for dimension, value in zip(space, chosen, strict=True)}


def most_important(
    space: Sequence[Dimension], importances: Mapping[str, float], wanted: Sequence[str] | None
) -> list[str]:
    """Choose the settings that a grid is over: those wanted, otherwise the two most important, ties by name."""
    if wanted is not None:
        return list(wanted)
    searched = [dimension.name for dimension in space if dimension.size > 1]
    return sorted(searched, key=lambda name: (-importances.get(name, 0.0), name))[:2]


def grid(
    space: Sequence[Dimension],
    ranked: Sequence[Point],
    tried: Sequence[Point],
    over: Sequence[str],
    *,
    points: int,
    at_most: int,
    best_few: int,
) -> Grid:
    """Lay a grid around the best point.

    Along each setting it reaches as far as the best few lie from the best on average, at least 5 % and at most 25 %
    of the range, on the setting's own scale, and stays inside the range. The best point is one of its points.

    Parameters
    ----------
    ranked : sequence of Point
        What was found, best first.
    tried : sequence of Point
        Points that are left out.
    over : sequence of str
        Settings that vary; all others stay as in the best point.
    points, at_most : int
        Points per setting, and altogether.
    best_few : int
        How many of `ranked` give the width.
    """
    best = ranked[0]
    by_name = {dimension.name: dimension for dimension in space}
    counts = dict.fromkeys(over, points)
    while True:
        axes = {name: _axis(by_name[name], ranked[:best_few], counts[name]) for name in over}
        if math.prod(map(len, axes.values())) <= at_most:
            break
        longest = max(over, key=lambda name: (len(axes[name]), name))
        counts[longest] = min(counts[longest], len(axes[longest])) - 1
    taken = {identity(space, point) for point in tried}
    made = [best | dict(zip(over, values, strict=True)) for values in itertools.product(*axes.values())]
    fresh = [point for point in made if identity(space, point) not in taken]
    fresh.sort(key=lambda point: sum(_distance(by_name[name], point[name], best[name]) for name in over))
    return Grid(list(over), axes, fresh)


def _axis(dimension: Dimension, few: Sequence[Point], count: int) -> list[Value]:
    best = few[0][dimension.name]
    if dimension.kind == "choice":
        others = [choice for choice in dimension.choices if choice != best]
        return [best, *others][:count]
    centre = dimension.place(best)
    distances = [abs(dimension.place(point[dimension.name]) - centre) for point in few[1:]]
    half = min(max(sum(distances) / len(distances) if distances else 0.0, NARROWEST), WIDEST)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    below = _points_below(centre - low, high - centre, count)
    # Two even runs of places that meet in the centre: the best value itself, not what a place rounds to.
    lower = [dimension.at(float(place)) for place in np.linspace(low, centre, below + 1)[:-1]]
    upper = [dimension.at(float(place)) for place in np.linspace(centre, high, count - below)[1:]]
    return list(dict.fromkeys([*lower, best, *upper]))


def _points_below(below: float, above: float, count: int) -> int:
    """Return how many of `count` points lie below the centre of a range that reaches so far to either side of it."""
    if count == 1:
        return 0
    fewest, most = int(below > 0 and count > 2), count - 1 - int(above > 0 and count > 2)
    return min(max(round((count - 1) * below / (below + above)), fewest), most)


def _distance(dimension: Dimension, one: Value, other: Value) -> float:
    if dimension.kind == "choice":
        return 0.0 if one == other else 1.0
    return (dimension.place(one) - dimension.place(other)) ** 2
