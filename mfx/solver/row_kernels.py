"""Kernels of the row solves: gather, Gram matrix, penalty, Cholesky, all on one small buffer per block of rows."""

from __future__ import annotations

import numba
import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.gram import LANES, add_gram
from mfx.solver.jit import kernel

_CHUNK = 128
"""Ratings gathered at a time: with 16 columns of float32 the buffer is 8 KB and stays in the first-level cache."""


@kernel(parallel=True)
def solve_blocks(
    bounds: PointerArray,
    out: FloatArray,
    minima: DoubleArray,
    indptr: PointerArray,
    indices: IndexArray,
    values: FloatArray,
    other: FloatArray,
    offset: np.float32,
    constant: np.float32,
    ridge: FloatArray,
    scales: FloatArray,
    centres: FloatArray,
    pulls: FloatArray,
    roots: FloatArray,
    base: FloatArray,
) -> None:
    """Solve the rows of each block into `out`, and note the minimum of each row's objective."""
    width = _width(other.shape[1])
    for block in numba.prange(bounds.size - 1):
        gathered = np.zeros((_CHUNK, width), dtype=np.float32)
        gram = np.zeros((width, width), dtype=np.float32)
        for row in range(bounds[block], bounds[block + 1]):
            begin, end = indptr[row], indptr[row + 1]
            row_gram(begin, end, indices, values, roots, other, offset, constant, base, gathered, gram)
            add_penalty(row, ridge, scales, centres, pulls, gram)
            minima[row] = solve_augmented(gram, other.shape[1], out[row])


@kernel(parallel=True)
def solve_profiles(
    bounds: PointerArray,
    out: FloatArray,
    minima: DoubleArray,
    order: PointerArray,
    profile_of_row: IndexArray,
    profile_indptr: PointerArray,
    profile_indices: IndexArray,
    profile_weights: FloatArray,
    curvature: DoubleArray,
    indptr: PointerArray,
    indices: IndexArray,
    values: FloatArray,
    other: FloatArray,
    offset: np.float32,
    constant: np.float32,
    ridge: FloatArray,
    scales: FloatArray,
    centres: FloatArray,
    pulls: FloatArray,
    roots: FloatArray,
    base: FloatArray,
) -> None:
    """Solve the rows in the given order, block by block, and sum their curvature, one partial sum a block."""
    width = _width(other.shape[1])
    size = other.shape[1] - 1
    for block in numba.prange(bounds.size - 1):
        gathered = np.zeros((_CHUNK, width), dtype=np.float32)
        gram = np.zeros((width, width), dtype=np.float32)
        total = np.zeros((size, size), dtype=np.float64)
        for place in range(bounds[block], bounds[block + 1]):
            row = order[place]
            begin, end = indptr[row], indptr[row + 1]
            row_gram(begin, end, indices, values, roots, other, offset, constant, base, gathered, gram)
            for a in range(size):
                for b in range(a, size):
                    total[a, b] += gram[a, b]
            add_penalty(row, ridge, scales, centres, pulls, gram)
            minima[row] = solve_augmented(gram, other.shape[1], out[row])
            profile = profile_of_row[row]
            if place + 1 == bounds[block + 1] or profile_of_row[order[place + 1]] != profile:
                _spread(profile, profile_indptr, profile_indices, profile_weights, total, curvature[block])
                total[:] = 0.0


@kernel()
def _width(n_columns: int) -> int:
    """Columns of the gathered buffer: table, target, and padding to whole vectors."""
    return (n_columns + LANES) // LANES * LANES


@kernel()
def row_gram(
    begin: int,
    end: int,
    indices: IndexArray,
    values: FloatArray,
    roots: FloatArray,
    other: FloatArray,
    offset: np.float32,
    constant: np.float32,
    base: FloatArray,
    gathered: FloatArray,
    gram: FloatArray,
) -> None:
    """Set `gram` to `base` plus the upper triangle of the augmented Gram matrix of the entries `begin` to `end`."""
    size = other.shape[1] + 1
    gram[:size] = np.float32(0.0)
    for a in range(base.shape[0]):
        for b in range(a, base.shape[1]):
            gram[a, b] = base[a, b]
    for start in range(begin, end, _CHUNK):
        count = min(_CHUNK, end - start)
        gather(indices, values, start, count, other, offset, constant, gathered)
        if roots.size > 0:
            for n in range(count):
                for j in range(size):
                    gathered[n, j] *= roots[start + n]
        add_gram(gathered, count, size, gram)


@kernel()
def add_penalty(
    row: int,
    ridge: FloatArray,
    scales: FloatArray,
    centres: FloatArray,
    pulls: FloatArray,
    gram: FloatArray,
) -> None:
    """Add ridge, times the row's entry of `scales` if there are any, and prior of a row to its Gram matrix."""
    p = ridge.size
    scale = scales[row] if scales.size > 0 else np.float32(1.0)
    for j in range(p):
        gram[j, j] += scale * ridge[j]
    if centres.shape[0] > 0:
        for j in range(p):
            pull = pulls[j] * centres[row, j]
            gram[j, j] += pulls[j]
            gram[j, p] += pull
            gram[p, p] += pull * centres[row, j]


@kernel()
def gather(
    indices: IndexArray,
    values: FloatArray,
    start: int,
    count: int,
    other: FloatArray,
    offset: np.float32,
    constant: np.float32,
    gathered: FloatArray,
) -> None:
    """Copy `count` rows of `other` into the buffer as (factors, constant, residual target)."""
    p = other.shape[1]
    for n in range(count):
        source = other[indices[start + n]]
        target = gathered[n]
        for j in range(p):
            target[j] = source[j]
        target[p] = values[start + n] - offset - source[p - 1]
        target[p - 1] = constant


@kernel()
def solve_augmented(system: FloatArray, p: int, solution: FloatArray) -> float:
    """Solve the p x p normal equations whose right-hand side is column p; return the minimum of the objective.

    Cholesky on the upper triangle, in place, by rows, so that every inner loop runs over contiguous memory. A pivot
    that vanishes against its diagonal marks a direction the data say nothing about and nothing penalises: that
    coordinate is set to zero.
    """
    for j in range(1, p):
        system[j, 0] = system[j, j]  # below the diagonal is free: keep the untouched diagonal there
    for j in range(p):
        # Slices that start at zero, as loops with another start are not vectorised.
        line = system[j, j : p + 1]
        pivot = line[0]
        if not pivot > (np.float32(1e-6) * system[j, 0] if j > 0 else np.float32(0.0)):
            line[:] = np.float32(0.0)
            continue
        inverse = np.float32(1.0) / np.sqrt(pivot)
        for b in range(line.size):
            line[b] *= inverse
        for a in range(1, line.size):
            factor = line[a]
            source, target = line[a:], system[j + a, j + a : p + 1]
            for b in range(source.size):
                target[b] -= factor * source[b]
    for j in range(p - 1, -1, -1):
        if system[j, j] == np.float32(0.0):
            solution[j] = np.float32(0.0)
            continue
        total = system[j, p]
        known, line = solution[j + 1 : p], system[j, j + 1 : p]
        for b in range(known.size):
            total -= line[b] * known[b]
        solution[j] = total / system[j, j]
    return float(system[p, p])


@kernel()
def _spread(
    profile: int,
    indptr: PointerArray,
    indices: IndexArray,
    weights: FloatArray,
    gram: DoubleArray,
    out: DoubleArray,
) -> None:
    """Add ``g g^T (x) gram`` for the features g of a profile; `gram` holds its upper triangle."""
    size = gram.shape[0]
    for first in range(indptr[profile], indptr[profile + 1]):
        for second in range(indptr[profile], indptr[profile + 1]):
            weight = weights[first] * weights[second]
            top, left = indices[first] * size, indices[second] * size
            for a in range(size):
                for b in range(a):
                    out[top + a, left + b] += weight * gram[b, a]
                for b in range(a, size):
                    out[top + a, left + b] += weight * gram[a, b]


@kernel(parallel=True)
def sum_outer(table: FloatArray, bounds: PointerArray, partial: FloatArray) -> None:
    """Set ``partial[b]`` to the upper triangle of the Gram matrix of the factors of rows ``bounds[b]:bounds[b + 1]``.

    `table` has a bias in its last column, which is left out; `partial` has shape (blocks, width, width).
    """
    size = table.shape[1] - 1
    for block in numba.prange(bounds.size - 1):
        gathered = np.zeros((_CHUNK, partial.shape[1]), dtype=np.float32)
        for start in range(bounds[block], bounds[block + 1], _CHUNK):
            count = min(_CHUNK, bounds[block + 1] - start)
            for n in range(count):
                for j in range(size):
                    gathered[n, j] = table[start + n, j]
            for n in range(count, (count + 7) // 8 * 8):
                for j in range(size):
                    gathered[n, j] = np.float32(0.0)
            add_gram(gathered, count, size, partial[block])
