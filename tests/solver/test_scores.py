import numpy as np

from mfx.solver.scores import score_pairs, score_rows


def test_rows_and_pairs_agree_with_the_formula():
    rng = np.random.default_rng(0)
    users = rng.normal(size=(7, 5)).astype(np.float32)
    items = rng.normal(size=(11, 5)).astype(np.float32)
    expected = 3.0 + users[:, -1:] + items[:, -1] + users[:, :-1] @ items[:, :-1].T
    np.testing.assert_allclose(score_rows(users, items, 3.0), expected, rtol=1e-5)
    weighted = score_rows(users, items, 3.0, bias_weight=0.05)
    np.testing.assert_allclose(weighted, expected - 0.95 * items[:, -1], rtol=1e-5)
    u, i = (index.ravel().astype(np.int32) for index in np.indices(expected.shape))
    np.testing.assert_allclose(score_pairs(users, items, u, i, 3.0), expected.ravel(), rtol=1e-5)


def test_tables_without_factors_score_by_biases():
    users, items = np.array([[0.5], [-0.5]], np.float32), np.array([[1.0], [0.0], [2.0]], np.float32)
    np.testing.assert_allclose(score_rows(users, items, 1.0), [[2.5, 1.5, 3.5], [1.5, 0.5, 2.5]])
