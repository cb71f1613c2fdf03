"""Gram matrices in registers: the innermost loop of every row solve."""

from __future__ import annotations

import numpy as np

from mfx.interfaces import FloatArray
from mfx.solver.jit import kernel
from mfx.solver.vectors import LANES, STRIP, make_tile

EDGES = 2
"""Columns of the narrow left array of `add_edges`."""

_add_one = make_tile(STRIP, 1)
_add_two = make_tile(STRIP, 2)
_add_edges_one = make_tile(EDGES, 1)
_add_edges_four = make_tile(EDGES, 4)


@kernel()
def add_gram(gathered: FloatArray, count: int, first: int, size: int, scale: float, gram: FloatArray) -> None:
    """Add the upper triangle of ``scale * gathered[:count].T @ gathered[:count]`` to `gram`, from `first` on.

    Parameters
    ----------
    gathered : float32 array, shape (rows, width)
        C-contiguous; `width` is a multiple of `LANES`.
    count : int
        How many rows to take.
    first, size : int
        Only rows and columns ``first <= j < size`` matter; `first` is a multiple of `LANES`.
    scale : float
        Factor, such as -1 to subtract.
    gram : float32 array, shape (width, width)
        C-contiguous. Tiles also fill some places below the diagonal and beyond `size`.
    """
    for row in range(first, size, STRIP):
        add_gram_strip(gathered, count, row, scale, gram)


@kernel()
def add_gram_strip(gathered: FloatArray, count: int, row: int, scale: float, gram: FloatArray) -> None:
    """Do the part of `add_gram` that concerns `STRIP` rows of `gram` from `row`, a multiple of it."""
    width = gram.shape[1]
    factor = np.float32(scale)
    column = row // LANES * LANES
    while column + 2 * LANES <= width:
        _add_two(factor, gathered, gathered, count, row, column, gram)
        column += 2 * LANES
    if column < width:
        _add_one(factor, gathered, gathered, count, row, column, gram)


@kernel()
def add_edges(sides: FloatArray, gathered: FloatArray, count: int, out: FloatArray) -> None:
    """Add ``sides[:count].T @ gathered[:count]`` to `out`.

    Parameters
    ----------
    sides : float32 array, shape (rows, EDGES)
        C-contiguous.
    gathered : float32 array, shape (rows, width)
        C-contiguous; `width` is a multiple of `LANES`.
    count : int
        How many rows to take.
    out : float32 array, shape (EDGES, width)
        C-contiguous.
    """
    width = out.shape[1]
    one = np.float32(1.0)
    column = 0
    while column + 4 * LANES <= width:
        _add_edges_four(one, sides, gathered, count, 0, column, out)
        column += 4 * LANES
    while column < width:
        _add_edges_one(one, sides, gathered, count, 0, column, out)
        column += LANES
