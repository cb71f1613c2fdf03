"""The best k items of every user where scores are a matrix product, without ever writing the scores down.

A block of users meets the items tile by tile. Few rows of the product at a time are made in registers and put into a
buffer that the nearest cache holds; where one holds a score above the worst entry of its user's heap, it is offered.
So memory does not grow with users times items, and the time is nearly that of the product alone. Users are independent
of each other and every score is one sum in fixed order: lists depend neither on blocks nor on threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from mfx.errors import ModelError
from mfx.interfaces import BoolArray, FloatArray, IndexArray, PointerArray
from mfx.solver.heap import offer, offer_row, sort_heap
from mfx.solver.jit import kernel
from mfx.solver.vectors import LANES, STRIP, make_score_tile

_TILE = 512
"""Items of a tile, a multiple of `_GROUP`: with 64 factors they take 128 KB of the second-level cache."""
_BLOCK = 512
"""Most users of a block, a multiple of `STRIP`."""
_LARGEST = 1e37

_GROUP = 2 * LANES
_score_tile = make_score_tile(STRIP, 2)


@dataclass(frozen=True, eq=False)
class ScoreProduct:
    """Scores of some users for all items as a product: ``users @ items.T + shifts[:, None]``.

    Attributes
    ----------
    users : float32 array, shape (n, p)
    items : float32 array, shape (items, p)
    shifts : float32 array, shape (n,)
        What all scores of a user have in common.
    """

    users: FloatArray
    items: FloatArray
    shifts: FloatArray

    def is_finite(self) -> bool:
        """Whether no score can be NaN or infinite, judged by the largest entries of both sides."""
        largest = [np.abs(side).max(initial=np.float32(0.0)) for side in (self.users, self.items)]
        bound = float(largest[0]) * float(largest[1]) * self.users.shape[1]
        return bool(bound < _LARGEST and np.isfinite(self.shifts).all())


def best_of_product(
    product: ScoreProduct,
    users: IndexArray,
    k: int,
    *,
    seen: tuple[PointerArray, IndexArray] | None = None,
    late: tuple[PointerArray, IndexArray] | None = None,
    allowed: BoolArray | None = None,
) -> tuple[IndexArray, FloatArray]:
    """Find the k best items of each user.

    Parameters
    ----------
    product : ScoreProduct
        Finite scores, n users.
    users : int32 array, shape (n,)
        User index of each row of the product.
    k : int
        Length of the lists, at least 1.
    seen : (int64 array of shape (users of the catalogue + 1,), int32 array), optional
        CSR of items not to be listed, by user index, increasing within a user.
    late : (int64 array of shape (n + 1,), int32 array), optional
        CSR of items, by row of the product, increasing within a row, that come last among equal scores. Other ties
        are in order of the item index.
    allowed : bool array, shape (items,), optional
        The only items that may be listed; by default all.

    Returns
    -------
    items : int32 array, shape (n, k)
        Best first; -1 where a user has fewer than k items left.
    best : float32 array, shape (n, k)
        Their scores; -∞ where there is no item.

    Raises
    ------
    ModelError
        If k is below 1.
    ValueError
        If there are not as many users as rows of scores.
    """
    if k < 1:
        raise ModelError(f"A list of {k} items was asked for.", "Ask for at least one.")
    n_items, n_users = len(product.items), len(product.users)
    if users.size != n_users:
        raise ValueError(f"{users.size} users were given for {n_users} rows of scores.")
    right = _tiles(product.items, allowed)
    left = product.users
    if allowed is not None:
        left = np.column_stack([left, np.ones(n_users, dtype=np.float32)])
    items = np.full((n_users, k), -1, np.int32)
    best = np.full((n_users, k), -np.inf, np.float32)
    seen_indptr, seen_items = _nothing(0) if seen is None else seen
    late_indptr, late_items = _nothing(n_users) if late is None else late
    # Several blocks for each thread of any machine, yet large ones: each reads all the items.
    block = int(np.clip(-(-n_users // 64), STRIP, _BLOCK))
    bounds = np.minimum(np.arange(0, n_users + block, block), n_users)
    for first in range(0, bounds.size - 1, 64):  # an interruption is noticed between two calls
        part = bounds[first : first + 65]
        _best(part, left, right, n_items, users, seen_indptr, seen_items, late_indptr, late_items, items, best)
    best += product.shifts[:, None]
    return items, best


def _nothing(n_rows: int) -> tuple[PointerArray, IndexArray]:
    return np.zeros(n_rows + 1, np.int64), np.zeros(0, np.int32)


def _tiles(items: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Return the items in tiles, each a contiguous matrix of shape (p, items of a tile).

    Items that are not allowed get one more entry, -∞, to be multiplied by 1.
    """
    n_items, p = items.shape
    n_tiles = -(-n_items // _TILE)
    tiles = np.zeros((n_tiles, p + (allowed is not None), _TILE), dtype=np.float32)
    for tile in range(n_tiles):
        rows = slice(tile * _TILE, min((tile + 1) * _TILE, n_items))
        count = rows.stop - rows.start
        tiles[tile, :p, :count] = items[rows].T
        if allowed is not None:
            tiles[tile, p, :count] = np.where(allowed[rows], np.float32(0.0), np.float32(-np.inf))
    return tiles


@kernel(parallel=True)
def _best(
    bounds: PointerArray,
    left: FloatArray,
    right: FloatArray,
    n_items: int,
    users: IndexArray,
    seen_indptr: PointerArray,
    seen_items: IndexArray,
    late_indptr: PointerArray,
    late_items: IndexArray,
    items: IndexArray,
    best: FloatArray,
) -> None:
    p = left.shape[1]
    for block in numba.prange(bounds.size - 1):
        begin, count = bounds[block], bounds[block + 1] - bounds[block]
        columns = np.zeros((p, (count + STRIP - 1) // STRIP * STRIP), dtype=np.float32)
        for row in range(count):
            for j in range(p):
                columns[j, row] = left[begin + row, j]
        scores, least = np.empty((STRIP, _TILE), dtype=np.float32), np.empty((1, STRIP), dtype=np.float32)
        above = np.empty((STRIP, _TILE // _GROUP), dtype=np.uint8)
        sizes = np.zeros(count, dtype=np.int64)
        next_seen, next_late = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        end_late = late_indptr[begin + count] if count > 0 else 0
        late_scores = np.empty(end_late - late_indptr[begin] if count > 0 else 0, dtype=np.float32)
        for row in range(count):
            next_seen[row] = seen_indptr[users[begin + row]] if seen_items.size > 0 else 0
            next_late[row] = late_indptr[begin + row]
        for tile in range(right.shape[0]):
            first = tile * _TILE
            width = min(_TILE, n_items - first)
            for strip in range(0, count, STRIP):
                for row in range(strip, min(strip + STRIP, count)):
                    least[0, row - strip] = best[begin + row, 0] if sizes[row] == best.shape[1] else -np.inf
                for column in range(0, width, _GROUP):
                    _score_tile(columns, right[tile], p, strip, column, least, scores, above)
                for row in range(strip, min(strip + STRIP, count)):
                    line = scores[row - strip, :width]
                    if seen_items.size > 0:
                        place, end = next_seen[row], seen_indptr[users[begin + row] + 1]
                        while place < end and seen_items[place] < first + width:
                            line[seen_items[place] - first] = -np.inf
                            place += 1
                        next_seen[row] = place
                    place, end = next_late[row], late_indptr[begin + row + 1]
                    while place < end and late_items[place] < first + width:
                        late_scores[place - late_indptr[begin]] = line[late_items[place] - first]
                        line[late_items[place] - first] = -np.inf
                        place += 1
                    next_late[row] = place
                    for group in range((width + _GROUP - 1) // _GROUP):
                        if above[row - strip, group] > 0:
                            start = group * _GROUP
                            some, heap, order = line[start : start + _GROUP], best[begin + row], items[begin + row]
                            sizes[row] = offer_row(some, first + start, heap, order, sizes[row])
        for row in range(count):
            heap, order = best[begin + row], items[begin + row]
            for place in range(late_indptr[begin + row], late_indptr[begin + row + 1]):
                score = late_scores[place - late_indptr[begin]]
                if score > -np.inf:
                    # Past n_items the order of an entry says that it is late.
                    sizes[row] = offer(heap, order, sizes[row], score, n_items + late_items[place])
            sort_heap(heap, order, sizes[row], n_items)
