import numpy as np
import pytest

from mfx.solver.jit import kernel
from mfx.solver.vectors import LANES, STRIP, add_row, make_score_tile, make_tile, prefetch_row, set_row

_add_tile = make_tile(STRIP, 2)
_score_tile = make_score_tile(STRIP, 2)


@kernel()
def _add(left, right, out):
    _add_tile(np.float32(0.5), left, right, left.shape[0], STRIP, LANES, out)


@kernel()
def _score(left, right, least, out, above):
    _score_tile(left, right, left.shape[0], STRIP, 2 * LANES, least, out, above)


def _factors(count, rng):
    left = rng.integers(-3, 4, size=(count, 2 * STRIP)).astype(np.float32)
    right = rng.integers(-3, 4, size=(count, 6 * LANES)).astype(np.float32)
    return left, right


@pytest.mark.parametrize("count", [0, 1, 14, 65])
def test_a_tile_is_a_product_and_touches_nothing_else(count):
    rng = np.random.default_rng(0)
    left, right = _factors(count, rng)
    before = rng.integers(-3, 4, size=(3 * STRIP, 6 * LANES)).astype(np.float32)
    out = before.copy()
    _add(left, right, out)
    rows, columns = slice(STRIP, 2 * STRIP), slice(LANES, 3 * LANES)
    expected = before.copy()
    expected[rows, columns] += 0.5 * left[:, rows].T @ right[:, columns]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("count", [1, 14, 65])
def test_a_score_tile_says_which_rows_hold_more_than_they_must(count):
    rng = np.random.default_rng(1)
    left, right = _factors(count, rng)
    product = left[:, STRIP:].T @ right[:, 2 * LANES : 4 * LANES]
    most = product.max(axis=1)
    beaten = np.arange(STRIP) % 2 == 0
    least = np.where(beaten, np.nextafter(most, np.float32(-np.inf)), most)[None]
    out, above = np.full((STRIP, 6 * LANES), 9.0, np.float32), np.full((STRIP, 3), 7, np.uint8)
    _score(left, right, least, out, above)
    expected = np.full_like(out, 9.0)
    expected[:, 2 * LANES : 4 * LANES] = product
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(above[:, 1], beaten)
    assert (above[:, [0, 2]] == 7).all()


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
