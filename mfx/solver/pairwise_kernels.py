"""Kernels of the pairwise steps: margins and steps of triples, the drawing of negatives, and whole cells of a grid."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.grid import free_place
from mfx.solver.hashing import random_bits, to_below
from mfx.solver.jit import kernel

_LANES = 16
_STEEP, _LARGE = -80.0, 1e200
TRIES = 8


def width_of(factors: int) -> int:
    """Return the width of rows in whole cache lines."""
    return -(-factors // _LANES) * _LANES


def aligned(rows: int, width: int) -> FloatArray:
    """Return an uninitialised float32 array whose rows start on cache lines."""
    buffer = np.empty(rows * width + _LANES, dtype=np.float32)
    skip = (-buffer.ctypes.data // 4) % _LANES
    return buffer[skip : skip + rows * width].reshape(rows, width)


@kernel(parallel=True)
def gather(rows: FloatArray, order: IndexArray, factors: int, out: FloatArray) -> None:
    """Lay the factors of rows out in an order, padded with zeros."""
    for s in prange(order.size):
        for f in range(factors):
            out[s, f] = rows[order[s], f]
        for f in range(factors, out.shape[1]):
            out[s, f] = 0.0


@kernel(parallel=True)
def scatter(work: FloatArray, order: IndexArray, factors: int, rows: FloatArray) -> None:
    """Undo `gather`."""
    for s in prange(order.size):
        for f in range(factors):
            rows[order[s], f] = work[s, f]


@kernel()
def margin(users: FloatArray, items: FloatArray, biases: FloatArray, u: int, i: int, j: int) -> np.float32:
    """Return x_ui − x_uj of rows u, i and j; the width of a row is that of `users`."""
    x = biases[i] - biases[j]
    for f in range(users.shape[1]):
        x += users[u, f] * (items[i, f] - items[j, f])
    return np.float32(x)


@kernel()
def score(users: FloatArray, items: FloatArray, biases: FloatArray, u: int, i: int) -> np.float32:
    """Return x_ui of rows u and i; the width of a row is that of `users`."""
    x = biases[i]
    for f in range(users.shape[1]):
        x += users[u, f] * items[i, f]
    return np.float32(x)


@kernel()
def move(
    users: FloatArray,
    items: FloatArray,
    biases: FloatArray,
    u: int,
    i: int,
    j: int,
    pull: np.float32,
    keep: np.float32,
    keep_bias: np.float32,
) -> None:
    """Step up the gradient of a triple in place: rows shrink by `keep`, then i is pulled to u and j pushed away.

    With a learning rate η, pull = η·σ(x_uj − x_ui), keep = 1 − η·reg and keep_bias = 1 − η·bias_reg.
    """
    for f in range(users.shape[1]):
        p, q, w = users[u, f], items[i, f], items[j, f]
        users[u, f] = keep * p + pull * (q - w)
        items[i, f] = keep * q + pull * p
        items[j, f] = keep * w - pull * p
    biases[i] = keep_bias * biases[i] + pull
    biases[j] = keep_bias * biases[j] - pull


@kernel()
def _draw(bits: np.uint64, cell: IndexArray, first: int, size: int, popular: bool) -> int:
    """Draw a place of an item block: that of any positive of the cell, or any place."""
    if popular:
        return int(cell[to_below(bits, np.uint64(cell.size))])
    return int(first + to_below(bits, np.uint64(size)))


@kernel()
def _draw_free(
    key: np.uint64,
    n: np.uint64,
    stride: np.uint64,
    places: IndexArray,
    start: int,
    stop: int,
    cell: IndexArray,
    first: int,
    taken: NDArray[np.uint8],
    popular: bool,
) -> tuple[int, np.uint64]:
    """Draw a place that the user has not, whose positives in the block are ``places[start:stop]``.

    Numbers n, n + stride and so on of the key decide; the last one used is returned with the place.
    """
    size = taken.size
    j = _draw(random_bits(key, n), cell, first, size, popular)
    tries = 1
    while taken[j - first] and tries < TRIES:
        n += stride
        j = _draw(random_bits(key, n), cell, first, size, popular)
        tries += 1
    if taken[j - first]:
        n += stride
        free_draw = to_below(random_bits(key, n), np.uint64(size - (stop - start)))
        j = int(free_place(places, start, stop, first, free_draw))
    return j, n


@kernel(parallel=True)
def run_cells(
    cells: PointerArray,
    users: FloatArray,
    items: FloatArray,
    biases: FloatArray,
    user_starts: PointerArray,
    item_starts: PointerArray,
    cell_starts: PointerArray,
    numbers: PointerArray,
    counts: IndexArray,
    places: IndexArray,
    stride: np.uint64,
    key: np.uint64,
    popular: bool,
    hardest_of: int,
    rate: float,
    keep: np.float32,
    keep_bias: np.float32,
    losses: DoubleArray,
    triples: PointerArray,
) -> None:
    """Take the steps of cells that share no user block and no item block; note their losses and how many they are.

    The steps of cell (a, b) draw by the numbers of the key from ``numbers[a, b]`` on, `stride` apart.
    """
    for c in prange(cells.shape[0]):
        a, b = cells[c, 0], cells[c, 1]
        first, size = item_starts[b], item_starts[b + 1] - item_starts[b]
        taken = np.zeros(size, dtype=np.uint8)
        stop = cell_starts[a, b]
        before = numbers[a, b] - stop
        cell = places[cell_starts[a, b] : cell_starts[a, b + 1]]
        loss, product, done = 0.0, 1.0, 0
        for s in range(user_starts[a], user_starts[a + 1]):
            start = stop
            stop += counts[b, s]
            if size == stop - start:
                continue
            for t in range(start, stop):
                taken[places[t] - first] = 1
            for t in range(start, stop):
                i = places[t]
                j, n = _draw_free(key, np.uint64(before + t), stride, places, start, stop, cell, first, taken, popular)
                if hardest_of > 1:
                    highest = score(users, items, biases, s, j)
                    for _ in range(1, hardest_of):
                        other, n = _draw_free(key, n + stride, stride, places, start, stop, cell, first, taken, popular)
                        its = score(users, items, biases, s, other)
                        if its > highest:
                            j, highest = other, its
                x = float(margin(users, items, biases, s, i, j))
                if x < _STEEP:
                    loss += _STEEP - x
                    x = _STEEP
                odds = math.exp(-x)
                move(users, items, biases, s, i, j, np.float32(rate * odds / (1.0 + odds)), keep, keep_bias)
                product *= 1.0 + odds
                if product > _LARGE:
                    loss += math.log(product)
                    product = 1.0
            for t in range(start, stop):
                taken[places[t] - first] = 0
            done += stop - start
        losses[a, b] = loss + math.log(product)
        triples[a, b] = done
