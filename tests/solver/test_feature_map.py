import numpy as np

from mfx.solver.feature_map import fit_to_rows, step_through_ratings


def test_fit_to_rows_makes_the_gradient_vanish():
    rng = np.random.default_rng(0)
    features, rows = rng.random((30, 4)), rng.normal(size=(30, 5))
    found = fit_to_rows(features, rows, pull=3.0, map_ridge=0.7)
    gradient = -3.0 * features.T @ (rows - features @ found) + 0.7 * found
    np.testing.assert_allclose(gradient, 0.0, atol=1e-10)


def test_step_through_ratings_lands_on_the_minimum_with_deviations_held_fixed():
    """Against the normal equations of the whole problem, written out row by row with explicit targets."""
    rng = np.random.default_rng(1)
    n_rows, n_features, n_factors, pull, map_ridge = 12, 3, 4, 5.0, 0.5
    features = rng.random((n_rows, n_features))
    weights = rng.normal(size=(n_features, n_factors))
    row_ridge = rng.uniform(1.0, 3.0, size=n_rows)
    designs = [rng.normal(size=(rng.integers(0, 9), n_factors)) for _ in range(n_rows)]
    targets = [rng.normal(size=len(design)) for design in designs]
    grams = [design.T @ design + ridge * np.eye(n_factors) for design, ridge in zip(designs, row_ridge, strict=True)]
    rows = np.array(
        [
            np.linalg.solve(gram + pull * np.eye(n_factors), design.T @ target + pull * (g @ weights))
            for gram, design, target, g in zip(grams, designs, targets, features, strict=True)
        ]
    )
    deviations = rows - features @ weights
    curvature = sum(np.kron(np.outer(g, g), design.T @ design) for g, design in zip(features, designs, strict=True))
    found = step_through_ratings(
        weights, features, deviations, curvature, row_ridge=row_ridge, pull=pull, map_ridge=map_ridge
    )
    gradient = map_ridge * found
    for g, gram, design, target, deviation in zip(features, grams, designs, targets, deviations, strict=True):
        gradient += np.outer(g, gram @ (deviation + g @ found) - design.T @ target)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)
