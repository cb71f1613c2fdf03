"""The Bayesian model on planted ratings: what is true is found, and intervals hold what they promise."""

import contextlib
import warnings

import numpy as np
import pytest

import mfx
import mfx.solver.gibbs
from mfx.errors import ModelError
from mfx.interfaces import Ratings, RatingScale
from mfx.models.als import ALS
from mfx.models.bayes_mf import BayesMF
from mfx.models.layouts import layouts
from mfx.solver.gibbs import RowPrior, mean_rows
from mfx.testing import planted_ratings

RANK, FACTOR_SD, BIAS_SD, NOISE_SD = 4, 0.55, 0.4, 0.8


def planted_normal(n_users, n_items, per_user, *, noise_of_users=None, seed=0):
    """Ratings from normal factors and biases of known spread; the true rows come along."""
    rng = np.random.default_rng(seed)
    spread = np.array([FACTOR_SD] * RANK + [BIAS_SD])
    users, items = (rng.normal(size=(n, RANK + 1)) * spread for n in (n_users, n_items))
    u = np.repeat(np.arange(n_users), per_user)
    i = np.concatenate([rng.choice(n_items, per_user, replace=False) for _ in range(n_users)])
    truth = 3.5 + users[u, -1] + items[i, -1] + (users[u, :-1] * items[i, :-1]).sum(axis=1)
    noise = NOISE_SD if noise_of_users is None else noise_of_users[u]
    values = truth + noise * rng.normal(size=u.size)
    return Ratings.from_columns(u, i, values, np.arange(u.size), scale=RatingScale(-5.0, 12.0), name="planted")


def halves(ratings, share=0.2, seed=1):
    held = np.random.default_rng(seed).random(len(ratings)) < share
    return ratings.take(~held), ratings.take(held)


def ids(part):
    return part.catalogue.user_ids[part.users], part.catalogue.item_ids[part.items]


def rmse(model, part):
    return float(np.sqrt(np.mean((model.predict(*ids(part)) - part.values) ** 2)))


def covered(model, part, coverage=0.9):
    low, high = model.predict_interval(*ids(part), coverage)
    return (low <= part.values) & (part.values <= high)


class Informed(BayesMF):
    """The same sampler, told the true variances."""

    def _user_prior(self):
        return Known(self.user_side)

    def _item_prior(self):
        return Known(self.item_side)


class Known(RowPrior):
    def __init__(self, side):
        spread, nothing = np.array([FACTOR_SD] * RANK + [BIAS_SD]), np.zeros((side.n_features, RANK + 1))
        super().__init__(side.matrix, nothing, spread**-2.0, side.blocks, np.ones(len(side.blocks)))

    def draw(self, table, generator):
        pass


PLAIN = {"factors": RANK, "item_features": ["constant"], "user_features": ["constant"]}
SIZES = [(300, 200, 40), (1000, 500, 60), (2500, 1500, 100)]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_unknown_variances_cost_next_to_nothing_and_als_is_not_far(size, monkeypatch):
    train, test = halves(planted_normal(*size))
    learned = rmse(BayesMF(**PLAIN).fit(train), test)
    ratio = (NOISE_SD / FACTOR_SD) ** 2
    als = ALS(factors=RANK, reg=ratio, bias_reg=(NOISE_SD / BIAS_SD) ** 2, epochs=50).fit(train)
    monkeypatch.setattr(mfx.solver.gibbs, "draw_noise_precision", lambda *_: NOISE_SD**-2.0)
    informed = rmse(Informed(**PLAIN, user_noise=False).fit(train), test)
    assert NOISE_SD < informed < learned * 1.01
    assert learned < 1.01 * informed
    assert learned < rmse(als, test) < 1.04 * informed


def test_intervals_hold_as_many_ratings_as_they_promise():
    noise = np.random.default_rng(4).uniform(0.3, 1.5, 300)
    train, test = halves(planted_normal(300, 150, 40, noise_of_users=noise))
    model = BayesMF(**PLAIN, epochs=40).fit(train)
    for coverage in (0.5, 0.9):
        assert covered(model, test, coverage).mean() == pytest.approx(coverage, abs=0.03)
    # Users whose ratings are noisy are known for it.
    inside = covered(model, test)
    for group in (noise < 0.7, noise > 1.1):
        assert inside[group[test.users]].mean() == pytest.approx(0.9, abs=0.05)
    even = BayesMF(**PLAIN, epochs=40, user_noise=False).fit(train)
    assert rmse(model, test) < rmse(even, test)
    assert covered(even, test)[(noise < 0.7)[test.users]].mean() > 0.97


def test_items_without_ratings_get_wide_intervals_around_their_features(planted):
    model = BayesMF(factors=3, epochs=30).fit(planted)
    unrated = planted.catalogue.item_ids[np.flatnonzero(planted.item_counts == 0)]
    user = planted.catalogue.user_ids[:1]
    widths = {}
    for name, items in (("unrated", unrated[:1]), ("rated", planted.catalogue.item_ids[:1])):
        low, high = model.predict_interval(user, items)
        widths[name] = high[0] - low[0]
        assert low[0] < model.predict(user, items)[0] < high[0]
    assert widths["unrated"] > 1.5 * widths["rated"]
    index = int(np.flatnonzero(planted.item_counts == 0)[0])
    genres = planted.catalogue.item_features["genres"]
    names = [genres.names[j] for j in genres.indices[genres.indptr[index] : genres.indptr[index + 1]]]
    new = model.predict_new_items(user, [{"genres": names}])
    np.testing.assert_allclose(new[0], model.predict(user, unrated[:1]), rtol=1e-4)


def test_samples_after_the_burn_in_are_averaged(planted):
    """Predictions are the mean over the kept samples, each one's factors, biases and mean taken together."""
    seen = []

    def note(model, epoch):
        seen.append((model.n_samples, model.score_users(np.arange(3, dtype=np.int32))))

    model = BayesMF(factors=2, epochs=7, burn_in=2).fit(planted, on_epoch=note)
    assert [n for n, _ in seen] == [1, 1, 1, 2, 3, 4, 5]
    users = model.user_table_[:3, :-1].reshape(3, 5, 2) * 5
    items = model.item_table_[:, :-1].reshape(-1, 5, 2)
    by_sample = np.einsum("usk,isk->sui", users, items) + model.item_biases_.T[:, None]
    expected = model.offset_ + by_sample.mean(axis=0) + model.user_table_[:3, -1:]
    np.testing.assert_allclose(seen[-1][1], expected, rtol=1e-5)


def test_who_rates_an_item_says_something_of_it():
    """Half of the users pick good items most of the time, and the others bad ones."""
    rng, n_users, n_items, each = np.random.default_rng(7), 60, 1500, 100
    good = rng.random(n_items) < 0.5
    u = np.repeat(np.arange(n_users), each)
    odds = np.where(good == (np.arange(n_users) % 2 == 0)[:, None], 4.0, 1.0)
    i = np.concatenate([rng.choice(n_items, each, replace=False, p=own / own.sum()) for own in odds])
    values = 3.0 + np.where(good[i], 0.6, -0.6) + rng.normal(size=u.size)
    scale = RatingScale(-4.0, 10.0)
    train, test = halves(Ratings.from_columns(u, i, values, np.arange(u.size), scale=scale, name="choosers"))
    settings = {"factors": 2, "user_noise": False, "epochs": 30, "user_features": ["constant"]}
    informed = BayesMF(**settings, item_features=["constant", "rated"]).fit(train)
    plain = BayesMF(**settings, item_features=["constant"]).fit(train)
    assert 1.0 < rmse(informed, test) < rmse(plain, test) - 0.02


def test_the_table_of_users_holds_their_means_and_not_their_draws(planted):
    model = BayesMF(factors=3, epochs=1, sweeps=2).fit(planted)
    by_user, _ = layouts(planted)
    prior = RowPrior(
        model.user_side.matrix,
        model.user_maps_[0],
        model.user_precisions_[0],
        model.user_side.blocks,
        model.user_strengths_[0],
    )
    noise, weights = float(model.noise_precisions_[0]), np.repeat(model.user_weights_, by_user.counts)
    items, weights = model.item_table_, weights.astype(np.float32)
    means = mean_rows(by_user, items, prior, noise, offset=model.offset_, weights=weights)
    np.testing.assert_allclose(model.user_table_, means, rtol=1e-5, atol=1e-6)
    assert np.abs(model.user_draws_[:, 0] - means).max() > 0.1


def test_ratings_of_noisy_users_say_less_of_items():
    """Each item has as many ratings by users with little noise as by users with ten times as much."""
    rng, n_users, n_items = np.random.default_rng(5), 60, 400
    truth = rng.normal(size=n_items)
    noise = np.where(np.arange(n_users) % 2 == 0, 0.2, 2.0)
    u = np.repeat(np.arange(n_users), n_items // 5)
    i = np.concatenate([rng.permutation(n_items)[: n_items // 5] for _ in range(n_users)])
    values = 3.5 + truth[i] + noise[u] * rng.normal(size=u.size)
    scale = RatingScale(-15.0, 20.0)
    train = Ratings.from_columns(u, i, values, np.arange(u.size), scale=scale, name="noisy")
    settings = {**PLAIN, "factors": 1, "epochs": 15}

    def error(model):
        found = model.fit(train).item_table_[:, -1]
        return np.std(found - truth[train.catalogue.item_ids])

    assert error(BayesMF(**settings)) < 0.5 * error(BayesMF(**settings, user_noise=False))


def test_folding_in_comes_near_the_stored_user(planted):
    model = BayesMF(factors=3, epochs=30).fit(planted)
    for user in (0, 7, 33):
        rows = slice(planted.user_indptr[user], planted.user_indptr[user + 1])
        folded = model.fold_in(planted.catalogue.item_ids[planted.items[rows]], planted.values[rows])
        stored = model.score_users(np.array([user], dtype=np.int32))[0]
        assert np.sqrt(np.mean((folded.scores - stored) ** 2)) < 0.05


def test_a_new_user_whose_weight_vanishes_ends_in_a_row_or_in_an_error_and_in_no_warning():
    """Precisions may come from a saved model, and be as large as they like."""
    planted = planted_ratings()
    model = BayesMF(factors=3, epochs=2).fit(planted)
    precisions = model.user_precisions_.copy()
    precisions[0, 0] = 3e38
    model.restore(model.state() | {"user_precisions_": precisions})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(ModelError):
            assert np.isfinite(model.fold_in(planted.catalogue.item_ids[:2], [5.0, 1.0]).scores).all()


def test_bad_questions_are_refused_in_one_line(planted):
    model = BayesMF(factors=2, epochs=2).fit(planted)
    user, item = planted.catalogue.user_ids[0], planted.catalogue.item_ids[0]
    for coverage in (0.0, 1.0, np.nan):
        with pytest.raises(ModelError, match="between 0 and 1"):
            model.predict_interval(user, item, coverage)
    with pytest.raises(ModelError, match="Unknown genres: Opera"):
        model.predict_new_items([user], [{"genres": ["Opera"]}])
    with pytest.raises(ModelError, match="no features 'genre'"):
        BayesMF(item_features=["genre"]).fit(planted)
    broken = model.state() | {"user_weights_": np.zeros(planted.n_users)}
    model.restore(broken)
    with pytest.raises(ModelError, match="not positive"):
        model.check_state()


@pytest.mark.slow
def test_intervals_hold_on_real_ratings_of_a_random_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = mfx.run("model=bayes_mf", "split=random", "tracking=console", "figures=false", "metrics=[rmse]")
    test = result.split.test
    inside = covered(result.model, test)
    assert 0.87 < inside.mean() < 0.93
    assert result.metrics["test/rmse"] < 0.84
