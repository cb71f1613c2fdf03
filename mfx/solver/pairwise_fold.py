"""Rows of new users by pairwise steps, the items being fixed."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from mfx.interfaces import FloatArray, IndexArray, PointerArray
from mfx.solver.grid import free_place
from mfx.solver.hashing import FOLD_IN, key_of, random_bits, to_below
from mfx.solver.jit import kernel
from mfx.solver.pairwise_kernels import TRIES


def fold_in(
    items: FloatArray,
    indptr: PointerArray,
    indices: IndexArray,
    *,
    learning_rate: float,
    reg: float,
    epochs: int,
    seed: int,
    counts: PointerArray | None = None,
    hardest_of: int = 1,
) -> FloatArray:
    """Return rows of new users from their positives, the items' rows being fixed.

    Stochastic steps on the user's row alone, from zero: each of `epochs` passes visits the positives once, each with
    a negative drawn from the items that the user has not, and the learning rate falls linearly towards zero. Negatives
    are uniform, or by popularity: drawn from all items up to `TRIES` times, then uniformly from the free ones.
    A row depends on its positives, `items` and the settings only, not on the other rows asked for. A user without
    positives, or with every item, keeps a row of zeros.

    Parameters
    ----------
    items : float32 array, shape (items, factors + 1)
        The last column is the bias.
    indptr : int64 array, shape (new users + 1,)
        Row pointers of the positives.
    indices : int32 array, shape (positives,)
        Items of each new user, strictly increasing inside a row.
    learning_rate : float
        Step length of the first pass.
    reg : float
        Pull of factors towards zero at each step.
    epochs : int
        Passes over the positives.
    seed : int
        What the negatives depend on.
    counts : int64 array, shape (items,), optional
        How often each item is drawn, in proportion; by default all are drawn alike.
    hardest_of : int
        Draw so many negatives for a step, and take the one that scores highest.

    Returns
    -------
    float32 array, shape (new users, factors + 1)
        The last column is zero.
    """
    rows = np.zeros((indptr.size - 1, items.shape[1]), dtype=np.float32)
    upto = np.zeros(0, dtype=np.int64) if counts is None else np.cumsum(counts, dtype=np.int64)
    _fold_rows(items, indptr, indices, upto, hardest_of, learning_rate, reg, epochs, key_of(seed, FOLD_IN), rows)
    return rows


@kernel()
def _draw_free(
    key: np.uint64, n: np.uint64, indices: IndexArray, start: int, stop: int, upto: PointerArray, free: int
) -> tuple[np.int64, np.uint64]:
    """Draw an item that is not among ``indices[start:stop]``, and return the number of the next draw with it."""
    for _ in range(TRIES if upto.size > 0 else 0):
        j = np.int64(np.searchsorted(upto, to_below(random_bits(key, n), np.uint64(upto[-1])), side="right"))
        n += np.uint64(1)
        place = start + np.searchsorted(indices[start:stop], j)
        if place == stop or indices[place] != j:
            return j, n
    return free_place(indices, start, stop, 0, to_below(random_bits(key, n), np.uint64(free))), n + np.uint64(1)


@kernel()
def _score(row: FloatArray, item: FloatArray) -> np.float32:
    x = item[item.size - 1]
    for f in range(item.size - 1):
        x += row[f] * item[f]
    return np.float32(x)


@kernel(parallel=True)
def _fold_rows(
    items: FloatArray,
    indptr: PointerArray,
    indices: IndexArray,
    upto: PointerArray,
    hardest_of: int,
    learning_rate: float,
    reg: float,
    epochs: int,
    key: np.uint64,
    rows: FloatArray,
) -> None:
    n_items, factors = items.shape[0], items.shape[1] - 1
    for u in prange(rows.shape[0]):
        start, stop = indptr[u], indptr[u + 1]
        free = n_items - (stop - start)
        passes = epochs if free > 0 else 0
        n = np.uint64(0)
        for epoch in range(passes):
            rate = learning_rate * (1.0 - epoch / epochs)
            keep = np.float32(1.0 - rate * reg)
            for t in range(start, stop):
                i = indices[t]
                j, n = _draw_free(key, n, indices, start, stop, upto, free)
                for _ in range(1, hardest_of):
                    other, n = _draw_free(key, n, indices, start, stop, upto, free)
                    if _score(rows[u], items[other]) > _score(rows[u], items[j]):
                        j = other
                x = _score(rows[u], items[i]) - _score(rows[u], items[j])
                pull = np.float32(rate / (1.0 + math.exp(float(x))))
                for f in range(factors):
                    rows[u, f] = keep * rows[u, f] + pull * (items[i, f] - items[j, f])
