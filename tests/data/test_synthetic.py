import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.data.planting import alias_table
from mfx.data.synthetic import PRESETS, Synthetic, user_counts
from mfx.errors import SettingError


@pytest.fixture(scope="module")
def plain():
    """Ratings without rounding, so that what is left beside the truth is the noise."""
    return Synthetic(preset="ml_100k", step=0.0, noise_std=0.6, cache=False)


@pytest.fixture(scope="module")
def ratings(plain):
    return plain.load()


def test_counts_are_exact_and_pairs_distinct(ratings):
    assert (len(ratings), ratings.n_users, ratings.n_items) == PRESETS["ml_100k"]
    pairs = ratings.users.astype(np.int64) * ratings.n_items + ratings.items
    assert np.all(np.diff(pairs) > 0)
    assert ratings.user_counts.min() >= 20
    assert ratings.catalogue.user_ids.tolist() == list(range(1, 944))


def test_tails_are_heavy(ratings):
    for counts in (ratings.user_counts, ratings.item_counts):
        top = np.sort(counts)[::-1]
        assert top[: top.size // 10].sum() > 0.3 * len(ratings)
        assert counts.mean() > 1.2 * np.median(counts)
    flat = Synthetic(users=300, items=400, ratings=12_000, popularity_exponent=0.0, taste=0.0, cache=False).load()
    assert flat.item_counts.std() < 1.3 * np.sqrt(flat.item_counts.mean())


def test_the_planted_truth_leaves_exactly_the_noise(plain, ratings):
    truth = plain.truth()
    residual = ratings.values - truth.predict(ratings.users, ratings.items, ratings.timestamps)
    # Standard errors of mean and deviation of 100,000 normal numbers, times five.
    assert abs(residual.mean()) < 5 * 0.6 / np.sqrt(1e5)
    assert abs(residual.std() - 0.6) < 5 * 0.6 / np.sqrt(2e5)
    assert abs(np.mean((residual / 0.6) ** 4) - 3.0) < 5 * np.sqrt(96 / 1e5)
    assert abs(np.corrcoef(residual[1:], residual[:-1])[0, 1]) < 5 / np.sqrt(1e5)


def test_each_planted_part_has_the_size_it_was_given(plain):
    truth = plain.truth()
    assert truth.user_bias.std() == pytest.approx(plain.user_bias_std, rel=0.1)
    assert truth.item_bias.std() == pytest.approx(plain.item_bias_std, rel=0.1)
    assert truth.item_drift.std() == pytest.approx(plain.drift_std, rel=0.1)
    assert (truth.user_factors @ truth.item_factors.T).std() == pytest.approx(plain.factor_std, rel=0.1)


def test_genres_explain_their_share_of_the_item_factors(plain):
    for share in (0.0, 0.5, 1.0):
        truth = Synthetic(genre_share=share).truth()
        dense = truth.genres.dense()
        assert set(dense.sum(axis=1)) == {1.0, 2.0, 3.0}
        pooled = dense / dense.sum(axis=1, keepdims=True)
        left = truth.item_factors - pooled @ truth.genre_factors
        found = 1.0 - (left**2).sum() / (truth.item_factors**2).sum()
        assert found == pytest.approx(share, abs=0.05)


def test_drift_moves_items_in_time():
    data = Synthetic(
        drift_std=0.5, noise_std=0.0, step=0.0, user_bias_std=0.0, item_bias_std=0.0, factor_std=0.0, cache=False
    )
    ratings, truth = data.load(), data.truth()
    middle = (ratings.timestamps.max() + ratings.timestamps.min()) / 2
    late = ratings.timestamps > middle
    slope = truth.item_drift[ratings.items]
    assert np.corrcoef(ratings.values[late], slope[late])[0, 1] > 0.8
    assert np.corrcoef(ratings.values[~late], slope[~late])[0, 1] < -0.8


def test_taste_decides_what_is_rated(plain, ratings):
    def liking(data, found):
        truth = data.truth()
        return float(np.einsum("nf,nf->n", truth.user_factors[found.users], truth.item_factors[found.items]).mean())

    indifferent = Synthetic(taste=0.0, cache=False)
    assert liking(plain, ratings) > 0.1
    assert abs(liking(indifferent, indifferent.load())) < 0.05


def test_the_scale_and_steps_of_stars():
    ratings = Synthetic(preset="tiny", noise_std=3.0, cache=False).load()
    assert set(np.unique(ratings.values * 2)) <= set(range(1, 11))
    assert (ratings.scale.low, ratings.scale.high) == (0.5, 5.0)
    assert {0.5, 5.0} <= set(ratings.values.tolist())


def test_seeds_threads_and_cache():
    first = Synthetic(preset="tiny").load()
    assert Synthetic(preset="tiny").load().fingerprints == first.fingerprints  # from the cache
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert Synthetic(preset="tiny", cache=False).load().fingerprints == first.fingerprints
    finally:
        numba.set_num_threads(threads)
    assert Synthetic(preset="tiny", seed=2).load().fingerprints != first.fingerprints
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Synthetic(preset="tiny", cache=False).load()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_a_dense_corner_still_gives_distinct_pairs():
    data = Synthetic(
        users=30, items=10, ratings=150, min_user_ratings=5, popularity_exponent=4.0, taste=30.0, cache=False
    )
    ratings = data.load()
    assert ratings.user_counts.tolist() == [5] * 30
    assert np.unique(ratings.users * 10 + ratings.items).size == 150


@pytest.mark.parametrize(
    "wrong",
    [
        {"ratings": 100},
        {"users": 10, "items": 40, "ratings": 201},
        {"users": 10, "items": 10, "ratings": 200},
        {"preset": "huge"},
        {"users": 0},
        {"genre_share": 1.5},
        {"rating_min": 5.0, "rating_max": 1.0},
    ],
)
def test_impossible_sizes_and_wrong_settings(wrong):
    with pytest.raises(SettingError) as caught:
        Synthetic(**wrong)
    assert "\n" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(0, 5), st.integers(0, 20), st.floats(0, 4), st.floats(0, 1))
def test_user_counts_keep_their_bounds_and_sum(users, least, room, spread, fill):
    total = users * least + int(fill * users * room)
    counts = user_counts(np.random.default_rng(0), total, users, least, least + room, spread)
    assert counts.sum() == total
    assert counts.min() >= least
    assert counts.max() <= least + room


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20))
def test_an_alias_table_holds_the_distribution(weights):
    keep, other = alias_table(np.array(weights))
    share = keep / len(weights)
    found = share.copy()
    np.add.at(found, other, 1.0 / len(weights) - share)
    np.testing.assert_allclose(found, np.array(weights) / sum(weights), atol=1e-6)
