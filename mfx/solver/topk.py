"""The best k of each row of a block of scores, and the rank of given items, without sorting rows."""

from __future__ import annotations

import numba
import numpy as np

from mfx.errors import ModelError
from mfx.interfaces import FloatArray, IndexArray, PointerArray
from mfx.solver.heap import offer, offer_row, sort_heap
from mfx.solver.jit import kernel

_TILE = 4096

FINE, NOT_A_NUMBER, INFINITE, EXCLUDED = 0, 1, 2, 3


@kernel(parallel=True)
def check_scores(scores: FloatArray) -> IndexArray:
    """Say of each row whether its scores are numbers.

    Parameters
    ----------
    scores : float32 array, shape (rows, items)

    Returns
    -------
    int32 array, shape (rows,)
        `NOT_A_NUMBER` if the row holds NaN, else `INFINITE` if it holds +∞, else `EXCLUDED` if it holds -∞ (a way to
        exclude an item), else `FINE`.
    """
    found = np.zeros(scores.shape[0], np.int32)
    for row in numba.prange(scores.shape[0]):
        # 0·s is 0 for finite scores and NaN otherwise: one vectorised sum instead of a test per score. It may overflow
        # for huge finite scores, because the compiler may sum before it multiplies; then the second loop decides.
        total = np.float32(0)
        for item in range(scores.shape[1]):
            total += scores[row, item] * np.float32(0)
        if total == 0:
            continue
        worst = FINE
        for item in range(scores.shape[1]):
            score = scores[row, item]
            if score != score:
                worst = NOT_A_NUMBER
                break
            if score == np.inf:
                worst = INFINITE
            elif score == -np.inf and worst == FINE:
                worst = EXCLUDED
        found[row] = worst
    return found


@kernel()  # a few writes per row: starting threads would cost more
def mask_seen(scores: FloatArray, indptr: PointerArray, indices: IndexArray, users: IndexArray) -> None:
    """Write -∞ in place where a user has seen an item.

    Parameters
    ----------
    scores : float32 array, shape (rows, items)
        Row r belongs to ``users[r]``.
    indptr : int64 array, shape (users of the catalogue + 1,)
        User u has seen ``indices[indptr[u]:indptr[u + 1]]``.
    indices : int32 array
        Items seen.
    users : int32 array, shape (rows,)
    """
    for row in range(scores.shape[0]):
        user = users[row]
        for place in range(indptr[user], indptr[user + 1]):
            scores[row, indices[place]] = -np.inf


@kernel(parallel=True)
def select(
    scores: FloatArray, k: int, late_indptr: PointerArray, late_items: IndexArray
) -> tuple[IndexArray, FloatArray]:
    """Find the k best items of each row; the scores must not hold NaN.

    Parameters
    ----------
    scores : float32 array, shape (rows, items)
        C-contiguous; -∞ excludes an item. Unchanged on return.
    k : int
        Length of the lists, at least 1.
    late_indptr : int64 array, shape (rows + 1,)
        Among equal scores the items ``late_items[late_indptr[r]:late_indptr[r + 1]]`` of row r come last; other ties
        are in order of the item index.
    late_items : int32 array
        Distinct within each row.

    Returns
    -------
    items : int32 array, shape (rows, k)
        Best first; -1 where a row has fewer than k items left.
    best : float32 array, shape (rows, k)
        Their scores; -∞ where there is no item.
    """
    rows, n_items = scores.shape
    items = np.full((rows, k), -1, np.int32)
    best = np.full((rows, k), -np.inf, np.float32)
    late_scores = np.empty(late_items.size, np.float32)
    for row in numba.prange(rows):
        start, stop = late_indptr[row], late_indptr[row + 1]
        for late in range(start, stop):
            late_scores[late] = scores[row, late_items[late]]
            scores[row, late_items[late]] = -np.inf
        size = offer_row(scores[row], 0, best[row], items[row], 0)
        for late in range(start, stop):
            scores[row, late_items[late]] = late_scores[late]
            if late_scores[late] > -np.inf:
                # Past n_items the order of an entry says that it is late.
                size = offer(best[row], items[row], size, late_scores[late], n_items + late_items[late])
        sort_heap(best[row], items[row], size, n_items)
    return items, best


@kernel(parallel=True)
def ranks(
    scores: FloatArray, indptr: PointerArray, items: IndexArray
) -> tuple[PointerArray, PointerArray, PointerArray]:
    """Count, for given items of each row, how many items score higher or just as high.

    Parameters
    ----------
    scores : float32 array, shape (rows, items)
        C-contiguous, without NaN; -∞ excludes an item.
    indptr : int64 array, shape (rows + 1,)
        Row r asks for ``items[indptr[r]:indptr[r + 1]]``.
    items : int32 array, shape (n,)

    Returns
    -------
    above : int64 array, shape (n,)
        Items of the row with a higher score. For an excluded item: all that are not excluded.
    tied : int64 array, shape (n,)
        Other items with the same score; 0 for an excluded item.
    candidates : int64 array, shape (rows,)
        Items of the row that are not excluded.
    """
    above = np.zeros(items.size, np.int64)
    tied = np.zeros(items.size, np.int64)
    candidates = np.zeros(scores.shape[0], np.int64)
    for row in numba.prange(scores.shape[0]):
        for first in range(0, scores.shape[1], _TILE):
            tile = scores[row, first : first + _TILE]
            # Counting in float32 vectorises, and is exact up to 2²⁴.
            there = np.float32(0)
            for place in range(tile.size):
                there += np.float32(1) if tile[place] > -np.inf else np.float32(0)
            candidates[row] += np.int64(there)
            for ask in range(indptr[row], indptr[row + 1]):
                score = scores[row, items[ask]]
                higher, equal = np.float32(0), np.float32(0)
                for place in range(tile.size):
                    higher += np.float32(1) if tile[place] > score else np.float32(0)
                    equal += np.float32(1) if tile[place] == score else np.float32(0)
                above[ask] += np.int64(higher)
                tied[ask] += np.int64(equal)
        for ask in range(indptr[row], indptr[row + 1]):
            excluded = scores[row, items[ask]] == -np.inf
            tied[ask] = 0 if excluded else tied[ask] - 1
    return above, tied, candidates


def top_k(
    scores: FloatArray, seen_indptr: PointerArray | None, seen_indices: IndexArray | None, users: IndexArray, k: int
) -> tuple[IndexArray, FloatArray]:
    """Recommend: mask what each user has seen, and find the k best of the rest.

    Parameters
    ----------
    scores : float32 array, shape (rows, items)
        C-contiguous and writable; changed in place. A score of -∞ excludes an item.
    seen_indptr, seen_indices : int64 and int32 arrays, or None
        CSR of seen items over all users of the catalogue (`Ratings.user_indptr` and `Ratings.items`); None masks
        nothing.
    users : int32 array, shape (rows,)
        User index of each row.
    k : int
        Length of the lists, at least 1.

    Returns
    -------
    items : int32 array, shape (rows, k)
        Best first, equal scores in order of item index; -1 where fewer than k items are left.
    best : float32 array, shape (rows, k)
        Their scores; -∞ where there is no item.

    Raises
    ------
    ModelError
        If a score is NaN or +∞.
    """
    if k < 1:
        raise ModelError(f"A list of {k} items was asked for.", "Ask for at least one.")
    check = check_scores(scores)
    wrong = np.flatnonzero((check == NOT_A_NUMBER) | (check == INFINITE))
    if wrong.size:
        raise ModelError(
            f"The scores of {wrong.size} of {users.size} users are not finite, the first being user index "
            f"{users[wrong[0]]}.",
            "The fit has diverged: lower the learning rate or raise the regularisation.",
        )
    if seen_indptr is not None and seen_indices is not None:
        mask_seen(scores, seen_indptr, seen_indices, users)
    return select(scores, k, np.zeros(users.size + 1, np.int64), np.zeros(0, np.int32))
