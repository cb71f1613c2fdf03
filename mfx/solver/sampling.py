"""Samples of the items that a user has not."""

from __future__ import annotations

import numpy as np
from numba import prange

from mfx.interfaces import IndexArray, PointerArray
from mfx.solver.grid import free_place
from mfx.solver.hashing import CANDIDATES, derive, key_of, random_bits, to_below
from mfx.solver.jit import kernel


def sample_free(
    users: IndexArray,
    items: IndexArray,
    indptr: PointerArray,
    taken: IndexArray,
    *,
    n_items: int,
    size: int,
    seed: int,
) -> IndexArray:
    """Draw distinct items that the user has not, uniformly, for each of some pairs of a user and an item.

    What is drawn for a pair depends on the pair, what the user has, and the seed only (Floyd's algorithm, Bentley and
    Floyd 1987, "A sample of brilliance", on the ranks of the free items).

    Parameters
    ----------
    users, items : int32 arrays, shape (n,)
        The pairs; a pair's item is drawn like any other, unless the user has it.
    indptr : int64 array, shape (users + 1,)
        User u has ``taken[indptr[u]:indptr[u + 1]]``.
    taken : int32 array
        Strictly increasing for each user.
    n_items : int
        Items there are.
    size : int
        Items to draw for a pair.
    seed : int

    Returns
    -------
    int32 array, shape (n, size)
        In no particular order; -1 at the end of a row whose user has fewer free items.
    """
    out = np.full((users.size, size), -1, dtype=np.int32)
    _sample(users, items, indptr, taken, n_items, key_of(seed, CANDIDATES), out)
    return out


@kernel(parallel=True)
def _sample(
    users: IndexArray,
    items: IndexArray,
    indptr: PointerArray,
    taken: IndexArray,
    n_items: int,
    key: np.uint64,
    out: IndexArray,
) -> None:
    for row in prange(users.size):
        start, stop = indptr[users[row]], indptr[users[row] + 1]
        pair = derive(derive(key, np.uint64(users[row])), np.uint64(items[row]))
        free = n_items - (stop - start)
        size = min(out.shape[1], free)
        for n in range(size):
            last = free - size + n
            rank = np.int32(to_below(random_bits(pair, np.uint64(n)), np.uint64(last + 1)))
            for m in range(n):
                if out[row, m] == rank:
                    rank = np.int32(last)
                    break
            out[row, n] = rank
        for n in range(size):
            out[row, n] = free_place(taken, start, stop, 0, np.int64(out[row, n]))
