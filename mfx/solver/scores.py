"""Predictions from the tables of two sides: pairs, and whole rows of scores."""

from __future__ import annotations

import numba
import numpy as np

from mfx.interfaces import FloatArray, IndexArray
from mfx.solver.jit import kernel


def score_rows(users: FloatArray, items: FloatArray, offset: float, bias_weight: float = 1.0) -> FloatArray:
    """Score all items for some user rows.

    Parameters
    ----------
    users : float32 array, shape (n, factors + 1)
        Rows of the user table.
    items : float32 array, shape (items, factors + 1)
        The item table.
    offset : float
        Constant part of every score.
    bias_weight : float
        Weight of the item biases.

    Returns
    -------
    float32 array, shape (n, items)
        ``offset + user bias + bias_weight * item bias + user factors . item factors``.
    """
    left = users.copy()
    left[:, -1] = bias_weight
    scores: FloatArray = left @ items.T
    scores += (users[:, -1] + np.float32(offset))[:, None]
    return scores


def score_pairs(
    user_table: FloatArray, item_table: FloatArray, users: IndexArray, items: IndexArray, offset: float
) -> FloatArray:
    """Score pairs of rows; float32, shape of `users`.

    Parameters
    ----------
    user_table, item_table : float32 arrays, shape (rows, factors + 1)
        Tables of both sides.
    users, items : int32 arrays, shape (n,)
        Rows of the tables.
    offset : float
        Constant part of every score.
    """
    out = np.empty(users.size, dtype=np.float32)
    _score_pairs(user_table, item_table, users, items, np.float32(offset), out)
    return out


@kernel(parallel=True)
def _score_pairs(
    user_table: FloatArray,
    item_table: FloatArray,
    users: IndexArray,
    items: IndexArray,
    offset: np.float32,
    out: FloatArray,
) -> None:
    k = user_table.shape[1] - 1
    for n in numba.prange(users.size):
        u, i = users[n], items[n]
        total = offset + user_table[u, k] + item_table[i, k]
        for j in range(k):
            total += user_table[u, j] * item_table[i, j]
        out[n] = total
