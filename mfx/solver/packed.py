"""One side's table laid out for the row solves of the other: in whole vectors, the offset added to its biases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfx.interfaces import FloatArray
from mfx.solver.row_kernels import pack
from mfx.solver.vectors import width_of


@dataclass(frozen=True, eq=False)
class PackedTable:
    """The other side's table as kernels want it, laid out once for several blocks of rows.

    Attributes
    ----------
    shape : tuple of int
        Shape of the table: rows, and factors + 1.
    rows : float32 array, shape (rows, width)
        Factors, in whole vectors.
    shifts : float32 array, shape (rows,)
        Bias plus offset.
    offset : float
        The offset.
    """

    shape: tuple[int, int]
    rows: FloatArray
    shifts: FloatArray
    offset: float

    @classmethod
    def of(cls, table: FloatArray, offset: float) -> PackedTable:
        """Lay out a table of factors and biases, with a constant part of every prediction."""
        rows = np.empty((len(table), width_of(table.shape[1] - 1)), dtype=np.float32)
        shifts = np.empty(len(table), dtype=np.float32)
        pack(table, np.float32(offset), rows, shifts)
        return cls((len(table), table.shape[1]), rows, shifts, offset)
