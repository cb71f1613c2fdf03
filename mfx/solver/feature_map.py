"""The linear map W from features of rows (genres of items) to the centres that their factors are pulled to.

With g_i the features of row i, v_i its factors, d_i = v_i - W^T g_i its deviation and tau the strength of the pull,
two exact updates of W descend the same objective:

* through the ratings, all deviations held fixed, so that the rows move along with their centres and evidence enters
  through the data. Right after the row solves its gradient is ``tau * sum_i g_i d_i^T - ridge * W``, as each row is at
  the minimum of its own objective; what remains is the curvature ``sum_i g_i g_i^T (x) (X_i^T X_i + row_ridge_i I)``,
  which `solve_rows_and_accumulate` sums up while it solves;
* given the rows: a ridge regression of v on g, in which every row counts alike, however few ratings it has.
"""

from __future__ import annotations

import numpy as np

from mfx.interfaces import DoubleArray


def step_through_ratings(
    weights: DoubleArray,
    features: DoubleArray,
    deviations: DoubleArray,
    curvature: DoubleArray,
    *,
    row_ridge: DoubleArray,
    pull: float,
    map_ridge: float,
) -> DoubleArray:
    """Return W at the minimum of the objective with the deviations held fixed.

    Parameters
    ----------
    weights : float64 array, shape (features, factors)
        W before the step, the one that the row solves used.
    features : float64 array, shape (rows, features)
        Features g of the rows.
    deviations : float64 array, shape (rows, factors)
        ``v_i - W^T g_i`` right after the row solves.
    curvature : float64 array, shape (features * factors, features * factors)
        ``sum_i g_i g_i^T (x) X_i^T X_i`` from `solve_rows_and_accumulate`.
    row_ridge : float64 array, shape (rows,)
        Penalty of each row's squared factors, which move with W.
    pull : float
        Strength tau with which rows are pulled towards their centre.
    map_ridge : float
        Penalty of W; above 0, as it keeps the system definite when a feature has no rows.

    Returns
    -------
    float64 array, shape (features, factors)
    """
    n_features, n_factors = weights.shape
    size = n_features * n_factors
    blocks = curvature.reshape(n_features, n_factors, n_features, n_factors).copy()
    overlap = features.T @ (features * row_ridge[:, None])
    for factor in range(n_factors):
        blocks[:, factor, :, factor] += overlap
    system = blocks.reshape(size, size)
    system[np.diag_indices(size)] += map_ridge
    gradient = pull * (features.T @ deviations) - map_ridge * weights
    step = np.linalg.solve(system, gradient.reshape(size, 1)).reshape(n_features, n_factors)
    return weights + step


def fit_to_rows(features: DoubleArray, rows: DoubleArray, *, pull: float, map_ridge: float) -> DoubleArray:
    """Return the W that minimises ``pull * ||rows - features W||^2 + map_ridge * ||W||^2``.

    Parameters
    ----------
    features : float64 array, shape (rows, features)
        Features of the rows.
    rows : float64 array, shape (rows, factors)
        Factors of the rows, held fixed.
    pull, map_ridge : float
        Weights of the two terms; both above 0.

    Returns
    -------
    float64 array, shape (features, factors)
    """
    system = pull * (features.T @ features)
    system[np.diag_indices(system.shape[0])] += map_ridge
    return np.asarray(np.linalg.solve(system, pull * (features.T @ rows)), dtype=np.float64)
