import builtins

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx.analysis import parts
from mfx.errors import DataError
from mfx.interfaces import Features


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.05, 1.0, 2.0]))
def test_parts_add_up_to_the_score(seed, weight):
    rng = np.random.default_rng(seed)
    user, items = rng.normal(size=5).astype(np.float32), rng.normal(size=(7, 5)).astype(np.float32)
    found = parts.score_parts(3.5, user, items, weight)
    expected = [3.5 + user[-1] + weight * item[-1] + np.dot(user[:-1].astype(float), item[:-1]) for item in items]
    np.testing.assert_allclose(found.score, expected, rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(found.score, found.mean + found.user_bias + found.item_bias + found.interaction)
    assert (found.mean, found.user_bias) == (3.5, float(user[-1]))


def test_shares_of_features_add_up_to_the_prediction():
    user = np.array([1.0, 2.0, 0.25], np.float32)
    found = parts.shares(3.0, user, np.array([[0.5, 0.0, 0.5], [0.0, -1.0, 0.0]]))
    assert found.shares.tolist() == [1.0, -2.0]
    assert found.prediction == 3.0 + 0.25 + 1.0 - 2.0


def test_norms():
    assert parts.factor_norms(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).tolist() == [5.0, 0.0]


def test_centroids_are_means_over_rated_items_of_each_genre():
    genres = Features.from_lists([["A", "B"], ["A"], ["C"], ["B"]])
    factors = np.array([[1.0, 0.0], [3.0, 2.0], [9.0, 9.0], [7.0, 7.0]], np.float32)
    columns, centroids = parts.genre_centroids(factors, genres, np.array([2, 1, 0, 0]))
    assert columns == [0, 1]
    assert centroids.tolist() == [[2.0, 1.0], [1.0, 0.0]]


def test_principal_components_are_those_of_the_covariance():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(30, 4)) * [3.0, 1.0, 0.2, 0.1] + 7
    places, shares = parts.principal(points)
    variances = np.sort(np.linalg.eigvalsh(np.cov(points.T)))[::-1]
    np.testing.assert_allclose(places.var(axis=0, ddof=1), variances[:2])
    np.testing.assert_allclose(shares, variances[:2] / variances.sum())
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-12)
    flipped, _ = parts.principal(-points + 1)
    np.testing.assert_allclose(np.abs(flipped), np.abs(places))
    assert places[np.abs(places).argmax(axis=0), [0, 1]].min() > 0


def test_points_in_the_plane_keep_their_distances():
    points = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [1.0, 1.0]])
    places, shares = parts.principal(points)
    np.testing.assert_allclose(np.linalg.norm(places[1] - places[2]), 5.0)
    assert shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("points", [np.zeros((5, 3)), np.ones((2, 3)), np.arange(5.0)[:, None]])
def test_maps_of_nothing_are_refused(points):
    with pytest.raises(DataError):
        parts.principal(points)


def test_neighbours_need_scikit_learn(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert parts.neighbours_map(np.random.default_rng(1).normal(size=(9, 3)), 1) is None


def test_neighbours_stay_neighbours():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(2)
    points = np.concatenate([rng.normal(0, 0.01, (8, 3)), rng.normal(5, 0.01, (8, 3))])
    places = parts.neighbours_map(points, 1)
    assert places.shape == (16, 2)
    inside = np.linalg.norm(places[:8] - places[:8].mean(axis=0), axis=1).max()
    assert np.linalg.norm(places[:8].mean(axis=0) - places[8:].mean(axis=0)) > inside
    np.testing.assert_array_equal(places, parts.neighbours_map(points, 1))
    assert parts.neighbours_map(points[:5], 1) is None
