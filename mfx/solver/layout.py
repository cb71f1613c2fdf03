"""Sparse ratings in compressed rows, by user and by item, and their division into blocks of equal work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfx.interfaces import FloatArray, IndexArray, PointerArray
from mfx.solver.jit import kernel


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A sparse matrix in CSR layout; columns of a row are in increasing order.

    Attributes
    ----------
    indptr : int64 array, shape (rows + 1,)
        Row r owns entries ``indptr[r]:indptr[r + 1]``.
    indices : int32 array, shape (entries,)
        Column of each entry.
    values : float32 array, shape (entries,)
        Value of each entry.
    """

    indptr: PointerArray
    indices: IndexArray
    values: FloatArray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.indptr.size - 1

    @property
    def counts(self) -> PointerArray:
        """Entries of each row, int64, shape (rows,)."""
        return np.diff(self.indptr)


def transpose(rows: SparseRows, n_columns: int) -> SparseRows:
    """Return the transposed matrix by a counting sort: linear in the entries, stable, no temporary keys.

    Parameters
    ----------
    rows : SparseRows
        The matrix.
    n_columns : int
        Its number of columns, at least one above the largest index.
    """
    indptr = np.zeros(n_columns + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows.indices, minlength=n_columns), out=indptr[1:])
    indices = np.empty_like(rows.indices)
    values = np.empty_like(rows.values)
    _scatter(rows.indptr, rows.indices, rows.values, indptr[:-1].copy(), indices, values)
    return SparseRows(indptr, indices, values)


@kernel()
def _scatter(
    indptr: PointerArray,
    indices: IndexArray,
    values: FloatArray,
    next_free: PointerArray,
    out_indices: IndexArray,
    out_values: FloatArray,
) -> None:
    for row in range(indptr.size - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            place = next_free[indices[entry]]
            next_free[indices[entry]] = place + 1
            out_indices[place] = row
            out_values[place] = values[entry]


def take_rows(indptr: PointerArray, indices: IndexArray, order: PointerArray) -> tuple[PointerArray, IndexArray]:
    """Return some rows of a matrix in an order: row pointers and columns."""
    taken = np.zeros(order.size + 1, dtype=np.int64)
    np.cumsum(np.diff(indptr)[order], out=taken[1:])
    out = np.empty(int(taken[-1]), dtype=np.int32)
    _copy_rows(indptr, indices, order, taken, out)
    return taken, out


@kernel()
def _copy_rows(
    indptr: PointerArray, indices: IndexArray, order: PointerArray, taken: PointerArray, out: IndexArray
) -> None:
    for place in range(order.size):
        begin, start = indptr[order[place]], taken[place]
        for n in range(taken[place + 1] - start):
            out[start + n] = indices[begin + n]


def balanced_blocks(indptr: PointerArray, n_blocks: int, row_cost: float) -> PointerArray:
    """Cut the rows into contiguous blocks of about equal work.

    Parameters
    ----------
    indptr : int64 array, shape (rows + 1,)
        Row pointers.
    n_blocks : int
        How many blocks are wanted; a block may be empty when one row holds more than its share.
    row_cost : float
        Cost of a row as such, in units of the cost of one entry.

    Returns
    -------
    int64 array, shape (n_blocks + 1,)
        Block b owns rows ``bounds[b]:bounds[b + 1]``. Depends on the data only, never on the number of threads.
    """
    work = indptr + row_cost * np.arange(indptr.size)
    targets = np.linspace(0.0, work[-1], n_blocks + 1)
    bounds = np.searchsorted(work, targets, side="left").astype(np.int64)
    bounds[0], bounds[-1] = 0, indptr.size - 1
    return bounds
