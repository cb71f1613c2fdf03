"""Cholesky solves of the normal equations of one row, blocked so that nearly all arithmetic is in whole vectors."""

from __future__ import annotations

import numpy as np

from mfx.interfaces import DoubleArray, FloatArray
from mfx.solver.gram import add_gram
from mfx.solver.jit import kernel
from mfx.solver.vectors import LANES, add_row, set_row

_VANISHES = np.float32(1e-6)
"""A pivot below this share of its diagonal entry is taken for zero."""
SCRATCH = 6
"""Rows of scratch beside one for each column."""


@kernel()
def solve_row(
    gram: FloatArray,
    edges: FloatArray,
    corner: DoubleArray,
    size: int,
    noise: FloatArray,
    work: FloatArray,
    solution: FloatArray,
) -> float:
    """Solve the system of a row (see `mfx.solver.row_kernels`); return the minimum of the objective.

    The upper factor U of ``gram = U^T U`` replaces it, panel by panel of `LANES` rows; what remains after a panel is
    reduced by one product, in registers. The edges are reduced along, which is the forward substitution; what is left
    of the corner is the bias's own equation and the minimum. A pivot that vanishes against its diagonal marks a
    direction that the data say nothing about and nothing penalises: that coordinate is set to zero.

    With noise z the solution is the minimiser plus the solution of ``U w = z``, U the factor of the whole system, so
    that standard normal z give a draw from the normal distribution whose precision is the system's matrix.

    Parameters
    ----------
    gram : float32 array, shape (width, width)
        Upper triangle of the matrix of the factors, zero beyond `size`; overwritten.
    edges : float32 array, shape (2, width)
        Column of the bias and right-hand side; overwritten.
    corner : float64 array, shape (3,)
        Diagonal entry of the bias, its right-hand side, and the sum of squares; overwritten.
    size : int
        Number of factors.
    noise : float32 array, shape (1, size + 1), or no rows
        What is added to the reduced right-hand side of factors and bias.
    work : float32 array, shape (width + SCRATCH, width)
        Scratch.
    solution : float32 array, shape (size + 1,)
        Set to factors and bias.

    Returns
    -------
    float
        The objective at the minimiser, whatever the noise.
    """
    diagonal, inverses, rest, known = work[0], work[1], work[2], work[3]
    constants, targets, lower = work[4], work[5], work[SCRATCH:]
    for j in range(size):
        diagonal[j] = gram[j, j]
    bias_diagonal = corner[0]
    for top in range(0, size, LANES):
        bottom = min(top + LANES, size)
        for j in range(top, bottom):
            pivot = gram[j, j]
            inverse = np.float32(0.0)
            if pivot > _VANISHES * diagonal[j] and pivot > np.float32(0.0):
                inverse = np.float32(1.0) / np.sqrt(pivot)
            inverses[j] = inverse
            set_row(inverse, gram, j, gram, j, top)
            constant, target = inverse * edges[0, j], inverse * edges[1, j]
            for a in range(j + 1, bottom):
                factor = gram[j, a]
                lower[a, j - top] = factor
                add_row(-factor, gram, j, gram, a, top)
            add_row(-constant, gram, j, edges[:1], 0, top)
            add_row(-target, gram, j, edges[1:], 0, top)
            constants[j], targets[j] = constant, target
            corner[0] -= constant * constant
            corner[1] -= constant * target
            corner[2] -= target * target
        if bottom < size:
            add_gram(gram[top:bottom], bottom - top, bottom, size, -1.0, gram)
    bias = 0.0
    if corner[0] > _VANISHES * bias_diagonal:
        bias = corner[1] / corner[0]
        corner[2] -= bias * corner[1]
        if noise.size > 0:
            bias += noise[0, size] / np.sqrt(corner[0])
    solution[size] = bias
    for top in range((size - 1) // LANES * LANES, -1, -LANES):
        bottom = min(top + LANES, size)
        for j in range(top, bottom):
            total = targets[j] - solution[size] * constants[j]
            if noise.size > 0:
                total += noise[0, j]
            for b in range(bottom, size):
                total -= gram[j, b] * known[b]
            rest[j - top] = total
        for j in range(bottom - 1, top - 1, -1):
            value = rest[j - top] * inverses[j]
            known[j] = value
            solution[j] = value
            for b in range(j - top):
                rest[b] -= value * lower[j, b]
    return float(corner[2])
