import numpy as np
import pytest

from mfx.solver.gram import EDGES, add_edges, add_gram
from mfx.solver.vectors import LANES, width_of


@pytest.mark.parametrize("size", [1, 2, 4, 7, 8, 9, 15, 16, 17, 24, 34, 66])
@pytest.mark.parametrize("count", [0, 1, 5, 128])
@pytest.mark.parametrize(("first_vector", "scale"), [(0, 1.0), (1, -1.0)])
def test_upper_triangle_agrees_with_a_matrix_product(size, count, first_vector, scale):
    width, first = width_of(size), first_vector * LANES
    rng = np.random.default_rng(0)
    gathered = np.zeros((128, width), dtype=np.float32)
    gathered[:, :size] = rng.normal(size=(128, size))
    before = np.zeros((width, width), dtype=np.float32)
    before[:size, :size] = np.triu(rng.normal(size=(size, size)))
    gram = before.copy()
    add_gram(gathered, count, first, size, scale, gram)
    rows = gathered[:count].astype(np.float64)
    expected = before + scale * (rows.T @ rows)
    upper = np.triu(np.ones((width, width), dtype=bool))
    upper[:first] = False
    np.testing.assert_allclose(gram[upper], expected[upper], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(gram[:first], before[:first])


@pytest.mark.parametrize("size", [1, 16, 17, 64, 66, 130])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_edges_agree_with_a_matrix_product(size, count):
    rng = np.random.default_rng(1)
    gathered = rng.normal(size=(128, width_of(size))).astype(np.float32)
    sides = rng.normal(size=(128, EDGES)).astype(np.float32)
    before = rng.normal(size=(EDGES, width_of(size))).astype(np.float32)
    out = before.copy()
    add_edges(sides, gathered, count, out)
    expected = before + sides[:count].astype(np.float64).T @ gathered[:count]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)
