"""Order within segments: which rows of each user, or of each item, come last."""

from __future__ import annotations

import numba
import numpy as np

from mfx.interfaces import AnyArray, IndexArray, PointerArray
from mfx.solver.jit import kernel


@kernel()
def group_rows(keys: IndexArray, groups: int) -> tuple[PointerArray, PointerArray]:
    """Sort row numbers by a small integer key, stably, in one counting pass.

    Parameters
    ----------
    keys : int32 array, shape (n,)
        Group of each row, from 0 to ``groups - 1``.
    groups : int
        Number of groups.

    Returns
    -------
    indptr : int64 array, shape (groups + 1,)
        Group g owns ``rows[indptr[g]:indptr[g + 1]]``.
    rows : int64 array, shape (n,)
        Row numbers, increasing within each group.
    """
    indptr = np.zeros(groups + 1, np.int64)
    for key in keys:
        indptr[key + 1] += 1
    for group in range(groups):
        indptr[group + 1] += indptr[group]
    place = indptr[:-1].copy()
    rows = np.empty(keys.size, np.int64)
    for row in range(keys.size):
        key = keys[row]
        rows[place[key]] = row
        place[key] += 1
    return indptr, rows


@kernel(parallel=True)
def label_tails(
    indptr: PointerArray, keys: PointerArray, last_counts: PointerArray, before_counts: PointerArray
) -> AnyArray:
    """Label the rows with the largest keys of each segment 2, those just before them 1, and the rest 0.

    Equal keys count as ordered by position, so that a later row is the larger one.

    Parameters
    ----------
    indptr : int64 array, shape (segments + 1,)
        Segment s owns ``keys[indptr[s]:indptr[s + 1]]``.
    keys : int64 array, shape (n,)
        What to order by, such as timestamps.
    last_counts, before_counts : int64 arrays, shape (segments,)
        How many rows of each segment get the label 2, and 1; together at most the size of the segment.

    Returns
    -------
    int8 array, shape (n,)
        The labels.
    """
    labels = np.zeros(keys.size, np.int8)
    for segment in numba.prange(indptr.size - 1):
        start, stop = indptr[segment], indptr[segment + 1]
        last, before = last_counts[segment], before_counts[segment]
        if last + before == 0:
            continue
        order = np.argsort(keys[start:stop], kind="mergesort")
        for place in range(stop - start - last - before, stop - start - last):
            labels[start + order[place]] = 1
        for place in range(stop - start - last, stop - start):
            labels[start + order[place]] = 2
    return labels
