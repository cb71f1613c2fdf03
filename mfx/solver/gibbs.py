"""Draws of Gibbs sampling for matrix factorisation: rows, the map of their features, precisions, and noise.

The model behind them, for the rows w = (factors, bias) of one side with features g:

    rating ~ N(prediction, 1 / (noise_precision * weight))
    w_j ~ N(g . W_j, 1 / precision_j)                 precision_j ~ Gamma(SHAPE, RATE)
    W_gj ~ N(0, 1 / (strength_b precision_j))         strength_b ~ Gamma(SHAPE, RATE)        feature g in block b

so that every conditional distribution is a known one (Salakhutdinov and Mnih 2008, "Bayesian probabilistic matrix
factorization using Markov chain Monte Carlo"; Simm et al. 2017, "Macau", for the map). Precisions are drawn column by
column, and strengths block by block: features that say nothing of the rows are shrunk away. The weight is that of the
user who rates, Gamma(DEGREES / 2, DEGREES / 2): some people are easier to foresee than others (Lakshminarayanan,
Bouchard and Archambeau 2011, "Robust Bayesian matrix factorisation").

All functions draw from a generator of the caller's, in an order that no number of threads changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, PointerArray
from mfx.solver.feature_map import single_threaded_blas
from mfx.solver.layout import SparseRows
from mfx.solver.least_squares import Prior, Ridge, solve_rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SHAPE, RATE = 1.0, 1.0
"""Prior of precisions: as much as two observations, of squares that add up to 2, would say."""
DEGREES = 8.0
"""Degrees of freedom of the users' weights; from 2 to 10 they make no difference on MovieLens."""
_NO_RIDGE = Ridge(0.0, 0.0)


@dataclass(eq=False)
class RowPrior:
    """The normal distribution that one side's rows come from; it is drawn like they are.

    Attributes
    ----------
    features : scipy.sparse.csr_array, shape (rows, features)
        Features of the rows.
    feature_map : float64 array, shape (features, factors + 1)
        W: the rows' means are ``features @ feature_map``.
    precisions : float64 array, shape (factors + 1,)
        Precision of each column.
    blocks : sequence of slice
        Columns of `features` that belong together; they cover all.
    strengths : float64 array, shape (blocks,)
        Precision of each block's part of the map around zero, in units of `precisions`.
    overlap : float64 array, shape (features, features), optional
        ``features.T @ features``; only draws of the prior need it.
    """

    features: csr_array
    feature_map: DoubleArray
    precisions: DoubleArray
    blocks: Sequence[slice]
    strengths: DoubleArray
    overlap: DoubleArray | None = None

    def __post_init__(self) -> None:
        self.centres: DoubleArray = self.features @ self.feature_map

    def draw(self, table: FloatArray, generator: np.random.Generator) -> None:
        """Replace map, precisions and strengths by a draw given the rows."""
        if self.overlap is None:
            self.overlap = (self.features.T @ self.features).toarray()
        of_features = np.repeat(self.strengths, [block.stop - block.start for block in self.blocks])
        self.feature_map = draw_map(self.features, self.overlap, table, self.precisions, of_features, generator)
        self.centres = self.features @ self.feature_map
        pulled = np.sqrt(of_features)[:, None] * self.feature_map
        self.precisions = draw_precisions(table - self.centres, pulled, generator)
        self.strengths = draw_strengths(self.feature_map, self.precisions, self.blocks, generator)


def draw_rows(
    rows: SparseRows,
    other: FloatArray,
    out: FloatArray,
    prior: RowPrior,
    noise_precision: float,
    generator: np.random.Generator,
    *,
    offset: float = 0.0,
    weights: FloatArray | None = None,
) -> DoubleArray:
    """Draw every row of one side given the other.

    Parameters
    ----------
    rows : SparseRows
        Ratings; columns index the rows of `other`.
    other : float32 array, shape (columns, factors + 1)
        The other side's table.
    out : float32 array, shape (rows, factors + 1)
        This side's table, overwritten by the draw.
    prior : RowPrior
        What the rows come from.
    noise_precision : float
        Precision of a rating of weight 1.
    generator : numpy.random.Generator
        Where random numbers come from.
    offset : float
        Constant part of every prediction.
    weights : float32 array, shape (entries,), optional
        What the precision of each rating is multiplied by; by default 1.

    Returns
    -------
    float64 array, shape (rows,)
        Sum of each row's squared errors at the draw, times their weights.
    """
    noise = generator.standard_normal(out.shape, dtype=np.float32)
    noise *= np.float32(noise_precision**-0.5)
    pull = _pull(prior, noise_precision)
    minima = solve_rows(rows, other, out, _NO_RIDGE, offset=offset, prior=pull, confidence=weights, noise=noise)
    # At the minimum plus the solution of U w = z the objective is z . z above it, U being the matrix's factor.
    objectives = minima + np.einsum("ij,ij->i", noise, noise, dtype=np.float64)
    far = out - pull.centres
    squared: DoubleArray = objectives - np.einsum("ij,ij,j->i", far, far, pull.weights, dtype=np.float64)
    return np.maximum(squared, 0.0)


def mean_rows(
    rows: SparseRows,
    other: FloatArray,
    prior: RowPrior,
    noise_precision: float,
    *,
    offset: float = 0.0,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Return the means of what `draw_rows` draws from; float32, shape (rows, factors + 1)."""
    out = np.empty(prior.centres.shape, dtype=np.float32)
    pull = _pull(prior, noise_precision)
    solve_rows(rows, other, out, _NO_RIDGE, offset=offset, prior=pull, confidence=weights)
    return out


def _pull(prior: RowPrior, noise_precision: float) -> Prior:
    return Prior(prior.centres.astype(np.float32), (prior.precisions / noise_precision).astype(np.float32))


def draw_map(
    features: csr_array,
    overlap: DoubleArray,
    table: FloatArray,
    precisions: DoubleArray,
    strengths: DoubleArray,
    generator: np.random.Generator,
) -> DoubleArray:
    """Draw the map W of one side's features given its rows.

    Parameters
    ----------
    features : scipy.sparse.csr_array, shape (rows, features)
        Features of the rows.
    overlap : float64 array, shape (features, features)
        ``features.T @ features``.
    table : float32 array, shape (rows, factors + 1)
        The rows.
    precisions : float64 array, shape (factors + 1,)
        Precision of each column of the rows around their centres.
    strengths : float64 array, shape (features,)
        Prior precision of each feature's row of the map around zero, in units of `precisions`.
    generator : numpy.random.Generator
        Where random numbers come from.

    Returns
    -------
    float64 array, shape (features, factors + 1)
    """
    from scipy.linalg import cho_solve, cholesky, solve_triangular

    products: DoubleArray = features.T @ table.astype(np.float64)
    spread = generator.standard_normal(products.shape) / np.sqrt(precisions)
    with single_threaded_blas():
        factor = cholesky(overlap + np.diag(strengths), lower=True, check_finite=False)
        mean = cho_solve((factor, True), products, check_finite=False)
        drawn: DoubleArray = mean + solve_triangular(factor, spread, lower=True, trans="T", check_finite=False)
    return drawn


def draw_precisions(deviations: DoubleArray, feature_map: DoubleArray, generator: np.random.Generator) -> DoubleArray:
    """Draw the precision of each column given how far rows are from their centres, and the map.

    Parameters
    ----------
    deviations : float64 array, shape (rows, factors + 1)
        Rows minus centres.
    feature_map : float64 array, shape (features, factors + 1)
        The map W, each row times the root of its feature's strength.
    generator : numpy.random.Generator
        Where random numbers come from.

    Returns
    -------
    float64 array, shape (factors + 1,)
    """
    squares = np.square(deviations).sum(axis=0) + np.square(feature_map).sum(axis=0)
    number = len(deviations) + len(feature_map)
    drawn: DoubleArray = generator.standard_gamma(SHAPE + 0.5 * number, squares.size) / (RATE + 0.5 * squares)
    return drawn


def draw_strengths(
    feature_map: DoubleArray, precisions: DoubleArray, blocks: Sequence[slice], generator: np.random.Generator
) -> DoubleArray:
    """Draw how strongly each block's part of the map is pulled to zero, in units of the precisions.

    Parameters
    ----------
    feature_map : float64 array, shape (features, factors + 1)
        The map W.
    precisions : float64 array, shape (factors + 1,)
        Precision of each column.
    blocks : sequence of slice
        Rows of the map that belong together.
    generator : numpy.random.Generator
        Where random numbers come from.

    Returns
    -------
    float64 array, shape (blocks,)
    """
    squares = np.square(feature_map) @ precisions
    sizes = np.array([block.stop - block.start for block in blocks]) * precisions.size
    sums = np.array([squares[block].sum() for block in blocks])
    drawn: DoubleArray = generator.standard_gamma(SHAPE + 0.5 * sizes) / (RATE + 0.5 * sums)
    return drawn


def draw_noise_precision(squared: float, n_ratings: int, generator: np.random.Generator) -> float:
    """Draw the precision of the ratings given the sum of their squared errors, each times its weight."""
    return float(generator.standard_gamma(SHAPE + 0.5 * n_ratings) / (RATE + 0.5 * squared))


def draw_weights(
    squared: DoubleArray, counts: PointerArray, noise_precision: float, generator: np.random.Generator
) -> DoubleArray:
    """Draw the weight of each user's ratings.

    Parameters
    ----------
    squared : float64 array, shape (users,)
        Sum of the squared errors of each user's ratings, at weight 1.
    counts : int64 array, shape (users,)
        Number of their ratings.
    noise_precision : float
        Precision of a rating of weight 1.
    generator : numpy.random.Generator
        Where random numbers come from.

    Returns
    -------
    float64 array, shape (users,)
    """
    shapes = 0.5 * (DEGREES + counts)
    drawn: DoubleArray = generator.standard_gamma(shapes) / _rate_of_weights(squared, noise_precision)
    return drawn


def mean_weights(squared: DoubleArray, counts: PointerArray, noise_precision: float) -> DoubleArray:
    """Return the means of what `draw_weights` draws from."""
    return 0.5 * (DEGREES + counts) / _rate_of_weights(squared, noise_precision)


def _rate_of_weights(squared: DoubleArray, noise_precision: float) -> DoubleArray:
    return 0.5 * (DEGREES + noise_precision * squared)
