"""The linear map W from features of rows (genres of items) to the centres that the rows are pulled to.

A row is what `solve_rows` solves for: factors and bias, or factors alone where the map has one column less. With g_i
the features of row i, v_i the row, d_i = v_i - W^T g_i its deviation and tau_j the strength of the pull in column j,
two exact updates of W descend the same objective:

* through the ratings, all deviations held fixed, so that the rows move along with their centres and evidence enters
  through the data. Right after the row solves its steepest descent is ``tau_j sum_i g_i d_ij - ridge W_j``, as each row
  is at the minimum of its own objective; what remains is the curvature ``sum_i g_i g_i^T (x) (X_i^T X_i + scale_i R)``,
  with R the diagonal of the rows' ridge; `solve_rows_and_accumulate` sums up its first part while it solves;
* given the rows: a ridge regression of v on g, in which every row counts alike, however few ratings it has.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.interfaces import DoubleArray

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def step_through_ratings(
    descent: DoubleArray, curvature: DoubleArray, overlap: DoubleArray, *, ridge: DoubleArray, map_ridge: float
) -> DoubleArray:
    """Return the step of W to the minimum of the objective with the deviations held fixed.

    Parameters
    ----------
    descent : float64 array, shape (features, columns)
        Half the negative gradient at W, the map that the row solves used: see above.
    curvature : float64 array, shape (features * (factors + 1), features * (factors + 1))
        ``sum_i g_i g_i^T (x) X_i^T X_i`` from `solve_rows_and_accumulate`.
    overlap : float64 array, shape (features, features)
        ``sum_i scale_i g_i g_i^T``; the scales are what the ridge of each row is multiplied by.
    ridge : float64 array, shape (columns,)
        Penalty of the rows' squares, which move with W.
    map_ridge : float
        Penalty of W; above 0, as it keeps the system definite when a feature has no rows.

    Returns
    -------
    float64 array, shape (features, columns)
        It lowers the objective by ``sum(descent * step)``.
    """
    n_features, n_columns = descent.shape
    whole = len(curvature) // max(n_features, 1)
    # A map without the bias leaves its rows and columns of the curvature aside.
    blocks = curvature.reshape(n_features, whole, n_features, whole)[:, :n_columns, :, :n_columns].copy()
    for column in range(n_columns):
        blocks[:, column, :, column] += ridge[column] * overlap
    system = blocks.reshape(descent.size, descent.size)
    system[np.diag_indices(descent.size)] += map_ridge
    return _solve(system, descent.ravel()).reshape(descent.shape)


def fit_to_rows(overlap: DoubleArray, products: DoubleArray, *, pull: DoubleArray, map_ridge: float) -> DoubleArray:
    """Return the W that minimises ``sum_j pull_j sum_i (v_ij - g_i . W_j)^2 + map_ridge |W|^2``.

    Parameters
    ----------
    overlap : float64 array, shape (features, features)
        ``sum_i g_i g_i^T``.
    products : float64 array, shape (features, columns)
        ``sum_i g_i v_i^T``.
    pull : float64 array, shape (columns,)
        Weight of each column's squared distances.
    map_ridge : float
        Weight of the squares of W; above 0.

    Returns
    -------
    float64 array, shape (features, columns)
    """
    found = np.zeros_like(products)
    # Columns of one pull share their matrix: all factors, and the bias.
    for weight in np.unique(pull):
        alike = np.flatnonzero(pull == weight)
        system = weight * overlap
        system[np.diag_indices(len(system))] += map_ridge
        found[:, alike] = _solve(system, weight * products[:, alike])
    return found


def _solve(system: DoubleArray, right: DoubleArray) -> DoubleArray:
    """Solve a positive definite system, which is overwritten; NaN if it is not positive definite.

    On one thread: more would cost more than they save on such small systems, and would change the last bits.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    with single_threaded_blas():
        try:
            factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return np.full_like(right, np.nan)
        found: DoubleArray = cho_solve(factor, right, check_finite=False)
    return found


def single_threaded_blas() -> AbstractContextManager[Any]:
    """Return a block in which scipy's linear algebra runs on one thread, so that its last bits are always the same."""
    limited: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _blas() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
