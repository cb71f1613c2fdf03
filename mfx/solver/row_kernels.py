"""Kernels of the row solves: gather, Gram matrix, penalty, on small buffers that a block of rows shares.

The normal equations of a row of n entries in (factors w, bias b), with X the n gathered rows, c the constant column
and t the targets, are kept as

    gram[:, :]   X^T X             edges[0]   X^T c             corner   c.c, c.t, t.t
                                   edges[1]   X^T t

so that the matrix has the width of the factors alone and its sums stay in whole vectors.
"""

from __future__ import annotations

import numba
import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.cholesky import SCRATCH, solve_row
from mfx.solver.gram import EDGES, add_edges, add_gram, add_gram_strip
from mfx.solver.jit import kernel
from mfx.solver.vectors import STRIP, prefetch_row, set_row


@kernel(parallel=True)
def solve_blocks(
    bounds: PointerArray,
    out: FloatArray,
    minima: DoubleArray,
    indptr: PointerArray,
    indices: IndexArray,
    values: FloatArray,
    other: FloatArray,
    shifts: FloatArray,
    constant: np.float32,
    ridge: FloatArray,
    scales: FloatArray,
    centres: FloatArray,
    pulls: FloatArray,
    roots: FloatArray,
    base: FloatArray,
    noise: FloatArray,
) -> None:
    """Solve the rows of each block into `out`, and note the minimum of each row's objective."""
    size, width = out.shape[1] - 1, other.shape[1]
    for block in numba.prange(bounds.size - 1):
        gathered = np.empty((_chunk(width), width), dtype=np.float32)
        sides = np.empty((_chunk(width), EDGES), dtype=np.float32)
        gram = np.zeros((width, width), dtype=np.float32)
        edges = np.zeros((EDGES, width), dtype=np.float32)
        corner = np.zeros(3, dtype=np.float64)
        work = np.zeros((width + SCRATCH, width), dtype=np.float32)
        for row in range(bounds[block], bounds[block + 1]):
            begin, end = indptr[row], indptr[row + 1]
            set_base(base, size, gram, edges, corner)
            add_entries(
                begin, end, indices, values, roots, other, shifts, constant, size, gathered, sides, gram, edges, corner
            )
            add_penalty(row, size, ridge, scales, centres, pulls, gram, edges, corner)
            minima[row] = solve_row(gram, edges, corner, size, noise[row : row + 1], work, out[row])


@kernel(parallel=True)
def solve_profiles(
    bounds: PointerArray,
    out: FloatArray,
    minima: DoubleArray,
    order: PointerArray,
    profile_of_row: IndexArray,
    profile_indptr: PointerArray,
    profile_indices: IndexArray,
    profile_weights: DoubleArray,
    own_columns: IndexArray,
    own: DoubleArray,
    curvature: DoubleArray,
    indptr: PointerArray,
    indices: IndexArray,
    values: FloatArray,
    other: FloatArray,
    shifts: FloatArray,
    constant: np.float32,
    ridge: FloatArray,
    scales: FloatArray,
    centres: FloatArray,
    pulls: FloatArray,
    roots: FloatArray,
    base: FloatArray,
    noise: FloatArray,
) -> None:
    """Solve the rows in the given order, block by block, and sum their curvature, one partial sum a block.

    Only the blocks of features above the diagonal are filled, and those on it.
    """
    size, width, n_own = out.shape[1] - 1, other.shape[1], own.shape[1]
    for block in numba.prange(bounds.size - 1):
        gathered = np.empty((_chunk(width), width), dtype=np.float32)
        sides = np.empty((_chunk(width), EDGES), dtype=np.float32)
        gram = np.zeros((width, width), dtype=np.float32)
        edges = np.zeros((EDGES, width), dtype=np.float32)
        corner = np.zeros(3, dtype=np.float64)
        work = np.zeros((width + SCRATCH, width), dtype=np.float32)
        totals = np.zeros(((n_own + 1) * (n_own + 2) // 2, size + 1, size + 1), dtype=np.float64)
        numbers = np.ones(n_own + 1, dtype=np.float64)
        for place in range(bounds[block], bounds[block + 1]):
            row = order[place]
            begin, end = indptr[row], indptr[row + 1]
            set_base(base, size, gram, edges, corner)
            add_entries(
                begin, end, indices, values, roots, other, shifts, constant, size, gathered, sides, gram, edges, corner
            )
            numbers[1:] = own[row]
            _add_moments(numbers, size, gram, edges, corner, totals)
            add_penalty(row, size, ridge, scales, centres, pulls, gram, edges, corner)
            minima[row] = solve_row(gram, edges, corner, size, noise[row : row + 1], work, out[row])
            profile = profile_of_row[row]
            if place + 1 == bounds[block + 1] or profile_of_row[order[place + 1]] != profile:
                some = slice(profile_indptr[profile], profile_indptr[profile + 1])
                _spread(profile_indices[some], profile_weights[some], own_columns, totals, curvature[block])
                totals[:] = 0.0


@kernel()
def _chunk(width: int) -> int:
    """Rows gathered at a time: 16 KB of them stay in the first-level cache."""
    return max(32, 4096 // width)


@kernel()
def set_base(base: FloatArray, size: int, gram: FloatArray, edges: FloatArray, corner: DoubleArray) -> None:
    """Set the system to the common term of all rows, given as a symmetric matrix of factors and bias, or to zero."""
    gram[:] = np.float32(0.0)
    edges[:] = np.float32(0.0)
    corner[:] = 0.0
    if base.shape[0] > 0:
        for a in range(size):
            for b in range(a, size):
                gram[a, b] = base[a, b]
            edges[0, a] = base[size, a]
        corner[0] = base[size, size]


@kernel()
def add_entries(
    begin: int,
    end: int,
    indices: IndexArray,
    values: FloatArray,
    roots: FloatArray,
    other: FloatArray,
    shifts: FloatArray,
    constant: np.float32,
    size: int,
    gathered: FloatArray,
    sides: FloatArray,
    gram: FloatArray,
    edges: FloatArray,
    corner: DoubleArray,
) -> None:
    """Add the entries `begin` to `end` of the sparse rows to the system; `roots` are the roots of their weights."""
    chunk = gathered.shape[0]
    for start in range(begin, end, chunk):
        count = min(chunk, end - start)
        constants, products, squares = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for n in range(count):
            root = roots[start + n] if roots.size > 0 else np.float32(1.0)
            index = indices[start + n]
            set_row(root, other, index, gathered, n, 0)
            weight, target = root * constant, root * (values[start + n] - shifts[index])
            sides[n, 0], sides[n, 1] = weight, target
            constants += weight * weight
            products += weight * target
            squares += target * target
        corner[0] += constants
        corner[1] += products
        corner[2] += squares
        # The tables are larger than the near caches: while sums are made, what comes next is on its way.
        after = start + count
        coming = min(count, indices.size - after)
        for row in range(0, size, STRIP):
            for n in range(coming * row // size, coming * min(row + STRIP, size) // size):
                prefetch_row(other, indices[after + n])
            add_gram_strip(gathered, count, row, 1.0, gram)
        add_edges(sides, gathered, count, edges)


@kernel()
def add_penalty(
    row: int,
    size: int,
    ridge: FloatArray,
    scales: FloatArray,
    centres: FloatArray,
    pulls: FloatArray,
    gram: FloatArray,
    edges: FloatArray,
    corner: DoubleArray,
) -> None:
    """Add ridge, times the row's entry of `scales` if there are any, and prior of a row to its system.

    `pulls` has a row for each row of the side, or one for all.
    """
    scale = scales[row] if scales.size > 0 else np.float32(1.0)
    for j in range(size):
        gram[j, j] += scale * ridge[j]
    corner[0] += scale * ridge[size]
    if centres.shape[0] > 0:
        own = row if pulls.shape[0] > 1 else 0
        for j in range(size):
            pull = pulls[own, j] * centres[row, j]
            gram[j, j] += pulls[own, j]
            edges[1, j] += pull
            corner[2] += pull * centres[row, j]
        pull = pulls[own, size] * centres[row, size]
        corner[0] += pulls[own, size]
        corner[1] += pull
        corner[2] += pull * centres[row, size]


@kernel()
def _add_moments(
    numbers: DoubleArray, size: int, gram: FloatArray, edges: FloatArray, corner: DoubleArray, totals: DoubleArray
) -> None:
    """Add the upper triangle of a row's ``X^T X``, times the products of its numbers two by two, to the totals."""
    moment = 0
    for first in range(numbers.size):
        for second in range(first, numbers.size):
            weight = numbers[first] * numbers[second]
            for a in range(size):
                for b in range(a, size):
                    totals[moment, a, b] += weight * gram[a, b]
                totals[moment, a, size] += weight * edges[0, a]
            totals[moment, size, size] += weight * corner[0]
            moment += 1


@kernel()
def _spread(
    columns: IndexArray, weights: DoubleArray, own_columns: IndexArray, totals: DoubleArray, out: DoubleArray
) -> None:
    """Add ``sum_i g_i g_i^T (x) X_i^T X_i`` over the rows of one profile.

    The features are those of the profile, at `columns`, and those of each row's own, at `own_columns`; `totals` holds
    the upper triangles of the sums of ``X_i^T X_i`` times 1, the own features, and their products (`_add_moments`).
    """
    for moment in range(totals.shape[0]):
        for a in range(totals.shape[1]):
            for b in range(a):
                totals[moment, a, b] = totals[moment, b, a]
    for first in range(columns.size):
        for second in range(first, columns.size):
            _add_block(columns[first], columns[second], weights[first] * weights[second], totals[0], out)
    moment = own_columns.size + 1
    for first in range(own_columns.size):
        for at in range(columns.size):
            _add_block(columns[at], own_columns[first], weights[at], totals[1 + first], out)
        for second in range(first, own_columns.size):
            _add_block(own_columns[first], own_columns[second], 1.0, totals[moment], out)
            moment += 1


@kernel()
def _add_block(one: int, other: int, weight: float, block: DoubleArray, out: DoubleArray) -> None:
    """Add a symmetric block to the sum, in the place of a pair of features that lies above the diagonal."""
    size = block.shape[0]
    top, left = min(one, other) * size, max(one, other) * size
    for a in range(size):
        for b in range(size):
            out[top + a, left + b] += weight * block[a, b]


@kernel()
def pack(table: FloatArray, offset: np.float32, factors: FloatArray, shifts: FloatArray) -> None:
    """Lay out a table for gathering: factors padded to whole vectors, and offset plus bias of each row."""
    size = table.shape[1] - 1
    for row in range(table.shape[0]):
        for j in range(size):
            factors[row, j] = table[row, j]
        for j in range(size, factors.shape[1]):
            factors[row, j] = np.float32(0.0)
        shifts[row] = offset + table[row, size]


@kernel(parallel=True)
def sum_outer(table: FloatArray, bounds: PointerArray, partial: FloatArray) -> None:
    """Set ``partial[b]`` to the upper triangle of the Gram matrix of the factors of rows ``bounds[b]:bounds[b + 1]``.

    `table` has a bias in its last column, which is left out; `partial` has shape (blocks, width, width).
    """
    size, width = table.shape[1] - 1, partial.shape[1]
    for block in numba.prange(bounds.size - 1):
        chunk = _chunk(width)
        gathered = np.zeros((chunk, width), dtype=np.float32)
        for start in range(bounds[block], bounds[block + 1], chunk):
            count = min(chunk, bounds[block + 1] - start)
            for n in range(count):
                for j in range(size):
                    gathered[n, j] = table[start + n, j]
            add_gram(gathered, count, 0, size, 1.0, partial[block])
