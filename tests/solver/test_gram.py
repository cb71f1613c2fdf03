import numpy as np
import pytest

from mfx.solver.gram import add_gram


@pytest.mark.parametrize("size", [1, 2, 4, 7, 8, 9, 15, 16, 17, 24, 34, 66])
@pytest.mark.parametrize("count", [0, 1, 5, 128])
def test_upper_triangle_agrees_with_a_matrix_product(size, count):
    width = (size + 7) // 8 * 8
    rng = np.random.default_rng(0)
    gathered = np.zeros((128, width), dtype=np.float32)
    gathered[:, :size] = rng.normal(size=(128, size))
    before = np.triu(rng.normal(size=(width, width))).astype(np.float32)
    before[size:] = before[:, size:] = 0.0
    gram = before.copy()
    add_gram(gathered, count, size, gram)
    rows = gathered[:count, :size].astype(np.float64)
    expected = np.triu(before[:size, :size] + rows.T @ rows)
    np.testing.assert_allclose(np.triu(gram[:size, :size]), expected, rtol=1e-5, atol=1e-4)
    assert (gram[:, size:] == 0.0).all()
