"""Row solves: for every row of one side, the ridge regression on the other side's rows that it was rated with.

Each side is a *table* of parameters, float32 of shape (rows, factors + 1): factors first, bias last. For a row with
observed targets y and the other side's rows X the solve minimises, over w = (factors, bias),

    sum_n (y_n - offset - other_bias_n - x_n . w[:-1] - w[-1])**2 + sum_j penalty_j (w_j - prior_j)**2

jointly in factors and bias. The gathered rows carry two more columns, the constant 1 and the target, so that one
symmetric matrix holds Gram, right-hand side and squared targets; eliminating its last column by Cholesky leaves the
minimum of the objective in the corner, for free.

Every row is solved by one thread from start to end, so results do not depend on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.jit import kernel
from mfx.solver.layout import SparseRows, balanced_blocks

_CHUNK = 128
"""Ratings gathered at a time: with 16 columns of float32 the buffer is 8 KB and stays in the first-level cache."""

_NO_PRIOR = np.zeros((0, 0), dtype=np.float32)
_NO_GRAMS = np.zeros((0, 0, 0), dtype=np.float64)
_NO_FEATURES = (np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))


@dataclass(frozen=True)
class Ridge:
    """The penalty of a row solve.

    Attributes
    ----------
    factors, bias : float
        Weights of the squared factors and of the squared bias.
    per_count : bool
        Whether the weights are multiplied by the row's number of ratings (ALS-WR, Zhou et al. 2008).
    with_bias : bool
        Whether the row has a bias at all; without, it is exactly 0.
    """

    factors: float
    bias: float
    per_count: bool = False
    with_bias: bool = True

    def weights(self, n_factors: int) -> FloatArray:
        """Return the penalty of each column of a table, float32, shape (factors + 1,)."""
        weights = np.full(n_factors + 1, self.factors, dtype=np.float32)
        weights[-1] = self.bias if self.with_bias else 1.0
        return weights


@dataclass(frozen=True, eq=False)
class Prior:
    """Where the penalty pulls the rows: ``weight * (w - centre)**2`` on top of the ridge.

    Attributes
    ----------
    centres : float32 array, shape (rows, factors + 1)
        Prior mean of every row.
    weights : float32 array, shape (factors + 1,)
        Strength in each column; 0 leaves a column alone.
    """

    centres: FloatArray
    weights: FloatArray


def solve_rows(
    rows: SparseRows,
    other: FloatArray,
    out: FloatArray,
    ridge: Ridge,
    *,
    offset: float = 0.0,
    prior: Prior | None = None,
) -> DoubleArray:
    """Solve every row given the other side's table, writing into `out`.

    Parameters
    ----------
    rows : SparseRows
        Observed targets; columns index the rows of `other`.
    other : float32 array, shape (columns, factors + 1)
        The other side's table, held fixed.
    out : float32 array, shape (rows, factors + 1)
        This side's table, overwritten. A row without ratings takes the minimiser of its penalty.
    ridge : Ridge
        Penalty.
    offset : float
        Constant part of every prediction (the mean rating).
    prior : Prior, optional
        Where rows are pulled, by default nowhere.

    Returns
    -------
    float64 array, shape (rows,)
        Minimum of each row's objective: squared error plus penalties.
    """
    n_blocks = max(1, min(rows.n_rows, 64 + int(rows.indptr[-1] // 65536)))
    bounds = balanced_blocks(rows.indptr, n_blocks, row_cost=float(other.shape[1]))
    return _solve(rows, other, out, ridge, offset, prior, bounds, _NO_GRAMS, _NO_FEATURES, 0)


def _solve(
    rows: SparseRows,
    other: FloatArray,
    out: FloatArray,
    ridge: Ridge,
    offset: float,
    prior: Prior | None,
    bounds: PointerArray,
    grams: DoubleArray,
    features: tuple[PointerArray, IndexArray, FloatArray],
    gram_size: int,
) -> DoubleArray:
    minima = np.empty(rows.n_rows, dtype=np.float64)
    n_columns = other.shape[1]
    _solve_blocks(
        bounds,
        rows.indptr,
        rows.indices,
        rows.values,
        other,
        np.float32(offset),
        np.float32(1.0 if ridge.with_bias else 0.0),
        ridge.weights(n_columns - 1),
        ridge.per_count,
        _NO_PRIOR if prior is None else prior.centres,
        np.zeros(n_columns, dtype=np.float32) if prior is None else prior.weights,
        out,
        minima,
        grams,
        *features,
        gram_size,
    )
    return minima


def solve_rows_and_accumulate(
    rows: SparseRows,
    other: FloatArray,
    out: FloatArray,
    ridge: Ridge,
    *,
    offset: float,
    prior: Prior,
    feature_indptr: PointerArray,
    feature_indices: IndexArray,
    feature_weights: FloatArray,
    n_features: int,
    gram_size: int,
) -> tuple[DoubleArray, DoubleArray]:
    """Solve every row and sum ``g g^T (x) (X^T X)`` over the rows, g being the row's features.

    The sum is the curvature of the squared error in a linear map from features to rows (see
    `mfx.solver.feature_map`). It costs no further pass over the ratings, as each row's Gram matrix is at hand.

    Parameters
    ----------
    rows, other, out, ridge, offset, prior
        As in `solve_rows`.
    feature_indptr, feature_indices, feature_weights : arrays
        Features of the rows in CSR layout (int64, int32, float32).
    n_features : int
        Number of features.
    gram_size : int
        How many leading columns of the table take part: factors, or factors + 1 to include the bias.

    Returns
    -------
    minima : float64 array, shape (rows,)
        As in `solve_rows`.
    curvature : float64 array, shape (n_features * gram_size, n_features * gram_size)
        Lower and upper triangle filled.
    """
    size = n_features * gram_size
    # Partial sums bound the memory and fix the order of addition, whatever the number of threads.
    n_partial = int(np.clip((64 << 20) // max(8 * size * size, 1), 2, 16))
    bounds = balanced_blocks(rows.indptr, n_partial, row_cost=float(other.shape[1]))
    grams = np.zeros((n_partial, size, size), dtype=np.float64)
    features = (feature_indptr, feature_indices, feature_weights)
    minima = _solve(rows, other, out, ridge, offset, prior, bounds, grams, features, gram_size)
    return minima, grams.sum(axis=0)


@kernel(parallel=True)
def _solve_blocks(
    bounds: PointerArray,
    indptr: PointerArray,
    indices: IndexArray,
    values: FloatArray,
    other: FloatArray,
    offset: np.float32,
    constant: np.float32,
    ridge: FloatArray,
    per_count: bool,
    prior_centres: FloatArray,
    prior_weights: FloatArray,
    out: FloatArray,
    minima: DoubleArray,
    grams: DoubleArray,
    feature_indptr: PointerArray,
    feature_indices: IndexArray,
    feature_weights: FloatArray,
    gram_size: int,
) -> None:
    p = other.shape[1]
    width = (p + 1 + 7) // 8 * 8
    for block in numba.prange(bounds.size - 1):
        gathered = np.zeros((_CHUNK, width), dtype=np.float32)
        gram = np.zeros((width, width), dtype=np.float32)
        system = np.zeros((width, width), dtype=np.float32)
        for row in range(bounds[block], bounds[block + 1]):
            begin, end = indptr[row], indptr[row + 1]
            gram[: p + 1] = np.float32(0.0)
            for chunk in range(begin, end, _CHUNK):
                count = min(_CHUNK, end - chunk)
                gather(indices, values, chunk, count, other, offset, constant, gathered)
                add_gram(gathered, count, p + 1, gram)
            system[: p + 1] = gram[: p + 1]
            scale = np.float32(max(end - begin, 1)) if per_count else np.float32(1.0)
            for j in range(p):
                system[j, j] += scale * ridge[j]
            if prior_centres.shape[0] > 0:
                for j in range(p):
                    pull = prior_weights[j] * prior_centres[row, j]
                    system[j, j] += prior_weights[j]
                    system[j, p] += pull
                    system[p, p] += pull * prior_centres[row, j]
            minima[row] = solve_augmented(system, p, out[row])
            if grams.shape[0] > 0:
                _add_feature_curvature(
                    gram, gram_size, row, feature_indptr, feature_indices, feature_weights, grams[block]
                )


@kernel()
def gather(
    indices: IndexArray,
    values: FloatArray,
    start: int,
    count: int,
    other: FloatArray,
    offset: np.float32,
    constant: np.float32,
    gathered: FloatArray,
) -> None:
    """Copy `count` rows of `other` into the buffer as (factors, constant, residual target).

    Rows beyond, up to the next multiple of eight, are zeroed, so that eight can be taken at a time.
    """
    p = other.shape[1]
    for n in range(count):
        column = indices[start + n]
        for j in range(p - 1):
            gathered[n, j] = other[column, j]
        gathered[n, p - 1] = constant
        gathered[n, p] = values[start + n] - offset - other[column, p - 1]
    for n in range(count, (count + 7) // 8 * 8):
        for j in range(p + 1):
            gathered[n, j] = np.float32(0.0)


@kernel()
def add_gram(gathered: FloatArray, count: int, size: int, gram: FloatArray) -> None:
    """Add the upper triangle of ``gathered[:count].T @ gathered[:count]`` to `gram`, eight rows at a time."""
    width = gram.shape[1]
    for n in range(0, count, 8):
        for a in range(size):
            x0, x1, x2, x3 = gathered[n, a], gathered[n + 1, a], gathered[n + 2, a], gathered[n + 3, a]
            x4, x5, x6, x7 = gathered[n + 4, a], gathered[n + 5, a], gathered[n + 6, a], gathered[n + 7, a]
            # Starting at a multiple of eight wastes a few products and keeps every load whole.
            for b in range(a // 8 * 8, width):
                gram[a, b] += (
                    x0 * gathered[n, b]
                    + x1 * gathered[n + 1, b]
                    + x2 * gathered[n + 2, b]
                    + x3 * gathered[n + 3, b]
                    + x4 * gathered[n + 4, b]
                    + x5 * gathered[n + 5, b]
                    + x6 * gathered[n + 6, b]
                    + x7 * gathered[n + 7, b]
                )


@kernel()
def solve_augmented(system: FloatArray, p: int, solution: FloatArray) -> float:
    """Solve the p x p normal equations whose right-hand side is column p; return the minimum of the objective.

    Cholesky on the upper triangle, in place, by rows, so that every inner loop runs over contiguous memory. A pivot
    that vanishes against its diagonal marks a direction the data say nothing about and nothing penalises: that
    coordinate is set to zero.
    """
    for j in range(1, p):
        system[j, 0] = system[j, j]  # below the diagonal is free: keep the untouched diagonal there
    for j in range(p):
        pivot = system[j, j]
        if not pivot > (np.float32(1e-6) * system[j, 0] if j > 0 else np.float32(0.0)):
            for b in range(j, p + 1):
                system[j, b] = np.float32(0.0)
            continue
        inverse = np.float32(1.0) / np.sqrt(pivot)
        for b in range(j, p + 1):
            system[j, b] *= inverse
        for a in range(j + 1, p + 1):
            factor = system[j, a]
            for b in range(a, p + 1):
                system[a, b] -= factor * system[j, b]
    for j in range(p - 1, -1, -1):
        if system[j, j] == np.float32(0.0):
            solution[j] = np.float32(0.0)
            continue
        total = system[j, p]
        for b in range(j + 1, p):
            total -= system[j, b] * solution[b]
        solution[j] = total / system[j, j]
    return float(system[p, p])


@kernel()
def _add_feature_curvature(
    gram: FloatArray,
    size: int,
    row: int,
    feature_indptr: PointerArray,
    feature_indices: IndexArray,
    feature_weights: FloatArray,
    out: DoubleArray,
) -> None:
    for first in range(feature_indptr[row], feature_indptr[row + 1]):
        for second in range(feature_indptr[row], feature_indptr[row + 1]):
            weight = feature_weights[first] * feature_weights[second]
            top = feature_indices[first] * size
            left = feature_indices[second] * size
            for a in range(size):
                for b in range(a):
                    out[top + a, left + b] += weight * gram[b, a]
                for b in range(a, size):
                    out[top + a, left + b] += weight * gram[a, b]
