"""Tiles of a grid of pairwise steps: some user blocks times some item blocks, which one process can work on.

Two cells conflict where they share a user block or an item block. `mfx.solver.pairwise` visits cell (a, b) on diagonal
(b - a) modulo the number of blocks, so the order of two cells that conflict is that of their diagonals. Let the blocks
of either side be in the same groups, one after the other, and tile (A, B) be the cells of groups A and B. Then the
tiles of a round may be worked on in parallel, and rounds one after the other, to the result of whole diagonals:

    round 0        tiles (A, A), the cells with b >= a
    round k        tiles (A, A + k), the second number modulo the number of groups
    last round     tiles (A, A), the cells with b < a

since a user block then meets the item blocks from its own number upwards, and an item block the user blocks from its
own number downwards, as they do by diagonals. Inside a tile, cells go by b - a, upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.grid import Cells, Grid
from mfx.solver.pairwise_kernels import run_cells

StepArguments = tuple[np.uint64, bool, int, float, np.float32, np.float32]
"""Key, popular, hardest_of, learning rate, and what is kept of factors and of biases at each step."""


@dataclass(frozen=True, eq=False)
class Tile:
    """What the steps of a tile need beside rows; blocks, users and places of items are counted from its own first.

    Attributes
    ----------
    user_starts, item_starts, cell_starts, counts, places
        As of `mfx.solver.grid.Grid`.
    numbers : int64 array, shape (user blocks, item blocks)
        Place of each cell's first positive among all of the grid: what it draws by.
    stride : int
        How many positives the grid has.
    """

    user_starts: PointerArray
    item_starts: PointerArray
    cell_starts: PointerArray
    counts: IndexArray
    places: IndexArray
    numbers: PointerArray
    stride: int

    @classmethod
    def of_grid(cls, grid: Grid) -> Tile:
        """Take the whole grid for one tile."""
        cells = grid.cells
        numbers = np.ascontiguousarray(cells.starts[:, :-1])
        stride = cells.places.size
        return cls(grid.user_starts, grid.item_starts, cells.starts, cells.counts, cells.places, numbers, stride)

    @classmethod
    def cut(
        cls, cells: Cells, user_starts: PointerArray, item_starts: PointerArray, blocks: range, before: int, stride: int
    ) -> Tile:
        """Cut the columns of some item blocks out of the cells of a group of users.

        Parameters
        ----------
        cells : Cells
            Those of the group's user blocks, in all item blocks.
        user_starts : int64 array
            Where the group's user blocks begin, from 0.
        item_starts : int64 array
            Where all item blocks begin.
        blocks : range
            The item blocks.
        before, stride : int
            Positives of the users before the group, and of all users.
        """
        starts = cells.starts[:, blocks.start : blocks.stop + 1]
        first = item_starts[blocks.start]
        ends = np.cumsum(starts[:, -1] - starts[:, 0])
        moved = np.concatenate([[0], ends[:-1]]) - starts[:, 0]
        return cls(
            user_starts,
            item_starts[blocks.start : blocks.stop + 1] - first,
            starts + moved[:, None],
            np.ascontiguousarray(cells.counts[blocks.start : blocks.stop]),
            np.concatenate([cells.places[row[0] : row[-1]] for row in starts]) - np.int32(first),
            before + starts[:, :-1],
            stride,
        )

    def run(
        self,
        users: FloatArray,
        items: FloatArray,
        biases: FloatArray,
        waves: Iterable[PointerArray],
        steps: StepArguments,
    ) -> tuple[DoubleArray, PointerArray]:
        """Take the steps of cells, changing rows in place.

        Parameters
        ----------
        users, items : float32 arrays
            Factors of the tile's users and items, in the order of the grid, in whole cache lines.
        biases : float32 array
            Those of the items.
        waves : iterable of int64 array, shape (cells, 2)
            Cells to visit; those of a wave share no block.
        steps : tuple
            Arguments of `mfx.solver.pairwise.Steps`.

        Returns
        -------
        losses, triples : float64 and int64 array, shape (user blocks, item blocks)
            Sum of the losses of each cell's triples, and how many they are; 0 for cells that were not visited.
        """
        losses, triples = np.zeros(self.numbers.shape), np.zeros(self.numbers.shape, dtype=np.int64)
        for cells in waves:
            run_cells(
                cells,
                users,
                items,
                biases,
                self.user_starts,
                self.item_starts,
                self.cell_starts,
                self.numbers,
                self.counts,
                self.places,
                np.uint64(self.stride),
                *steps,
                losses,
                triples,
            )
        return losses, triples


def waves(n_user_blocks: int, n_item_blocks: int, differences: range) -> Iterator[PointerArray]:
    """Order the cells (a, b) of a tile whose b - a is among `differences`: by that, upwards."""
    for difference in differences:
        rows = [(a, a + difference) for a in range(n_user_blocks) if 0 <= a + difference < n_item_blocks]
        if rows:
            yield np.array(rows, dtype=np.int64)


def rounds(groups: list[range]) -> Iterator[list[tuple[int, int, range]]]:
    """Order the tiles of a grid.

    Parameters
    ----------
    groups : list of range
        The blocks of each group, of users and of items alike.

    Yields
    ------
    list of tuple
        Tiles that share nothing: group of users, group of items, and the differences b - a of the cells to visit.
    """
    count = len(groups)
    for number in range(count + 1):
        tiles = []
        for a, own in enumerate(groups):
            b = (a + number) % count
            upwards = range(1 - len(own), len(groups[b]))
            if number == 0:
                upwards = range(len(own))
            elif number == count:
                upwards = range(1 - len(own), 0)
            if upwards:
                tiles.append((a, b, upwards))
        yield tiles
