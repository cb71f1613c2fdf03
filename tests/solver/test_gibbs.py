"""Draws against closed forms, and the whole chain against the distribution that it must leave alone."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import digamma

from mfx.solver.gibbs import (
    DEGREES,
    RATE,
    SHAPE,
    RowPrior,
    draw_map,
    draw_noise_precision,
    draw_precisions,
    draw_rows,
    draw_strengths,
    draw_weights,
    mean_rows,
    mean_weights,
)
from mfx.solver.layout import SparseRows, transpose

FACTORS = 3


def sparse_rows(rng, n_rows, n_columns, share=0.6):
    chosen = rng.random((n_rows, n_columns)) < share
    indptr = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int64)
    return SparseRows(indptr, np.nonzero(chosen)[1].astype(np.int32), rng.normal(size=indptr[-1]).astype(np.float32))


def make_prior(rng, n_rows, n_features=2, factors=FACTORS):
    features = sparse.csr_array(np.hstack([np.ones((n_rows, 1)), rng.normal(size=(n_rows, n_features - 1))]))
    feature_map, precisions = rng.normal(size=(n_features, factors + 1)), rng.uniform(0.5, 4.0, factors + 1)
    blocks = [slice(0, 1), slice(1, n_features)]
    return RowPrior(features, feature_map, precisions, blocks, rng.uniform(0.5, 2.0, 2))


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    rows = sparse_rows(rng, 6, 9)
    other = rng.normal(size=(9, FACTORS + 1)).astype(np.float32)
    weights = rng.uniform(0.3, 3.0, rows.values.size).astype(np.float32)
    return rows, other, make_prior(rng, 6), weights


def posterior(problem, row, noise_precision, offset):
    """Mean and covariance of a row, in float64."""
    rows, other, prior, weights = problem
    part = slice(rows.indptr[row], rows.indptr[row + 1])
    seen = other[rows.indices[part]].astype(np.float64)
    design = np.hstack([seen[:, :-1], np.ones((len(seen), 1))])
    targets = rows.values[part] - offset - seen[:, -1]
    scaled = design.T * (noise_precision * weights[part])
    precision = scaled @ design + np.diag(prior.precisions)
    mean = np.linalg.solve(precision, scaled @ targets + prior.precisions * prior.centres[row])
    return mean, np.linalg.inv(precision)


def test_rows_are_drawn_from_their_conditional_distribution(problem):
    rows, other, prior, weights = problem
    many, generator = 4000, np.random.default_rng(0)
    draws = np.empty((many, 6, FACTORS + 1), dtype=np.float32)
    for out in draws:
        draw_rows(rows, other, out, prior, 2.5, generator, offset=0.3, weights=weights)
    means = mean_rows(rows, other, prior, 2.5, offset=0.3, weights=weights)
    for row in range(6):
        mean, covariance = posterior(problem, row, 2.5, 0.3)
        np.testing.assert_allclose(means[row], mean, rtol=1e-4, atol=1e-4)
        deviations = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose(draws[:, row].mean(axis=0), mean, atol=5 * deviations.max() / many**0.5)
        found = np.cov(draws[:, row].T) / np.outer(deviations, deviations)
        np.testing.assert_allclose(found, covariance / np.outer(deviations, deviations), atol=0.1)


def test_the_squared_errors_are_those_of_the_draw(problem):
    rows, other, prior, weights = problem
    out = np.empty((6, FACTORS + 1), dtype=np.float32)
    squared = draw_rows(rows, other, out, prior, 0.7, np.random.default_rng(1), offset=0.3, weights=weights)
    users = np.repeat(np.arange(6), rows.counts)
    seen = other[rows.indices].astype(np.float64)
    predicted = 0.3 + seen[:, -1] + out[users, -1] + (seen[:, :-1] * out[users, :-1]).sum(axis=1)
    expected = np.bincount(users, weights * (rows.values - predicted) ** 2, minlength=6)
    np.testing.assert_allclose(squared, expected, rtol=1e-4)


def test_the_map_is_drawn_from_its_conditional_distribution():
    rng = np.random.default_rng(5)
    prior = make_prior(rng, 30)
    table = rng.normal(size=(30, FACTORS + 1)).astype(np.float32)
    dense = prior.features.toarray()
    overlap = dense.T @ dense
    generator, strengths = np.random.default_rng(0), np.array([0.5, 20.0])
    given = prior.features, overlap, table, prior.precisions, strengths
    draws = np.array([draw_map(*given, generator) for _ in range(6000)])
    inverse = np.linalg.inv(overlap + np.diag(strengths))
    np.testing.assert_allclose(draws.mean(axis=0), inverse @ dense.T @ table, atol=0.02)
    for column, precision in enumerate(prior.precisions):
        found = np.cov(draws[:, :, column].T)
        np.testing.assert_allclose(found * precision, inverse, atol=0.1 * inverse.max())


def test_means_of_precisions_and_weights_are_those_of_their_gamma_distributions():
    rng = np.random.default_rng(6)
    deviations, feature_map = rng.normal(size=(8, 2)) * [0.5, 2.0], rng.normal(size=(3, 2))
    generator = np.random.default_rng(0)
    found = np.mean([draw_precisions(deviations, feature_map, generator) for _ in range(20000)], axis=0)
    squares = (deviations**2).sum(axis=0) + (feature_map**2).sum(axis=0)
    np.testing.assert_allclose(found, (SHAPE + 5.5) / (RATE + squares / 2), rtol=0.02)
    blocks = [slice(0, 1), slice(1, 3), slice(3, 3)]
    strengths = np.mean(
        [draw_strengths(feature_map, np.array([2.0, 0.7]), blocks, generator) for _ in range(20000)], axis=0
    )
    sums = (feature_map**2 @ [2.0, 0.7])[[0, 1, 2]]
    expected = [
        (SHAPE + 1.0) / (RATE + sums[0] / 2),
        (SHAPE + 2.0) / (RATE + sums[1:].sum() / 2),
        SHAPE / RATE,
    ]
    np.testing.assert_allclose(strengths, expected, rtol=0.02)
    noise = np.mean([draw_noise_precision(7.0, 12, generator) for _ in range(20000)])
    assert noise == pytest.approx((SHAPE + 6) / (RATE + 3.5), rel=0.02)
    squared, counts = np.array([1.0, 30.0, 0.0]), np.array([4, 9, 0])
    weights = np.mean([draw_weights(squared, counts, 1.7, generator) for _ in range(20000)], axis=0)
    expected = (DEGREES + counts) / (DEGREES + 1.7 * squared)
    np.testing.assert_allclose(weights, expected, rtol=0.02)
    np.testing.assert_allclose(mean_weights(squared, counts, 1.7), expected)


@pytest.mark.slow
def test_the_chain_leaves_the_joint_distribution_alone():
    """Parameters and ratings drawn in turn come back to the prior (Geweke 2004, "Getting it right").

    Any wrong conditional, in rows, maps, precisions, noise or weights, moves a moment that is known here.
    """
    rng = np.random.default_rng(11)
    shape = sparse_rows(rng, 7, 5)
    counts, n_users, n_items, factors = shape.counts, 7, 5, 1
    users_of = np.repeat(np.arange(n_users), counts)
    user_prior, item_prior = make_prior(rng, n_users, 2, factors), make_prior(rng, n_items, 2, factors)
    users = rng.normal(size=(n_users, factors + 1)).astype(np.float32)
    items = rng.normal(size=(n_items, factors + 1)).astype(np.float32)
    noise, weights, kept = 1.0, np.ones(n_users), []
    for step in range(15000):
        predicted = items[shape.indices, -1] + users[users_of, -1]
        predicted = predicted + (items[shape.indices, :-1] * users[users_of, :-1]).sum(axis=1)
        spread = 1.0 / np.sqrt(noise * weights[users_of])
        values = (predicted + spread * rng.normal(size=predicted.size)).astype(np.float32)
        by_user = SparseRows(shape.indptr, shape.indices, values)
        by_item = transpose(by_user, n_items)
        squared = np.bincount(users_of, (values - predicted).astype(np.float64) ** 2, minlength=n_users)
        user_prior.draw(users, rng)
        noise = draw_noise_precision(float(weights @ squared), values.size, rng)
        weights = draw_weights(squared, counts, noise, rng)
        of_items = weights.astype(np.float32)[by_item.indices]
        draw_rows(by_item, users, items, item_prior, noise, rng, weights=of_items)
        item_prior.draw(items, rng)
        draw_rows(by_user, items, users, user_prior, noise, rng, weights=weights.astype(np.float32)[users_of])
        kept.append(
            [
                *np.log(user_prior.precisions),
                *np.log(item_prior.precisions),
                *np.log(user_prior.strengths),
                *np.log(item_prior.strengths),
                np.log(noise),
                *np.log(weights[:2]),
            ]
        )
        if step % 1000 == 0:  # a heavy tail in single precision must not end the walk
            assert np.isfinite(kept[-1]).all()
    chain = np.array(kept[500:])
    expected = np.full(chain.shape[1], digamma(SHAPE) - np.log(RATE))
    expected[-2:] = digamma(DEGREES / 2) - np.log(DEGREES / 2)
    batches = chain[: len(chain) // 50 * 50].reshape(50, -1, chain.shape[1]).mean(axis=1)
    errors = batches.std(axis=0, ddof=1) / 50**0.5
    far = (batches.mean(axis=0) - expected) / errors
    assert (np.abs(far) < 4.0).all(), far
    assert (errors < 0.2).all(), errors
