"""Row solves by conjugate gradients: a few steps from where a row stands, without its Gram matrix.

To sum the Gram matrix of a row of n entries and K factors takes about n K^2 operations; a product of it with a vector,
taken entry by entry, takes 4 n K. In alternating least squares rows move little from epoch to epoch, so that a few
steps from the old row do nearly what the solve would (Takács, Pilászy and Tikk 2011, "Applications of the conjugate
gradient method for implicit feedback collaborative filtering"). Steps are preconditioned by the diagonal, since biases
and factors differ in size. No step raises the row's objective.
"""

from __future__ import annotations

import numba
import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.jit import kernel
from mfx.solver.vectors import LANES, make_tile, prefetch_row, set_row

_CONVERGED = 1e-10
"""A row is at its minimum when its next step would gain less than this share of its objective."""
_NEAR = 4096
"""Numbers that stay in the first-level cache while they are used twice: 16 KB."""
_KEPT = 65536
"""Numbers that a row keeps at hand from step to step: 256 KB. Longer rows are gathered anew for every step."""

_add_four = make_tile(1, 4)
_add_one = make_tile(1, 1)


@kernel(parallel=True)
def descend_blocks(
    bounds: PointerArray,
    out: FloatArray,
    objectives: DoubleArray,
    steps: int,
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
) -> None:
    """Move the rows of each block in `out` by at most so many steps, and note what objective each comes to."""
    width = other.shape[1]
    for block in numba.prange(bounds.size - 1):
        gathered = np.empty((max(64, _KEPT // width), width), dtype=np.float32)
        sides = np.empty((gathered.shape[0], 3), dtype=np.float32)
        factors = np.zeros((5, width), dtype=np.float32)
        biases = np.zeros(5, dtype=np.float32)
        for row in range(bounds[block], bounds[block + 1]):
            scale = scales[row] if scales.size > 0 else np.float32(1.0)
            pull = pulls[row if pulls.shape[0] > 1 else 0]
            centre = centres[row] if centres.shape[0] > 0 else pull[:0]
            begin, end = indptr[row], indptr[row + 1]
            objectives[row] = _descend(
                out[row],
                steps,
                indices[begin:end],
                values[begin:end],
                roots[begin:end] if roots.size > 0 else roots,
                other,
                shifts,
                constant,
                scale,
                ridge,
                centre,
                pull,
                base,
                gathered,
                sides,
                factors,
                biases,
            )


@kernel()
def _descend(
    solution: FloatArray,
    steps: int,
    indices: IndexArray,
    values: FloatArray,
    roots: FloatArray,
    other: FloatArray,
    shifts: FloatArray,
    constant: np.float32,
    scale: np.float32,
    ridge: FloatArray,
    centre: FloatArray,
    pulls: FloatArray,
    base: FloatArray,
    gathered: FloatArray,
    sides: FloatArray,
    factors: FloatArray,
    biases: FloatArray,
) -> float:
    """Move one row; `factors` and `biases` are scratch: row, residual, direction, product and diagonal."""
    size = solution.size - 1
    row, residual, direction, product, diagonal = factors[0], factors[1], factors[2], factors[3], factors[4]
    factors[:] = np.float32(0.0)
    row[:size] = solution[:size]
    biases[:] = np.float32(0.0)
    # Without the constant a row has no bias, whatever stood there.
    biases[0] = solution[size] if constant != np.float32(0.0) else np.float32(0.0)
    objective = 0.0
    for start in range(0, indices.size, gathered.shape[0]):
        count = min(gathered.shape[0], indices.size - start)
        _gather(start, count, indices, roots, other, gathered)
        for n in range(count):
            root = roots[start + n] if roots.size > 0 else np.float32(1.0)
            sides[n, 1] = root * constant
            sides[n, 2] = root * (values[start + n] - shifts[indices[start + n]])
        objective += _residuals(count, gathered, sides, factors, biases)
    objective += _penalise(scale, ridge, centre, pulls, base, size, factors, biases)
    inverse_bias = np.float32(1.0) / biases[4] if biases[4] > np.float32(0.0) else np.float32(0.0)
    for j in range(size):
        diagonal[j] = np.float32(1.0) / diagonal[j] if diagonal[j] > np.float32(0.0) else np.float32(0.0)
    before = 0.0
    for step in range(steps):
        length = inverse_bias * biases[1] * biases[1]
        for j in range(size):
            length += diagonal[j] * residual[j] * residual[j]
        share = np.float32(length / before) if step > 0 else np.float32(0.0)
        for j in range(size):
            direction[j] = diagonal[j] * residual[j] + share * direction[j]
        biases[2] = inverse_bias * biases[1] + share * biases[2]
        if not length > 0.0:
            break
        product[:] = np.float32(0.0)
        biases[3] = np.float32(0.0)
        for start in range(0, indices.size, gathered.shape[0]):
            count = min(gathered.shape[0], indices.size - start)
            if indices.size > gathered.shape[0]:
                _gather(start, count, indices, roots, other, gathered)
                for n in range(count):
                    sides[n, 1] = (roots[start + n] if roots.size > 0 else np.float32(1.0)) * constant
            _multiply(count, gathered, sides, factors, biases)
        curvature = _add_penalty_product(scale, ridge, centre, pulls, base, size, factors, biases)
        if not curvature > 0.0:
            break
        along = length / curvature
        stride = np.float32(along)
        for j in range(size):
            row[j] += stride * direction[j]
            residual[j] -= stride * product[j]
        biases[0] += stride * biases[2]
        biases[1] -= stride * biases[3]
        gain = along * length
        objective -= gain
        if gain <= _CONVERGED * objective:
            break
        before = length
    solution[:size] = row[:size]
    solution[size] = biases[0]
    return objective


@kernel()
def _gather(
    start: int, count: int, indices: IndexArray, roots: FloatArray, other: FloatArray, gathered: FloatArray
) -> None:
    """Bring the rows of some entries together, each times the root of its weight."""
    ahead = 8
    for n in range(count):
        if start + n + ahead < indices.size:
            prefetch_row(other, indices[start + n + ahead])
        root = roots[start + n] if roots.size > 0 else np.float32(1.0)
        set_row(root, other, indices[start + n], gathered, n, 0)


@kernel()
def _residuals(count: int, gathered: FloatArray, sides: FloatArray, factors: FloatArray, biases: FloatArray) -> float:
    """Add the entries to the residual and to the diagonal; return their squared errors."""
    row, diagonal = factors[0], factors[4]
    width = row.size
    near = max(1, _NEAR // width)
    total = 0.0
    for start in range(0, count, near):
        stop = min(start + near, count)
        for n in range(start, stop):
            predicted = np.float32(0.0)
            for j in range(width):
                predicted += gathered[n, j] * row[j]
                diagonal[j] += gathered[n, j] * gathered[n, j]
            error = sides[n, 2] - predicted - sides[n, 1] * biases[0]
            sides[n, 0] = error
            total += error * error
            biases[1] += sides[n, 1] * error
            biases[4] += sides[n, 1] * sides[n, 1]
        _add_sums(sides[start:stop], gathered[start:stop], factors[1:2])
    return total


@kernel()
def _multiply(count: int, gathered: FloatArray, sides: FloatArray, factors: FloatArray, biases: FloatArray) -> None:
    """Add the entries' part of the matrix times the direction to the product."""
    direction = factors[2]
    width = direction.size
    near = max(1, _NEAR // width)
    for start in range(0, count, near):
        stop = min(start + near, count)
        for n in range(start, stop):
            along = sides[n, 1] * biases[2]
            for j in range(width):
                along += gathered[n, j] * direction[j]
            sides[n, 0] = along
            biases[3] += sides[n, 1] * along
        _add_sums(sides[start:stop], gathered[start:stop], factors[3:4])


@kernel()
def _add_sums(sides: FloatArray, gathered: FloatArray, out: FloatArray) -> None:
    """Add ``sides[:, :1].T @ gathered`` to `out`, of shape (1, width)."""
    width = gathered.shape[1]
    one = np.float32(1.0)
    column = 0
    while column + 4 * LANES <= width:
        _add_four(one, sides, gathered, gathered.shape[0], 0, column, out)
        column += 4 * LANES
    while column < width:
        _add_one(one, sides, gathered, gathered.shape[0], 0, column, out)
        column += LANES


@kernel()
def _penalise(
    scale: np.float32,
    ridge: FloatArray,
    centre: FloatArray,
    pulls: FloatArray,
    base: FloatArray,
    size: int,
    factors: FloatArray,
    biases: FloatArray,
) -> float:
    """Add penalties and base to residual and diagonal; return what they add to the objective."""
    row, residual, diagonal = factors[0], factors[1], factors[4]
    total = 0.0
    for j in range(size + 1):
        value = row[j] if j < size else biases[0]
        weight = scale * ridge[j]
        slope, curvature = -weight * value, weight
        total += weight * value * value
        if centre.size > 0:
            away = value - centre[j]
            slope -= pulls[j] * away
            curvature += pulls[j]
            total += pulls[j] * away * away
        if base.shape[0] > 0:
            along = base[j, size] * biases[0]
            for b in range(size):
                along += base[j, b] * row[b]
            slope -= along
            curvature += base[j, j]
            total += along * value
        if j < size:
            residual[j] += slope
            diagonal[j] += curvature
        else:
            biases[1] += slope
            biases[4] += curvature
    return total


@kernel()
def _add_penalty_product(
    scale: np.float32,
    ridge: FloatArray,
    centre: FloatArray,
    pulls: FloatArray,
    base: FloatArray,
    size: int,
    factors: FloatArray,
    biases: FloatArray,
) -> float:
    """Complete the product of the matrix with the direction; return the direction's product with that."""
    direction, product = factors[2], factors[3]
    total = 0.0
    for j in range(size + 1):
        value = direction[j] if j < size else biases[2]
        more = scale * ridge[j] * value
        if centre.size > 0:
            more += pulls[j] * value
        if base.shape[0] > 0:
            more += base[j, size] * biases[2]
            for b in range(size):
                more += base[j, b] * direction[b]
        if j < size:
            product[j] += more
            total += product[j] * value
        else:
            biases[3] += more
            total += biases[3] * value
    return total
