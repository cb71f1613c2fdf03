import numpy as np
import pytest

from mfx.solver.cholesky import SCRATCH, solve_row
from mfx.solver.vectors import width_of


def _solve(matrix, right, squares, noise=None):
    """Solve the system of a row given whole, the bias last; float64 in, float32 inside."""
    size = len(right) - 1
    width = width_of(size)
    gram = np.full((width, width), 7.0, dtype=np.float32)  # below the diagonal anything may stand
    gram[np.triu_indices(width)] = 0.0
    gram[:size, :size] = np.triu(matrix[:-1, :-1]) + np.tril(gram[:size, :size], -1)
    edges = np.zeros((2, width), dtype=np.float32)
    edges[0, :size], edges[1, :size] = matrix[-1, :-1], right[:-1]
    corner = np.array([matrix[-1, -1], right[-1], squares])
    solution = np.full(size + 1, np.nan, dtype=np.float32)
    noise = np.zeros((0, 0), np.float32) if noise is None else noise[None].astype(np.float32)
    work = np.zeros((width + SCRATCH, width), dtype=np.float32)
    minimum = solve_row(gram, edges, corner, size, noise, work, solution)
    return solution, minimum


@pytest.mark.parametrize("size", [0, 1, 2, 13, 15, 16, 17, 31, 32, 33, 64, 100, 130])
def test_solution_and_minimum_agree_with_float64(size):
    rng = np.random.default_rng(size)
    rows, targets = rng.normal(size=(3 * size + 5, size + 1)), rng.normal(size=3 * size + 5)
    matrix, right = rows.T @ rows + 2.0 * np.eye(size + 1), rows.T @ targets
    solution, minimum = _solve(matrix, right, targets @ targets)
    exact = np.linalg.solve(matrix, right)
    np.testing.assert_allclose(solution, exact, rtol=1e-4, atol=1e-5)
    assert minimum == pytest.approx(targets @ targets - exact @ right, rel=1e-4)


@pytest.mark.parametrize("size", [0, 1, 13, 16, 33, 100])
def test_noise_moves_the_solution_by_the_inverse_of_the_factor(size):
    rng = np.random.default_rng(size)
    rows, targets = rng.normal(size=(3 * size + 5, size + 1)), rng.normal(size=3 * size + 5)
    matrix, right = rows.T @ rows + 2.0 * np.eye(size + 1), rows.T @ targets
    noise = rng.normal(size=size + 1)
    moved, minimum = _solve(matrix, right, targets @ targets, noise)
    still, least = _solve(matrix, right, targets @ targets)
    upper = np.linalg.cholesky(matrix).T
    np.testing.assert_allclose(moved - still, np.linalg.solve(upper, noise), rtol=1e-4, atol=1e-5)
    assert minimum == least


@pytest.mark.parametrize("dead", [0, 5, 15, 16, 20])
def test_a_direction_without_data_and_penalty_is_set_to_zero(dead):
    size = 21
    rng = np.random.default_rng(3)
    rows, targets = rng.normal(size=(60, size)), rng.normal(size=60)
    rows[:, dead] = 0.0
    solution, minimum = _solve(rows.T @ rows, rows.T @ targets, targets @ targets)
    best, *_ = np.linalg.lstsq(rows, targets, rcond=None)
    assert solution[dead] == 0.0
    np.testing.assert_allclose(solution, best, atol=1e-4)
    left = targets - rows @ best
    assert minimum == pytest.approx(left @ left, rel=1e-4)


def test_a_copy_of_a_direction_does_not_blow_up():
    rng = np.random.default_rng(4)
    rows, targets = rng.normal(size=(200, 19)), rng.normal(size=200)
    rows[:, 17] = rows[:, 3]
    solution, _ = _solve(rows.T @ rows, rows.T @ targets, targets @ targets)
    best, *_ = np.linalg.lstsq(rows, targets, rcond=None)
    np.testing.assert_allclose(rows @ solution, rows @ best, atol=1e-2)
    assert np.abs(solution).max() < 10.0


@pytest.mark.parametrize("scale", [1 / 16, 1.0, 16.0])
@pytest.mark.parametrize(("more", "kept"), [(2.0**-22, False), (2.0**-18, True)])
def test_a_pivot_that_is_rounding_error_beside_its_diagonal_is_taken_for_zero(scale, more, kept):
    """The second direction is the first one but for the last bits of float32, in which nothing can be read."""
    both = np.array([[1.0, 1.0], [1.0, 1.0 + more]])
    for matrix in (np.block([[both, np.zeros((2, 1))], [np.zeros((1, 2)), np.eye(1)]]), both):  # then it is the bias
        right = np.zeros(len(matrix))
        right[:2] = [1.0, 1.0 + more]
        solution, _ = _solve(scale * matrix, scale * right, 2.0 * scale)
        expected = np.zeros(len(matrix))
        expected[int(kept)] = 1.0
        np.testing.assert_allclose(solution, expected, atol=1e-6)
