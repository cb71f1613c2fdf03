"""The positives of an epoch dealt to a grid of cells, of which those on one diagonal share no user and no item.

Users and items are dealt to blocks, anew in each epoch; the positives of user block a and item block b are cell (a, b).
The cells (a, a + d), the second index modulo the number of blocks, make up diagonal d: they may be worked on in
parallel, and no number of threads changes the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange

from mfx.interfaces import AnyArray, IndexArray, PointerArray
from mfx.solver.hashing import ITEMS, USERS, key_of, permutation
from mfx.solver.jit import kernel

MOST_BLOCKS = 32
ITEMS_PER_BLOCK = 64


def default_blocks(n_users: int, n_items: int) -> int:
    """Return how many blocks to deal users and items to: a power of two that depends on the sizes only.

    At least 64 items stay in a block, so that negatives are varied, and as many users as there are blocks.
    """
    blocks = 1
    while blocks < MOST_BLOCKS and n_items >= 2 * blocks * ITEMS_PER_BLOCK and n_users >= 4 * blocks * blocks:
        blocks *= 2
    return blocks


@dataclass(frozen=True, eq=False)
class Dealing:
    """Which block each user and item is dealt to in an epoch.

    Attributes
    ----------
    users : int32 array, shape (users,)
        Users in the order of their visits; block a is ``users[user_starts[a]:user_starts[a + 1]]``.
    items : int32 array, shape (items,)
        Items by block, increasing inside a block; block b is ``items[item_starts[b]:item_starts[b + 1]]``.
    user_starts, item_starts : int64 array, shape (blocks + 1,)
        Where blocks begin.
    block_of : int16 array, shape (items,)
        Block of each item.
    place_of : int32 array, shape (items,)
        Position of each item in `items`.
    """

    users: IndexArray
    items: IndexArray
    user_starts: PointerArray
    item_starts: PointerArray
    block_of: AnyArray
    place_of: IndexArray

    @classmethod
    def of(cls, n_users: int, n_items: int, blocks: int, seed: int, epoch: int) -> Dealing:
        """Deal users and items to blocks; `seed` and `epoch` are what that depends on."""
        dealt = permutation(n_items, key_of(seed, epoch, ITEMS))
        item_starts = np.arange(blocks + 1) * n_items // blocks
        block_of = np.empty(n_items, dtype=np.int16)
        block_of[dealt] = np.repeat(np.arange(blocks, dtype=np.int16), np.diff(item_starts))
        items = np.argsort(block_of, kind="stable").astype(np.int32)
        place_of = np.empty(n_items, dtype=np.int32)
        place_of[items] = np.arange(n_items, dtype=np.int32)
        users = permutation(n_users, key_of(seed, epoch, USERS))
        return cls(users, items, np.arange(blocks + 1) * n_users // blocks, item_starts, block_of, place_of)


@dataclass(frozen=True, eq=False)
class Cells:
    """Positives of users, dealt to cells.

    Attributes
    ----------
    starts : int64 array, shape (user blocks, item blocks + 1)
        Cell (a, b) owns ``places[starts[a, b]:starts[a, b + 1]]``.
    counts : int32 array, shape (item blocks, users)
        ``counts[b, s]``: positives of the s-th user who is visited in item block b; they follow each other in the cell.
    places : int32 array, shape (positives,)
        Items of the positives as positions in the order of blocks, increasing for each user inside a cell.
    """

    starts: PointerArray
    counts: IndexArray
    places: IndexArray

    @classmethod
    def of(
        cls, indptr: PointerArray, indices: IndexArray, users: IndexArray, user_starts: PointerArray, dealing: Dealing
    ) -> Cells:
        """Deal the positives of users to cells.

        Parameters
        ----------
        indptr, indices : int64 and int32 array
            Positives of users, strictly increasing inside a row.
        users : int32 array
            Rows in the order of their visits.
        user_starts : int64 array
            Where blocks of them begin.
        dealing : Dealing
            That of the items.
        """
        blocks = dealing.item_starts.size - 1
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(indptr)[users])])
        starts = np.empty((user_starts.size - 1, blocks + 1), dtype=np.int64)
        starts[:, 0] = before[user_starts[:-1]]
        counts = np.zeros((blocks, users.size), dtype=np.int32)
        places = np.empty(indices.size, dtype=np.int32)
        _fill_cells(indptr, indices, users, user_starts, dealing.block_of, dealing.place_of, starts, counts, places)
        return cls(starts, counts, places)


@dataclass(frozen=True, eq=False)
class Grid:
    """The positives of one epoch, dealt to cells.

    Attributes
    ----------
    users, items, user_starts, item_starts
        See `Dealing`.
    cells : Cells
        Those of all users.
    """

    users: IndexArray
    items: IndexArray
    user_starts: PointerArray
    item_starts: PointerArray
    cells: Cells

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
    dealing = Dealing.of(indptr.size - 1, n_items, blocks, seed, epoch)
    cells = Cells.of(indptr, indices, dealing.users, dealing.user_starts, dealing)
    return Grid(dealing.users, dealing.items, dealing.user_starts, dealing.item_starts, cells)


@kernel(parallel=True)
def _fill_cells(
    indptr: PointerArray,
    indices: IndexArray,
    users: IndexArray,
    user_starts: PointerArray,
    block_of: AnyArray,
    place_of: IndexArray,
    cell_starts: PointerArray,
    counts: IndexArray,
    places: IndexArray,
) -> None:
    blocks = cell_starts.shape[1] - 1
    for a in prange(user_starts.size - 1):
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


@kernel()
def free_place(places: IndexArray, start: int, stop: int, first: int, r: np.int64) -> np.int64:
    """Return the r-th place (from 0) at or after `first` that is not among ``places[start:stop]``, which increase."""
    low, high = start, stop
    while low < high:
        middle = (low + high) >> 1
        if places[middle] - first - (middle - start) > r:
            high = middle
        else:
            low = middle + 1
    return np.int64(first + r + (low - start))
