"""Bayesian personalised ranking by stochastic gradient steps, in an order that no number of threads can change.

Maximises (Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking from implicit
feedback", BPR-Opt and its stochastic gradient)

    Σ over (u, i, j)  ln σ(x_ui − x_uj) − (reg/2)·(‖u‖² + ‖vᵢ‖² + ‖vⱼ‖²) − (bias_reg/2)·(bᵢ² + bⱼ²),   x_ui = u·vᵢ + bᵢ

where i is an item that user u has and j one that u has not. An epoch visits each positive (u, i) once, with one j.

Rows of users have shape (users, factors + 1) and rows of items (items, factors + 1), the bias last, as in the rest of
the solver; the users' last column is left alone, since a user's bias cancels.

The cells of `mfx.solver.grid` set the order: those of one diagonal run in parallel, and a cell's negatives come from
its own items. Two items can meet as positive and negative in each epoch that deals them to one block.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.grid import default_blocks, free_place, group
from mfx.solver.hashing import NEGATIVES, key_of, random_bits, to_below
from mfx.solver.jit import kernel

_LANES = 16
_WORTH_THREADS = 1 << 25
_STEEP, _LARGE = -80.0, 1e200
TRIES = 8


def _aligned(rows: int, width: int) -> FloatArray:
    """Return an uninitialised float32 array whose rows start on cache lines."""
    buffer = np.empty(rows * width + _LANES, dtype=np.float32)
    skip = (-buffer.ctypes.data // 4) % _LANES
    return buffer[skip : skip + rows * width].reshape(rows, width)


@kernel(parallel=True)
def _gather(rows: FloatArray, order: IndexArray, factors: int, out: FloatArray) -> None:
    for s in prange(order.size):
        for f in range(factors):
            out[s, f] = rows[order[s], f]
        for f in range(factors, out.shape[1]):
            out[s, f] = 0.0


@kernel(parallel=True)
def _scatter(work: FloatArray, order: IndexArray, factors: int, rows: FloatArray) -> None:
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
    places: IndexArray,
    start: int,
    stop: int,
    cell: IndexArray,
    first: int,
    taken: NDArray[np.uint8],
    popular: bool,
) -> tuple[int, np.uint64]:
    """Draw a place that the user has not, whose positives in the block are ``places[start:stop]``.

    Numbers n, n + places.size and so on of the key decide; the last one used is returned with the place.
    """
    size = taken.size
    j = _draw(random_bits(key, n), cell, first, size, popular)
    tries = 1
    while taken[j - first] and tries < TRIES:
        n += np.uint64(places.size)
        j = _draw(random_bits(key, n), cell, first, size, popular)
        tries += 1
    if taken[j - first]:
        n += np.uint64(places.size)
        free_draw = to_below(random_bits(key, n), np.uint64(size - (stop - start)))
        j = int(free_place(places, start, stop, first, free_draw))
    return j, n


@kernel(parallel=True)
def _run_diagonal(
    diagonal: int,
    users: FloatArray,
    items: FloatArray,
    biases: FloatArray,
    user_starts: PointerArray,
    item_starts: PointerArray,
    cell_starts: PointerArray,
    counts: IndexArray,
    places: IndexArray,
    key: np.uint64,
    popular: bool,
    hardest_of: int,
    rate: float,
    keep: np.float32,
    keep_bias: np.float32,
    losses: DoubleArray,
    triples: PointerArray,
) -> None:
    blocks = user_starts.size - 1
    for a in prange(blocks):
        b = (a + diagonal) % blocks
        first, size = item_starts[b], item_starts[b + 1] - item_starts[b]
        taken = np.zeros(size, dtype=np.uint8)
        stop = cell_starts[a, b]
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
                j, n = _draw_free(key, np.uint64(t), places, start, stop, cell, first, taken, popular)
                if hardest_of > 1:
                    highest = score(users, items, biases, s, j)
                    for _ in range(1, hardest_of):
                        other, n = _draw_free(
                            key, n + np.uint64(places.size), places, start, stop, cell, first, taken, popular
                        )
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


def run_epoch(
    users: FloatArray,
    items: FloatArray,
    indptr: PointerArray,
    indices: IndexArray,
    *,
    learning_rate: float,
    reg: float,
    bias_reg: float,
    seed: int,
    epoch: int,
    popular: bool = False,
    hardest_of: int = 1,
    blocks: int | None = None,
) -> float:
    """Take one step for each positive, updating the rows of users and items in place.

    A negative is drawn from the items of its block that the user has not, uniformly or as often as items are positives
    of users: from all items of the block up to `TRIES` times, then directly, and uniformly, from the free ones.
    Positives of a user who has every item of a block are left out of this epoch, since there is nothing to compare them
    with.

    Parameters
    ----------
    users : float32 array, shape (users, factors + 1)
        Changed in place, the last column excepted.
    items : float32 array, shape (items, factors + 1)
        Changed in place; the last column is the bias.
    indptr : int64 array, shape (users + 1,)
        Row pointers of the positives.
    indices : int32 array, shape (positives,)
        Items of each user, strictly increasing inside a row.
    learning_rate : float
        Step length of this epoch.
    reg, bias_reg : float
        Pull of factors and of biases towards zero at each step.
    seed, epoch : int
        What the randomness depends on; different epochs of a seed differ.
    popular : bool
        Whether a negative is drawn by popularity: as any positive of the users who are visited together is.
    hardest_of : int
        Draw so many negatives for a step, and take the one that scores highest.
    blocks : int, optional
        Blocks on either side of the grid, by default `default_blocks`. Never derive it from the number of threads:
        the result depends on it.

    Returns
    -------
    float
        Mean of −ln σ(x_ui − x_uj) over the epoch's triples, each before its own step; 0 without triples, not finite
        when the steps diverge.
    """
    n_users, n_items, factors = users.shape[0], items.shape[0], users.shape[1] - 1
    with _threads_for(indices.size * factors):
        grid = group(indptr, indices, n_items, blocks or default_blocks(n_users, n_items), seed, epoch)
        width = -(-factors // _LANES) * _LANES
        user_work, item_work = _aligned(n_users, width), _aligned(n_items, width)
        _gather(users, grid.users, factors, user_work)
        _gather(items, grid.items, factors, item_work)
        biases = items[grid.items, factors]
        losses = np.zeros((grid.blocks, grid.blocks))
        triples = np.zeros((grid.blocks, grid.blocks), dtype=np.int64)
        for diagonal in range(grid.blocks):
            _run_diagonal(
                diagonal,
                user_work,
                item_work,
                biases,
                grid.user_starts,
                grid.item_starts,
                grid.cell_starts,
                grid.counts,
                grid.places,
                key_of(seed, epoch, NEGATIVES),
                popular,
                hardest_of,
                learning_rate,
                np.float32(1.0 - learning_rate * reg),
                np.float32(1.0 - learning_rate * bias_reg),
                losses,
                triples,
            )
        _scatter(user_work, grid.users, factors, users)
        _scatter(item_work, grid.items, factors, items)
        items[grid.items, factors] = biases
    return float(losses.sum() / max(triples.sum(), 1))


@contextlib.contextmanager
def _threads_for(work: int) -> Iterator[None]:
    """Use one thread inside the block when waking others would cost more than it saves; results are the same."""
    threads = numba.get_num_threads()
    if work < _WORTH_THREADS:
        numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(threads)
