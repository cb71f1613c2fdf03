"""What workers do in an epoch of pairwise steps: pure functions of the positives and rows that they are given.

Each epoch deals users anew. Blocks of users' positives, which stay where they are, are cut by the groups that their
users are dealt to (`cut`); each group is put together and divided into tiles (`tiles`); and round by round groups of
users meet groups of items (`step`), as `mfx.solver.tiles` orders them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mfx.engine.worker import writable
from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PartColumns, PointerArray
from mfx.models.positives import positives
from mfx.solver.grid import Cells, Dealing
from mfx.solver.layout import take_rows
from mfx.solver.pairwise_kernels import aligned
from mfx.solver.tiles import StepArguments, Tile, waves

Piece = tuple[IndexArray, PointerArray, IndexArray]
"""Some users of a group: the numbers of their visits, increasing, how many positives each has, and those."""


def user_positives(
    columns: PartColumns, users: range, n_items: int, threshold: float | None
) -> tuple[tuple[PointerArray, IndexArray], tuple[PointerArray, PointerArray]]:
    """Find the positives of a part's users; return rows of them, how many each user has, and how many each item."""
    index, items, values, _ = columns
    indptr, indices = positives(index - np.int32(users.start), items, values, len(users), threshold)
    return (indptr, indices), (np.diff(indptr), np.bincount(indices, minlength=n_items))


def cut(
    rows: tuple[PointerArray, IndexArray], first: int, visit_of: IndexArray, group_starts: PointerArray
) -> list[Piece]:
    """Cut the positives of consecutive users by group.

    Parameters
    ----------
    rows : tuple of array
        Row pointers and items; the first row is that of user `first`.
    first : int
        Its number.
    visit_of : int32 array, shape (users,)
        When each user is visited: the inverse of the order of visits.
    group_starts : int64 array, shape (groups + 1,)
        At which visit groups begin.
    """
    indptr, indices = map(writable, rows)
    visits = visit_of[first : first + indptr.size - 1]
    order = np.argsort(visits)
    pointers, items = take_rows(indptr, indices, order)
    visits, lengths = visits[order], np.diff(pointers)
    ends = np.searchsorted(visits, group_starts)
    return [(visits[a:b], lengths[a:b], items[pointers[a] : pointers[b]]) for a, b in itertools.pairwise(ends.tolist())]


def tiles(
    dealing: Dealing, own: range, groups: Sequence[range], before: int, stride: int, pieces: Sequence[Piece]
) -> list[Tile]:
    """Put a group of users together, and divide it into its tiles, one for each group of items.

    Parameters
    ----------
    dealing : Dealing
        That of the epoch.
    own : range
        The group's user blocks.
    groups : sequence of range
        The item blocks of each group.
    before, stride : int
        Positives of the users who are visited before the group, and of all users.
    pieces : sequence of Piece
        The group's users, as `cut` found them.
    """
    visits, lengths, items = (np.concatenate([piece[i] for piece in pieces]) for i in range(3))
    pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    indptr, indices = take_rows(pointers, items, np.argsort(visits))
    starts = dealing.user_starts[own.start : own.stop + 1] - dealing.user_starts[own.start]
    cells = Cells.of(indptr, indices, np.arange(indptr.size - 1, dtype=np.int32), starts, dealing)
    return [Tile.cut(cells, starts, dealing.item_starts, blocks, before, stride) for blocks in groups]


@dataclass(frozen=True, eq=False)
class ItemRows:
    """Rows of a group of items: factors, in whole cache lines, and biases."""

    factors: FloatArray
    biases: FloatArray


@dataclass(frozen=True, eq=False)
class Stepped:
    """What became of a tile: sum of losses and number of triples of its cells."""

    losses: DoubleArray
    triples: PointerArray


def step(
    tile: Tile, users: FloatArray, items: ItemRows, differences: range, steps: StepArguments
) -> tuple[FloatArray, ItemRows, Stepped]:
    """Take the steps of a tile's cells whose item block minus user block is among `differences`; return new rows."""
    own, other = copied(users), ItemRows(copied(items.factors), np.array(items.biases))
    cells = waves(len(tile.user_starts) - 1, len(tile.item_starts) - 1, differences)
    losses, triples = writable(tile).run(own, other.factors, other.biases, cells, steps)
    return own, other, Stepped(losses, triples)


def copied(rows: FloatArray) -> FloatArray:
    """Copy rows to memory of this process, on cache lines."""
    copy = aligned(*rows.shape)
    copy[:] = rows
    return copy
