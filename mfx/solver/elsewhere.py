"""Rows that lie in blocks with other processes: an update is one pure function on every block.

The unit of work is a block of rows, the other side's table and what of the settings belongs to the block's rows. What
moves is that table, once for all blocks, and each block's solved rows back; the blocks stay where they are. The table
is packed before it moves: processes of one machine that packed it each for themselves would keep copies of it from
staying in the cache that they share. Blocks depend on the data only, so results do not depend on how many processes
there are or which of them solves what.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mfx.interfaces import FloatArray, PointerArray
from mfx.solver.layout import SparseRows, balanced_blocks
from mfx.solver.packed import PackedTable

FEWEST_BLOCKS = 16
"""Even of few ratings, so that a slow process does not hold up the others."""
ENTRIES_PER_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class BlockTask:
    """What is done to one block.

    Attributes
    ----------
    function : callable
        A function of `mfx.solver.least_squares` with the parameters ``(rows, other, out, **settings)``.
    settings : mapping of str to object
        Further arguments, cut down to the block's rows.
    begin : float32 array or None
        The rows that the function starts from; None if it overwrites them.
    """

    function: Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    begin: FloatArray | None = None

    def __call__(self, rows: SparseRows, other: PackedTable) -> tuple[FloatArray, Any]:
        """Return the block's new rows, and what the function returned."""
        shape = (rows.n_rows, other.shape[1])
        out = np.empty(shape, dtype=np.float32) if self.begin is None else np.array(self.begin)
        return out, self.function(rows, other, out, **self.settings)


class RowsElsewhere(abc.ABC):
    """A sparse matrix whose rows lie in contiguous blocks elsewhere; stands in for `SparseRows` in row solves.

    Parameters
    ----------
    counts : int64 array, shape (rows,)
        Entries of each row.
    bounds : int64 array, shape (blocks + 1,)
        Block b owns rows ``bounds[b]:bounds[b + 1]``.
    """

    def __init__(self, counts: PointerArray, bounds: PointerArray) -> None:
        self.counts = counts
        self.bounds = bounds

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.counts.size

    @abc.abstractmethod
    def each(self, other: PackedTable, tasks: Sequence[BlockTask]) -> Iterator[tuple[int, Any]]:
        """Do task b to block b with the other side's table; yield results as they arrive.

        Parameters
        ----------
        other : PackedTable
            The other side's table.
        tasks : sequence of BlockTask
            One a block. The rows that a task begins with may be overwritten once its result was yielded.

        Yields
        ------
        int
            The block.
        tuple
            What the task returned.
        """

    def run(
        self,
        function: Callable[..., Any],
        other: PackedTable,
        out: FloatArray,
        *,
        starts: bool = False,
        by_row: Mapping[str, Any],
        shared: Mapping[str, Any],
    ) -> list[Any]:
        """Run a function of row solves on every block, writing the rows into `out`.

        Parameters
        ----------
        function, other, out
            See `BlockTask`.
        starts : bool
            Whether the rows that are in `out` are where the function starts.
        by_row : mapping of str to array or object
            Arguments with something for each row: arrays, or objects whose ``of_rows(start, stop)`` is that of some
            rows. None is left out.
        shared : mapping of str to object
            Arguments that are the same for all blocks.

        Returns
        -------
        list
            What the function returned for each block, in their order.
        """
        tasks = []
        for start, stop in itertools.pairwise(self.bounds.tolist()):
            own = {name: _of_rows(value, start, stop) for name, value in by_row.items() if value is not None}
            tasks.append(BlockTask(function, {**shared, **own}, out[start:stop] if starts else None))
        found: list[Any] = [None] * len(tasks)
        for block, (rows, result) in self.each(other, tasks):
            out[self.bounds[block] : self.bounds[block + 1]] = rows
            found[block] = result
        return found


def _of_rows(value: Any, start: int, stop: int) -> Any:
    return value[start:stop] if isinstance(value, np.ndarray) else value.of_rows(start, stop)


def block_bounds(indptr: PointerArray, row_cost: float, n_blocks: int | None = None) -> PointerArray:
    """Cut rows into blocks of about equal work for other processes; by default as many as the data ask for."""
    wanted = n_blocks or max(FEWEST_BLOCKS, int(indptr[-1]) // ENTRIES_PER_BLOCK)
    return np.unique(balanced_blocks(indptr, max(1, min(wanted, indptr.size - 1)), row_cost))


def block_of(rows: SparseRows, start: int, stop: int) -> SparseRows:
    """Return some rows as a matrix of their own; entries are shared."""
    entries = slice(int(rows.indptr[start]), int(rows.indptr[stop]))
    indptr = rows.indptr[start : stop + 1] - rows.indptr[start]
    return SparseRows(indptr, rows.indices[entries], rows.values[entries])
