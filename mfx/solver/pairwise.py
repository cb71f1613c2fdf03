"""Bayesian personalised ranking by stochastic gradient steps, in an order that no number of threads can change.

Maximises (Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking from implicit
feedback", BPR-Opt and its stochastic gradient)

    Σ over (u, i, j)  ln σ(x_ui − x_uj) − (reg/2)·(‖u‖² + ‖vᵢ‖² + ‖vⱼ‖²) − (bias_reg/2)·(bᵢ² + bⱼ²),   x_ui = u·vᵢ + bᵢ

where i is an item that user u has and j one that u has not. An epoch visits each positive (u, i) once, with one j.

Rows of users have shape (users, factors + 1) and rows of items (items, factors + 1), the bias last, as in the rest of
the solver; the users' last column is left alone, since a user's bias cancels.

Schedule of an epoch: users and items are dealt to `blocks` blocks each, anew in each epoch. The positives of user block
a and item block b are cell (a, b), and their negatives come from item block b too. The cells of one diagonal share no user
and no item, so they run in parallel; inside a cell users follow each other in random order. Two items meet as positive and
negative whenever an epoch deals them to the same block.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numba import prange

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.hashing import key_of, permutation, random_bits, to_below
from mfx.solver.jit import kernel

_USERS, _ITEMS, _NEGATIVES, _FOLD = range(4)
_LANES = 16
_WORTH_THREADS = 1 << 25
_STEEP, _LARGE = -80.0, 1e200
MOST_BLOCKS = 32
ITEMS_PER_BLOCK = 64
TRIES = 8


def default_blocks(n_users: int, n_items: int) -> int:
    """Return how many blocks to deal users and items to: a power of two that depends on the sizes only.

    At least 64 items stay in a block, so that negatives are varied, and as many users as there are blocks.
    """
    blocks = 1
    while blocks < MOST_BLOCKS and n_items >= 2 * blocks * ITEMS_PER_BLOCK and n_users >= 4 * blocks * blocks:
        blocks *= 2
    return blocks


@dataclass(frozen=True, eq=False)
class Grid:
    """The positives of one epoch, dealt to cells.

    Attributes
    ----------
    users : int32 array, shape (users,)
        Users in the order of their visits; block a is ``users[user_starts[a]:user_starts[a + 1]]``.
    items : int32 array, shape (items,)
        Items by block, increasing inside a block; block b is ``items[item_starts[b]:item_starts[b + 1]]``.
    user_starts, item_starts : int64 array, shape (blocks + 1,)
        Where blocks begin.
    cell_starts : int64 array, shape (blocks, blocks + 1)
        Cell (a, b) owns ``places[cell_starts[a, b]:cell_starts[a, b + 1]]``.
    counts : int32 array, shape (blocks, users)
        ``counts[b, s]``: positives of user ``users[s]`` in item block b; they follow each other in the cell.
    places : int32 array, shape (positives,)
        Items of the positives as positions in `items`, increasing for each user inside a cell.
    """

    users: IndexArray
    items: IndexArray
    user_starts: PointerArray
    item_starts: PointerArray
    cell_starts: PointerArray
    counts: IndexArray
    places: IndexArray

    @property
    def blocks(self) -> int:
        """Number of user blocks, and of item blocks."""
        return self.user_starts.size - 1


def group(indptr: PointerArray, indices: IndexArray, n_items: int, blocks: int, seed: int, epoch: int) -> Grid:
    """Deal the positives of an epoch to cells.

    Parameters
    ----------
    indptr : int64 array, shape (users + 1,)
        Row pointers.
    indices : int32 array, shape (positives,)
        Items of each user, strictly increasing inside a row.
    n_items : int
        Items there are, rated or not.
    blocks : int
        Blocks on either side; see `default_blocks`.
    seed, epoch : int
        What the dealing depends on.
    """
    n_users = indptr.size - 1
    users = permutation(n_users, key_of(seed, epoch, _USERS))
    dealt = permutation(n_items, key_of(seed, epoch, _ITEMS))
    user_starts = np.arange(blocks + 1) * n_users // blocks
    item_starts = np.arange(blocks + 1) * n_items // blocks
    block_of = np.empty(n_items, dtype=np.int16)
    block_of[dealt] = np.repeat(np.arange(blocks, dtype=np.int16), np.diff(item_starts))
    items = np.argsort(block_of, kind="stable").astype(np.int32)
    place_of = np.empty(n_items, dtype=np.int32)
    place_of[items] = np.arange(n_items, dtype=np.int32)

    lengths = np.diff(indptr)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[users])])
    cell_starts = np.empty((blocks, blocks + 1), dtype=np.int64)
    cell_starts[:, 0] = before[user_starts[:-1]]
    counts = np.zeros((blocks, n_users), dtype=np.int32)
    places = np.empty(indices.size, dtype=np.int32)
    _fill_cells(indptr, indices, users, user_starts, block_of, place_of, cell_starts, counts, places)
    return Grid(users, items, user_starts, item_starts, cell_starts, counts, places)


@kernel(parallel=True)
def _fill_cells(
    indptr: PointerArray,
    indices: IndexArray,
    users: IndexArray,
    user_starts: PointerArray,
    block_of: IndexArray,
    place_of: IndexArray,
    cell_starts: PointerArray,
    counts: IndexArray,
    places: IndexArray,
) -> None:
    blocks = user_starts.size - 1
    for a in prange(blocks):
        for s in range(user_starts[a], user_starts[a + 1]):
            u = users[s]
            for t in range(indptr[u], indptr[u + 1]):
                counts[block_of[indices[t]], s] += 1
        for b in range(blocks):
            total = 0
            for s in range(user_starts[a], user_starts[a + 1]):
                total += counts[b, s]
            cell_starts[a, b + 1] = cell_starts[a, b] + total
        fill = cell_starts[a, :blocks].copy()
        for s in range(user_starts[a], user_starts[a + 1]):
            u = users[s]
            for t in range(indptr[u], indptr[u + 1]):
                item = indices[t]
                b = block_of[item]
                places[fill[b]] = place_of[item]
                fill[b] += 1


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
def free_place(places: IndexArray, start: int, stop: int, first: int, r: int) -> int:
    """Return the r-th place (from 0) at or after `first` that is not among ``places[start:stop]``, which increase."""
    low, high = start, stop
    while low < high:
        middle = (low + high) >> 1
        if places[middle] - first - (middle - start) > r:
            high = middle
        else:
            low = middle + 1
    return first + r + (low - start)


@kernel()
def margin(users: FloatArray, items: FloatArray, biases: FloatArray, u: int, i: int, j: int) -> np.float32:
    """Return x_ui − x_uj of rows u, i and j; the width of a row is that of `users`."""
    x = biases[i] - biases[j]
    for f in range(users.shape[1]):
        x += users[u, f] * (items[i, f] - items[j, f])
    return x


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
        loss, product, done = 0.0, 1.0, 0
        for s in range(user_starts[a], user_starts[a + 1]):
            start = stop
            stop += counts[b, s]
            free = size - (stop - start)
            if free == 0:
                continue
            for t in range(start, stop):
                taken[places[t] - first] = 1
            for t in range(start, stop):
                i, n = places[t], np.uint64(t)
                j = first + np.int64(to_below(random_bits(key, n), np.uint64(size)))
                tries = 1
                while taken[j - first] and tries < TRIES:
                    n += np.uint64(places.size)
                    j = first + np.int64(to_below(random_bits(key, n), np.uint64(size)))
                    tries += 1
                if taken[j - first]:
                    n += np.uint64(places.size)
                    j = free_place(places, start, stop, first, np.int64(to_below(random_bits(key, n), np.uint64(free))))
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
    blocks: int | None = None,
) -> float:
    """Take one step for each positive, updating the rows of users and items in place.

    A negative is drawn uniformly from the items of its block that the user has not: from all of them up to `TRIES`
    times, then directly from the free ones. Positives of a user who has every item of a block are left out of this
    epoch, since there is nothing to compare them with.

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
                key_of(seed, epoch, _NEGATIVES),
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


def fold_in(
    items: FloatArray,
    indptr: PointerArray,
    indices: IndexArray,
    *,
    learning_rate: float,
    reg: float,
    epochs: int,
    seed: int,
) -> FloatArray:
    """Return rows of new users from their positives, the items' rows being fixed.

    Stochastic steps on the user's row alone, from zero: each of `epochs` passes visits the positives once, each with
    a negative drawn uniformly from all items that the user has not, and the learning rate falls linearly towards zero.
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

    Returns
    -------
    float32 array, shape (new users, factors + 1)
        The last column is zero.
    """
    rows = np.zeros((indptr.size - 1, items.shape[1]), dtype=np.float32)
    _fold_rows(items, indptr, indices, learning_rate, reg, epochs, key_of(seed, _FOLD), rows)
    return rows


@kernel(parallel=True)
def _fold_rows(
    items: FloatArray,
    indptr: PointerArray,
    indices: IndexArray,
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
                j = free_place(indices, start, stop, 0, np.int64(to_below(random_bits(key, n), np.uint64(free))))
                n += np.uint64(1)
                x = items[i, factors] - items[j, factors]
                for f in range(factors):
                    x += rows[u, f] * (items[i, f] - items[j, f])
                pull = np.float32(rate / (1.0 + math.exp(float(x))))
                for f in range(factors):
                    rows[u, f] = keep * rows[u, f] + pull * (items[i, f] - items[j, f])
