"""A heap of the k best entries of a row, worst first; of equal scores the lower order is the better."""

from __future__ import annotations

import numpy as np

from mfx.interfaces import FloatArray, IndexArray
from mfx.solver.jit import kernel

_LANES = 64
"""Scores compared at a time."""


@kernel()
def _worse(score: float, order: int, than_score: float, than_order: int) -> bool:
    return score < than_score or (score == than_score and order > than_order)


@kernel()
def _sink(scores: FloatArray, orders: IndexArray, size: int, start: int) -> None:
    """Restore the heap, worst entry first, below `start`."""
    score, order = scores[start], orders[start]
    place = start
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and _worse(scores[child + 1], orders[child + 1], scores[child], orders[child]):
            child += 1
        if not _worse(scores[child], orders[child], score, order):
            break
        scores[place], orders[place] = scores[child], orders[child]
        place = child
    scores[place], orders[place] = score, order


@kernel()
def offer(scores: FloatArray, orders: IndexArray, size: int, score: float, order: int) -> int:
    """Put an entry into the heap if it belongs there, and return the new size; entries come in increasing order."""
    if size == scores.size:
        if score > scores[0]:
            scores[0], orders[0] = score, order
            _sink(scores, orders, size, 0)
        return size
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if not _worse(score, order, scores[parent], orders[parent]):
            break
        scores[place], orders[place] = scores[parent], orders[parent]
        place = parent
    scores[place], orders[place] = score, order
    return size + 1


@kernel()
def offer_row(row: FloatArray, first: int, scores: FloatArray, orders: IndexArray, size: int) -> int:
    """Offer every score of `row` above -∞ to a heap of `size` entries, and return its new size.

    The order of an entry is its place in the row plus `first`. What does not beat the worst entry of a full heap is
    passed by, many at a time, so a row is read once and hardly ever touched twice.
    """
    place = 0
    while place < row.size and size < scores.size:
        if row[place] > -np.inf:
            size = offer(scores, orders, size, row[place], first + place)
        place += 1
    while place < row.size:
        stop = min(place + _LANES, row.size)
        above = np.float32(0)
        least = scores[0]
        for other in range(place, stop):
            above += np.float32(1) if row[other] > least else np.float32(0)
        if above > 0:
            for other in range(place, stop):
                if row[other] > scores[0]:
                    size = offer(scores, orders, size, row[other], first + other)
        place = stop
    return size


@kernel()
def sort_heap(scores: FloatArray, orders: IndexArray, size: int, late_from: int) -> None:
    """Sort the entries of a heap, best first, and take `late_from` off orders that are not below it."""
    for last in range(size - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        orders[0], orders[last] = orders[last], orders[0]
        _sink(scores, orders, last, 0)
    for place in range(size):
        if orders[place] >= late_from:
            orders[place] -= late_from
