import numpy as np
import pytest

from mfx.solver.jit import kernel
from mfx.solver.vectors import LANES, STRIP, add_row, make_tile, prefetch_row, set_row

_set_tile = make_tile(STRIP, 2, add=False)


@kernel()
def _product(left, right, out, out_row):
    _set_tile(np.float32(0.5), left, right, left.shape[0], STRIP, LANES, out, out_row)


@pytest.mark.parametrize("count", [0, 1, 14, 65])
def test_a_tile_is_a_product_and_touches_nothing_else(count):
    rng = np.random.default_rng(0)
    left = rng.normal(size=(count, 2 * STRIP)).astype(np.float32)
    right = rng.normal(size=(count, 4 * LANES)).astype(np.float32)
    before = rng.normal(size=(3 * STRIP, 4 * LANES)).astype(np.float32)
    out = before.copy()
    _product(left, right, out, 2 * STRIP)
    expected = before.copy()
    tile = (slice(2 * STRIP, None), slice(LANES, 3 * LANES))
    expected[tile] = 0.5 * left[:, STRIP:].T.astype(np.float64) @ right[:, tile[1]]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


@kernel()
def _combine(source, target, column):
    prefetch_row(source, 2)
    set_row(np.float32(3.0), source, 1, target, 0, column)
    add_row(np.float32(-2.0), source, 2, target, 1, column)


@pytest.mark.parametrize("vectors", [1, 2, 5])
def test_rows_are_set_and_added_from_a_column_on(vectors):
    rng = np.random.default_rng(2)
    source = rng.normal(size=(3, vectors * LANES)).astype(np.float32)
    before = rng.normal(size=(2, vectors * LANES)).astype(np.float32)
    for column in range(0, vectors * LANES, LANES):
        target = before.copy()
        _combine(source, target, column)
        np.testing.assert_array_equal(target[:, :column], before[:, :column])
        np.testing.assert_allclose(target[0, column:], 3.0 * source[1, column:], rtol=1e-6)
        np.testing.assert_allclose(target[1, column:], before[1, column:] - 2.0 * source[2, column:], atol=1e-6)
