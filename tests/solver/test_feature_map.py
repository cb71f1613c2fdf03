import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - loads the BLAS that is asked about
import threadpoolctl

from mfx.solver.feature_map import fit_to_rows, single_threaded_blas, step_through_ratings


def test_fit_to_rows_makes_the_gradient_vanish():
    rng = np.random.default_rng(0)
    features, rows, pull = rng.random((30, 4)), rng.normal(size=(30, 5)), np.array([3.0, 3.0, 0.2, 3.0, 8.0])
    found = fit_to_rows(features.T @ features, features.T @ rows, pull=pull, map_ridge=0.7)
    gradient = -pull * (features.T @ (rows - features @ found)) + 0.7 * found
    np.testing.assert_allclose(gradient, 0.0, atol=1e-10)


@pytest.mark.parametrize("with_bias", [True, False])
def test_step_through_ratings_lands_on_the_minimum_with_deviations_held_fixed(with_bias):
    """Against the normal equations of the whole problem, written out row by row with explicit targets."""
    rng = np.random.default_rng(1)
    n_rows, n_features, n_factors, map_ridge = 12, 3, 4, 0.5
    n_columns = n_factors + with_bias
    pull = np.append(np.full(n_factors, 5.0), 1.5)[:n_columns]
    ridge = np.append(np.full(n_factors, 2.0), 0.25)[:n_columns]
    scales = rng.uniform(1.0, 3.0, size=n_rows)
    features, weights = rng.random((n_rows, n_features)), rng.normal(size=(n_features, n_columns))
    wholes = [np.column_stack([rng.normal(size=(n, n_factors)), np.ones(n)]) for n in rng.integers(0, 9, size=n_rows)]
    targets = [rng.normal(size=len(whole)) for whole in wholes]
    designs = [whole[:, :n_columns] for whole in wholes]
    grams = [design.T @ design + scale * np.diag(ridge) for design, scale in zip(designs, scales, strict=True)]
    rows = np.array(
        [
            np.linalg.solve(gram + np.diag(pull), design.T @ target + pull * (g @ weights))
            for gram, design, target, g in zip(grams, designs, targets, features, strict=True)
        ]
    )
    deviations = rows - features @ weights
    curvature = sum(np.kron(np.outer(g, g), whole.T @ whole) for g, whole in zip(features, wholes, strict=True))
    descent = pull * (features.T @ deviations) - map_ridge * weights
    overlap = features.T @ (scales[:, None] * features)
    step = step_through_ratings(descent, curvature, overlap, ridge=ridge, map_ridge=map_ridge)

    def objective(feature_map):
        moved = features @ feature_map + deviations
        parts = zip(designs, targets, moved, strict=True)
        squared = sum(np.square(target - design @ row).sum() for design, target, row in parts)
        return squared + (scales[:, None] * ridge * moved**2).sum() + map_ridge * np.square(feature_map).sum()

    found = weights + step
    gradient = map_ridge * found
    for g, gram, design, target, deviation in zip(features, grams, designs, targets, deviations, strict=True):
        gradient += np.outer(g, gram @ (deviation + g @ found) - design.T @ target)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)
    assert objective(weights) - objective(found) == pytest.approx(np.sum(descent * step))


def test_what_is_not_finite_stays_so_for_the_fit_to_tell_of():
    system, right = np.eye(2), np.ones((2, 3))
    right[0, 1] = np.nan
    found = fit_to_rows(system, right, pull=np.ones(3), map_ridge=1.0)
    assert np.isnan(found[0, 1])
    np.testing.assert_allclose(found[:, [0, 2]], 0.5)
    for bad in (np.nan, -9.0):  # the second is no matrix of squares
        assert np.isnan(fit_to_rows(np.diag([1.0, bad]), np.ones((2, 3)), pull=np.ones(3), map_ridge=1.0)).all()


def test_linear_algebra_is_on_one_thread_inside_and_as_before_outside():
    def threads():
        return [one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        with single_threaded_blas():
            assert threads() == [1] * len(before)
        assert threads() == before
