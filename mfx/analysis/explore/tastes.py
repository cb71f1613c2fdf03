"""What is liked: popularity against mean rating, densities of means, genres, tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mfx.analysis.explore.counts import top
from mfx.interfaces import BoolArray, Catalogue, DoubleArray, Features, IndexArray, PointerArray

PER_DECADE = 5
MEAN_CELLS = 45
FINE = 1024
GRID = 200
LEAST_MEANS = 5
"""Items that a density is drawn from at least."""


@dataclass(frozen=True, eq=False)
class Trend:
    """Mean ratings of items by their number of ratings.

    Attributes
    ----------
    edges : float64 array, shape (bins + 1,)
        Bounds of bins of equal width on the logarithmic scale; a bin holds its lower bound.
    items : int64 array, shape (bins,)
        Items in each bin.
    mean, low, high : float64 arrays, shape (bins,)
        Mean and quartiles (25 %, 75 %) of the items' mean ratings; NaN in a bin without items.
    heights : float64 array, shape (cells + 1,)
        Bounds of the cells along the rating scale.
    cells : int64 array, shape (bins, cells)
        Items by number of ratings and mean rating.
    """

    edges: DoubleArray
    items: PointerArray
    mean: DoubleArray
    low: DoubleArray
    high: DoubleArray
    heights: DoubleArray
    cells: PointerArray


def trend(counts: PointerArray, means: DoubleArray, low: float, high: float) -> Trend:
    """Put items into five bins per tenfold of their number of ratings.

    Parameters
    ----------
    counts, means : arrays, shape (items,)
        Ratings and mean rating of each item; items without ratings do not count.
    low, high : float
        Ends of the rating scale.
    """
    rated = counts > 0
    count, mean = counts[rated].astype(np.float64), means[rated]
    bins = int(np.floor(PER_DECADE * np.log10(count.max() + 1.0))) + 1
    # Rounded up to whole counts, so that no bin lies between two of them without being one of them.
    edges = np.unique(np.ceil(10.0 ** (np.arange(bins + 1) / PER_DECADE) - 1e-9))
    place = np.searchsorted(edges, count, side="right") - 1
    size = edges.size - 1
    high = high if high > low else low + 1.0  # everybody may have given the same rating
    heights = np.linspace(low, high, MEAN_CELLS + 1)
    level = np.clip(((mean - low) / (high - low) * MEAN_CELLS).astype(np.int64), 0, MEAN_CELLS - 1)
    cells = np.bincount(place * MEAN_CELLS + level, minlength=size * MEAN_CELLS).reshape(size, MEAN_CELLS)
    middle, lower, upper = (np.full(size, np.nan) for _ in range(3))
    for one in np.unique(place):
        inside = mean[place == one]
        middle[one] = inside.mean()
        lower[one], upper[one] = np.percentile(inside, (25, 75))
    return Trend(edges, np.bincount(place, minlength=size), middle, lower, upper, heights, cells)


@dataclass(frozen=True, eq=False)
class Density:
    """Kernel densities of the mean ratings of items.

    Attributes
    ----------
    grid : float64 array, shape (points,)
        Mean ratings.
    curves : mapping of str to float64 array, shape (points,)
        Density by group, per rating point.
    items : mapping of str to int
        Items behind each curve.
    """

    grid: DoubleArray
    curves: Mapping[str, DoubleArray]
    items: Mapping[str, int]


def densities(means: DoubleArray, groups: Mapping[str, BoolArray], low: float, high: float) -> Density:
    """Estimate the density of mean ratings in each group of items; every item counts once.

    Parameters
    ----------
    means : float64 array, shape (items,)
        NaN for items that do not count.
    groups : mapping of str to bool array, shape (items,)
        Members; groups with fewer than five different enough items are left out.
    low, high : float
        Ends of the grid: those of the rating scale.
    """
    grid = np.linspace(low, high, GRID)
    curves, sizes = {}, {}
    for name, members in groups.items():
        inside = means[members & np.isfinite(means)]
        if inside.size >= LEAST_MEANS and inside.std() > 0:
            curves[name] = density(inside, grid)
            sizes[name] = int(inside.size)
    return Density(grid, curves, sizes)


def density(values: DoubleArray, grid: DoubleArray) -> DoubleArray:
    """Estimate a density by Gaussian kernels of Scott's width, n^(-1/5) standard deviations.

    Values are first gathered in 1,024 bins, so the work hardly grows with them; a bin counts at the mean of its values.
    What that changes is far below what can be seen. Source: D. W. Scott, Multivariate Density Estimation, 1992; scipy's
    gaussian_kde is the same without bins.
    """
    low, span = values.min(), np.ptp(values)
    place = np.minimum(((values - low) / span * FINE).astype(np.int64), FINE - 1)
    counts = np.bincount(place, minlength=FINE)
    held = counts > 0
    counts, centres = counts[held], np.bincount(place, weights=values, minlength=FINE)[held] / counts[held]
    width = float(np.std(values, ddof=1)) * values.size ** (-0.2)
    kernels = np.exp(-0.5 * ((grid[:, None] - centres) / width) ** 2)
    found: DoubleArray = kernels @ counts / (values.size * width * np.sqrt(2 * np.pi))
    return found


def genres_of(catalogue: Catalogue) -> Features | None:
    """Return the genres of items, if the data set tells them."""
    genres = catalogue.item_features.get("genres")
    return genres if genres is not None and genres.names else None


def frequency(features: Features) -> PointerArray:
    """Count the items that carry each feature; int64, shape (features,)."""
    return np.bincount(features.indices, minlength=len(features.names)).astype(np.int64)


def members(features: Features, column: int) -> BoolArray:
    """Return which items carry a feature; bool, shape (items,)."""
    inside = np.zeros(len(features), np.bool_)
    inside[np.repeat(np.arange(len(features)), np.diff(features.indptr))[features.indices == column]] = True
    return inside


def together(features: Features, columns: IndexArray) -> DoubleArray:
    """Return P(B given A): the share of the items with A that carry B too; float64, A down and B across.

    Parameters
    ----------
    columns : int array
        Features to compare, in the order wanted.
    """
    carried = np.stack([members(features, int(column)) for column in columns]).astype(np.float64)
    both = carried @ carried.T
    size = np.diag(both)[:, None]
    shares = np.full(both.shape, np.nan)
    np.divide(both, size, out=shares, where=size > 0)
    return shares


def best_rated(counts: PointerArray, means: DoubleArray, least: int, k: int) -> IndexArray:
    """Return the `k` items with the highest mean among those with at least `least` ratings; ties by more ratings."""
    able = np.flatnonzero(counts >= max(least, 1))
    order = np.lexsort((able, -counts[able], -means[able]))
    return able[order[:k]].astype(np.int32)


def top_tags(catalogue: Catalogue, k: int) -> tuple[list[str], PointerArray] | None:
    """Return the `k` tags that were given most often, and how often; None where the data set has no tags."""
    tags = catalogue.item_features.get("tags")
    if tags is None or not tags.indices.size:
        return None
    weights = None if tags.weights is None else tags.weights.astype(np.float64)
    totals = np.bincount(tags.indices, weights=weights, minlength=len(tags.names)).round().astype(np.int64)
    chosen = top(totals, k)
    return [tags.names[column] for column in chosen], totals[chosen]
