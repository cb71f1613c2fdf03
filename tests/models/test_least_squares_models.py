"""The least squares family: the objective, its minimum, both reports' parametrisations, cold items."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mfx.errors import ModelError, SettingError
from mfx.interfaces import Features, Ratings
from mfx.models.als import ALS
from mfx.models.bias import Bias
from mfx.models.genre_als import GenreALS
from mfx.models.least_squares import LeastSquaresModel

MODELS = [
    Bias(epochs=8),
    ALS(factors=5, reg=2.0, epochs=12),
    ALS(factors=5, reg=0.1, per_count=True, epochs=12),
    ALS(factors=5, user_reg=1.0, item_reg=4.0, mean=False, epochs=12),
    ALS(factors=5, reg=2.0, solver="cg", cg_steps=2, epochs=12),
    GenreALS(factors=5, genre_weight=20.0, epochs=12),
    GenreALS(factors=5, genre_weight=20.0, genre_update="factors", solver="cg", epochs=12),
    GenreALS(factors=5, genre_weight=20.0, pooling="sum", genre_update="factors", epochs=12),
    GenreALS(factors=5, genre_weight=20.0, item_features=["count", "genres"], user_features=["group"], epochs=12),
    GenreALS(factors=3, user_features=["constant", "count"], feature_bias=False, genre_update="factors", epochs=12),
    GenreALS(factors=3, reg=0.1, per_count=True, feature_bias=False, genre_weight=5.0, epochs=12),
    GenreALS(factors=3, genre_weight=5.0, item_features=["genres"], feature_bias=False, epochs=12),
]


def name_of(model: LeastSquaresModel) -> str:
    return "-".join([model.name, *(f"{k}={v}" for k, v in model.settings().items() if v != getattr(type(model)(), k))])


def squared_errors(model: LeastSquaresModel, ratings: Ratings) -> float:
    users, items = ratings.users, ratings.items
    u, v = model.user_table_.astype(np.float64), model.item_table_.astype(np.float64)
    predicted = model.offset_ + u[users, -1] + v[items, -1] + (u[users, :-1] * v[items, :-1]).sum(axis=1)
    return float(np.square(ratings.values - predicted).sum())


def objective(model: LeastSquaresModel, ratings: Ratings) -> float:
    """Compute the objective of DESIGN in float64, from the tables alone."""
    u, v = model.user_table_.astype(np.float64), model.item_table_.astype(np.float64)
    user_scale = np.maximum(ratings.user_counts, 1) if model.per_count else np.ones(len(u))
    item_scale = np.maximum(ratings.item_counts, 1) if model.per_count else np.ones(len(v))
    total = squared_errors(model, ratings)
    pulled = isinstance(model, GenreALS)
    user_reg, item_reg = (getattr(model, side, None) or getattr(model, "reg", 0.0) for side in ("user_reg", "item_reg"))
    user_bias_reg = item_bias_reg = model.bias_reg
    if pulled:
        total += model.genre_reg * (np.square(model.item_map_).sum() + np.square(model.user_map_).sum())
        item_bias_pull = model.bias_reg * model.feature_bias
        item_bias_reg -= item_bias_pull
        far = v - centres(model.item_side.matrix, model.item_map_, v)
        total += model.genre_weight * np.square(far[:, :-1]).sum() + item_bias_pull * np.square(far[:, -1]).sum()
    if pulled and model.user_features:
        user_factors_pull, user_bias_pull = user_reg, model.bias_reg * model.feature_bias
        user_reg, user_bias_reg = 0.0, user_bias_reg - user_bias_pull
        far = u - centres(model.user_side.matrix, model.user_map_, u)
        total += user_factors_pull * np.square(far[:, :-1]).sum() + user_bias_pull * np.square(far[:, -1]).sum()
    for table, scale, reg, bias_reg in (
        (u, user_scale, user_reg, user_bias_reg),
        (v, item_scale, item_reg, item_bias_reg),
    ):
        total += reg * (scale[:, None] * table[:, :-1] ** 2).sum() + bias_reg * (scale * table[:, -1] ** 2).sum()
    return float(total)


def centres(features, feature_map, table):
    """Return where rows are pulled, with no bias where the map has none."""
    found = np.zeros_like(table)
    found[:, : feature_map.shape[1]] = features.toarray() @ feature_map
    return found


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_the_logged_losses_are_those_of_the_definition(model, planted):
    logged = []

    def check(fitted, epoch):
        logged.append(epoch.losses)
        assert epoch.losses["objective"] == pytest.approx(objective(fitted, planted), rel=1e-5)
        rmse = np.sqrt(squared_errors(fitted, planted) / len(planted))
        assert epoch.losses["rmse"] == pytest.approx(rmse, rel=1e-4)
        return False

    model.fit(planted, on_epoch=check)
    assert len(logged) == model.epochs


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_the_objective_falls_at_every_half_step(model, planted, monkeypatch):
    values, told = [], []
    update = type(model).update_items

    def update_and_note(self, by_item):
        values.append(objective(self, planted))
        on_the_way = update(self, by_item)
        values.append(objective(self, planted))
        assert list(on_the_way.values())[-1] == pytest.approx(values[-1], rel=1e-5)
        return on_the_way

    def note(fitted, epoch):
        told.extend(value for name, value in epoch.losses.items() if name.startswith("objective"))
        return False

    monkeypatch.setattr(type(model), "update_items", update_and_note)
    model.fit(planted, on_epoch=note)
    values.append(objective(model, planted))
    for steps in (np.array(values), np.array(told)):
        assert (np.diff(steps) <= 1e-6 * steps[:-1]).all()
    assert values[-1] < 0.8 * values[0]
    steps = 2 + isinstance(model, GenreALS) + bool(getattr(model, "user_features", []))
    assert len(told) == model.epochs * steps


def test_the_map_through_the_ratings_lowers_the_objective_by_itself(planted, monkeypatch):
    """The half-step above joins items and map; here the map's part alone must not raise the objective."""
    from mfx.solver import feature_map

    model = GenreALS(factors=4, genre_weight=20.0, epochs=6)
    step = feature_map.step_through_ratings
    pairs = []

    def step_and_note(*arrays, **settings):
        before = objective(model, planted)
        found = step(*arrays, **settings)
        kept_map, kept_items = model.item_map_, model.item_table_.copy()
        model.item_map_ = kept_map + found
        model.item_table_ += model.item_side.matrix @ found
        pairs.append((before, objective(model, planted)))
        model.item_map_ = kept_map
        model.item_table_[:] = kept_items
        return found

    monkeypatch.setattr(feature_map, "step_through_ratings", step_and_note)
    model.fit(planted)
    before, after = np.array(pairs).T
    assert (after <= before * (1 + 1e-6)).all()
    assert (after[:3] < before[:3] * (1 - 1e-4)).all()


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_a_stored_row_is_the_fold_in_of_its_ratings_bit_for_bit(model, planted):
    model.fit(planted)
    known = getattr(model, "user_features", [])
    for user in (0, 7, 59):
        part = slice(planted.user_indptr[user], planted.user_indptr[user + 1])
        about = {"features": {"group": ["odd" if user % 2 else "even"]}} if "group" in known else {}
        folded = model.fold_in(planted.catalogue.item_ids[planted.items[part]], planted.values[part], **about)
        np.testing.assert_array_equal(folded.row, model.user_table_[user])
        expected = model.score_users(np.array([user], dtype=np.int32))[0]
        np.testing.assert_allclose(folded.scores, expected, rtol=1e-6)


def test_fold_in_without_bias_is_equation_6_of_fokam(planted):
    model = ALS(factors=4, reg=2.0).fit(planted)
    items, ratings = np.array([3, 8, 20]), np.array([5.0, 4.0, 1.0])
    folded = model.fold_in(planted.catalogue.item_ids[items], ratings, bias=False)
    v = model.item_factors_[items].astype(np.float64)
    expected = np.linalg.solve(v.T @ v + 2.0 * np.eye(4), v.T @ (ratings - model.offset_ - model.item_bias_[items]))
    np.testing.assert_allclose(folded.row[:-1], expected, rtol=1e-4)
    assert folded.row[-1] == 0.0


def test_koto_precisions_are_a_fixed_point_of_the_reports_updates(planted):
    """At convergence the updates (6), (7), (9) and (10) of Koto, in their own parameters, change nothing."""
    precision, tau, gamma = 2.0, 6.0, 3.0
    model = ALS.from_precisions(
        precision=precision, factor_precision=tau, bias_precision=gamma, factors=2, epochs=600
    ).fit(planted)
    assert model.mean is False
    assert model.offset_ == 0.0
    u, v = model.user_table_.astype(np.float64), model.item_table_.astype(np.float64)
    for own, other, index, partner in ((u, v, planted.users, planted.items), (v, u, planted.items, planted.users)):
        for row in range(0, len(own) - 1, 7):
            rated = partner[index == row]
            r = planted.values[index == row].astype(np.float64)
            factors, bias = other[rated, :-1], other[rated, -1]
            b = precision * (r - factors @ own[row, :-1] - bias).sum() / (precision * len(r) + gamma)
            w = np.linalg.solve(
                precision * factors.T @ factors + tau * np.eye(2), precision * factors.T @ (r - own[row, -1] - bias)
            )
            assert own[row, -1] == pytest.approx(b, abs=2e-3)
            np.testing.assert_allclose(own[row, :-1], w, atol=2e-3)


def test_fokam_reg_makes_the_gradient_of_equation_2_vanish(planted):
    lam = 3.0
    model = ALS.from_single_reg(lam, factors=2, epochs=600).fit(planted)
    assert (model.reg, model.bias_reg) == (lam, lam)
    u, v = model.user_table_.astype(np.float64), model.item_table_.astype(np.float64)
    users, items = planted.users, planted.items
    residual = planted.values - model.offset_ - u[users, -1] - v[items, -1]
    residual = residual - (u[users, :-1] * v[items, :-1]).sum(axis=1)
    gradient = lam * u[:, :-1]
    np.add.at(gradient, users, -residual[:, None] * v[items, :-1])
    assert np.abs(gradient).max() < 0.02
    gradient = lam * v[:, -1]
    np.add.at(gradient, items, -residual)
    assert np.abs(gradient).max() < 0.02


def test_fokam_genre_als_makes_the_gradient_of_equation_3_vanish(planted):
    """The report's model: one penalty for factors and biases, items pulled to their mean genres, biases not pulled."""
    lam, tau = 3.0, 20.0
    report = {"item_features": ["genres"], "feature_bias": False, "genre_update": "factors"}
    model = GenreALS.from_single_reg(lam, factors=2, genre_weight=tau, epochs=600, **report).fit(planted)
    u, v = model.user_table_.astype(np.float64), model.item_table_.astype(np.float64)
    users, items = planted.users, planted.items
    genres = planted.catalogue.item_features["genres"].dense().astype(np.float64)
    genres /= genres.sum(axis=1, keepdims=True)
    residual = planted.values - model.offset_ - u[users, -1] - v[items, -1]
    residual = residual - (u[users, :-1] * v[items, :-1]).sum(axis=1)
    far = v[:, :-1] - genres @ model.genre_map_
    factors = lam * v[:, :-1] + tau * far
    np.add.at(factors, items, -residual[:, None] * u[users, :-1])
    biases = lam * v[:, -1]
    np.add.at(biases, items, -residual)
    of_map = model.genre_reg * model.genre_map_ - tau * genres.T @ far
    for gradient in (factors, biases, of_map):
        assert np.abs(gradient).max() < 0.02


def test_planted_factors_are_found_to_within_the_noise(make_planted):
    ratings = make_planted(n_users=300, n_items=200, noise=0.2, density=0.3, seed=5)
    held_out = np.random.default_rng(0).random(len(ratings)) < 0.1
    train, test = ratings.take(~held_out), ratings.take(held_out)
    errors = {}
    for model in (Bias(), ALS(factors=3, reg=0.3, bias_reg=0.3, epochs=40)):
        predicted = model.fit(train).score_pairs(test.users, test.items)
        errors[model.name] = np.sqrt(np.mean((predicted - test.values) ** 2))
    assert errors["als"] < 0.25
    assert errors["bias"] > 0.6


def test_genres_carry_over_to_items_without_ratings(make_planted):
    ratings = make_planted(n_users=300, n_items=200, noise=0.2, density=0.3, seed=6)
    cold = ratings.items % 5 == 0
    train, test = ratings.take(~cold), ratings.take(cold)

    def error(model, data):
        scores = model.fit(data).score_pairs(test.users, test.items)
        return np.sqrt(np.mean((scores - test.values) ** 2))

    genres = train.catalogue.item_features["genres"]
    rows = [
        [genres.names[j] for j in genres.indices[a:b]] for a, b in zip(genres.indptr, genres.indptr[1:], strict=False)
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = Features.from_lists([rows[j] for j in order])
    permuted = replace(train, catalogue=replace(train.catalogue, item_features={"genres": shuffled}))
    settings = {"factors": 3, "reg": 0.5, "genre_weight": 5.0}
    true, false, bias = error(GenreALS(**settings), train), error(GenreALS(**settings), permuted), error(Bias(), train)
    assert true < 0.9 * bias
    assert true < 0.9 * false


UNRATED = 4
COLD = [
    *(model for model in MODELS if isinstance(model, GenreALS)),
    GenreALS(factors=4),
    GenreALS(factors=4, genre_update="factors"),
    GenreALS(factors=4, genre_update="factors", genre_reg=30.0, item_features=["constant"], unrated=1.0),
    GenreALS(factors=4, pooling="sum", item_features=["genres", "constant"], min_rows=5),
    GenreALS(factors=4, item_reg=0.0, bias_reg=0.0, user_features=["group", "count"]),
]


@pytest.mark.parametrize("model", COLD, ids=name_of)
def test_rows_without_ratings_are_what_the_maps_say_after_every_epoch(model, make_planted):
    """They follow the last step of the maps: new items and users with the same features are predicted alike."""
    train = make_planted(unrated=UNRATED, silent=2)
    genres = train.catalogue.item_features["genres"]
    rows = [slice(*genres.indptr[i : i + 2]) for i in range(train.n_items)][-UNRATED:]
    of_genres = model.item_features is None or "genres" in model.item_features
    known = [{"genres": [genres.names[j] for j in genres.indices[row]]} if of_genres else {} for row in rows]
    epochs = []

    def check(fitted, epoch):
        new = fitted.predict_new_items(train.catalogue.user_ids, known)
        stored = fitted.score_users(np.arange(train.n_users, dtype=np.int32))[:, -UNRATED:]
        np.testing.assert_allclose(new, stored, rtol=2e-6)
        epochs.append(epoch.number)
        if "group" in fitted.user_features:
            given = {"features": {"group": [["even", "odd"][(train.n_users - 1) % 2]]}}
        else:
            given = {}
        np.testing.assert_allclose(fitted.fold_in([], [], **given).scores, scores_of_last(fitted), rtol=2e-6)
        return False

    fitted = replace(model, epochs=3).fit(train, on_epoch=check)
    assert epochs == [1, 2, 3]
    assert np.ptp(fitted.item_table_[-UNRATED:], axis=0).max() > 1e-3 or not of_genres


def scores_of_last(model):
    return model.score_users(np.array([model.catalogue_.n_users - 1], dtype=np.int32))[0]


def test_new_items_are_predicted_as_items_without_ratings_of_the_same_genres(planted):
    model = GenreALS(factors=4, genre_weight=20.0).fit(planted)
    users = planted.catalogue.user_ids[:5]
    for wrong, message in (
        ({"genres": ["Space"]}, "Unknown genres: Space"),
        ({"genre": ["Comedy"]}, "no features 'genre'"),
        ({"count": ["5"]}, "no features 'count'"),
    ):
        with pytest.raises(ModelError, match=message):
            model.predict_new_items(users, [wrong])


def test_a_new_user_is_pulled_to_their_features(planted):
    """Somebody without ratings is where the map puts them; unknown features are refused."""
    settings = {"factors": 3, "user_features": ["constant", "group"]}
    model = GenreALS(**settings).fit(planted)
    row = model.fold_in([], [], features={"group": ["odd"]}).row
    names = list(model.user_side.names)
    expected = model.user_map_[names.index("constant")] + model.user_map_[names.index("group: odd")]
    np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ModelError, match="Unknown group: both"):
        model.fold_in([], [], features={"group": ["both"]})
    with pytest.raises(ModelError, match="als makes no use of what is known of users"):
        ALS(factors=2).fit(planted).fold_in([], [], features={"group": ["odd"]})


def test_user_features_are_learnt_where_they_mean_something(planted):
    """Group "odd" rates a point higher; somebody of whom nothing else is known gets it."""
    shifted = planted.values + np.float32(1.0) * (planted.users % 2)
    train = replace(planted, values=shifted.astype(np.float32))
    model = GenreALS(factors=2, user_features=["constant", "group"]).fit(train)
    odd, even = (model.fold_in([], [], features={"group": [group]}).scores.mean() for group in ("odd", "even"))
    assert 0.7 < odd - even < 1.2


def test_genre_als_says_when_there_are_no_genres(planted):
    bare = replace(planted, catalogue=replace(planted.catalogue, item_features={}))
    with pytest.raises(ModelError, match="genres of items"):
        GenreALS().fit(bare)
    GenreALS(factors=2, item_features=["constant", "count"]).fit(bare)
    with pytest.raises(ModelError, match="genre_update=factors"):
        GenreALS(factors=2000).fit(planted)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"item_features": ["genre"]}, "no features 'genre'"),
        ({"item_features": ["genres", "count", "genres"]}, "'genres' are named twice"),
        ({"item_features": ["genres"], "min_rows": 10_000}, "no feature is left that 10000"),
        ({"user_features": ["group"], "min_rows": 50}, "50 of the rated users"),
    ],
)
def test_features_that_are_not_there_are_refused(settings, message, planted):
    with pytest.raises(ModelError, match=message):
        GenreALS(**settings).fit(planted)


def test_rare_features_are_left_out(planted):
    counts = planted.catalogue.item_features["genres"].dense()[planted.item_counts > 0].sum(axis=0)
    model = GenreALS(factors=2, min_rows=int(np.median(counts)) + 1, epochs=2).fit(planted)
    kept = [
        f"genres: {name}"
        for name, n in zip(planted.catalogue.item_features["genres"].names, counts, strict=True)
        if n > np.median(counts)
    ]
    assert [name for name in model.item_side.names if name.startswith("genres")] == kept
    assert 0 < len(kept) < counts.size
    assert (model.genre_map_[counts <= np.median(counts)] == 0).all()
    assert (model.genre_map_[counts > np.median(counts)] != 0).any(axis=1).all()


@pytest.mark.parametrize("settings", [{}, {"per_count": True, "reg": 0.1}], ids=["flat", "per count"])
def test_steps_and_solves_reach_the_same_optimum(settings, planted):
    fitted = {
        solver: ALS(**{"factors": 40, "reg": 2.0, "epochs": 60, "solver": solver, **settings}).fit(planted)
        for solver in ("auto", "cg", "cholesky")
    }
    assert fitted["auto"].descends
    assert not ALS(factors=13).descends
    np.testing.assert_array_equal(fitted["auto"].item_table_, fitted["cg"].item_table_)
    least = objective(fitted["cholesky"], planted)
    assert objective(fitted["cg"], planted) == pytest.approx(least, rel=1e-4)
    pairs = (planted.users, planted.items)
    difference = fitted["cg"].score_pairs(*pairs) - fitted["cholesky"].score_pairs(*pairs)
    assert np.sqrt(np.square(difference).mean()) < 0.01


def test_another_seed_gives_other_numbers(planted):
    one, other = (GenreALS(factors=4, epochs=3, seed=seed).fit(planted) for seed in (1, 2))
    assert not np.array_equal(one.user_table_, other.user_table_)


def test_clipping_keeps_predictions_on_the_scale(planted):
    loose = ALS(factors=5, reg=0.1).fit(planted)
    tight = ALS(factors=5, reg=0.1, clip=True).fit(planted)
    users, items = (index.ravel().astype(np.int32) for index in np.indices((planted.n_users, planted.n_items)))
    scores = loose.score_pairs(users, items)
    assert scores.max() > planted.scale.high
    np.testing.assert_array_equal(tight.score_pairs(users, items), scores.clip(0.5, 5.0))


def test_divergence_is_an_error_with_advice(planted):
    huge = replace(planted, values=planted.values * np.float32(1e30))
    for model in (ALS(factors=3), GenreALS(factors=3), GenreALS(factors=3, genre_update="factors")):
        with pytest.raises(ModelError, match="diverged in epoch 1"):
            model.fit(huge)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"factors": -3}, "ALS.factors=-3 must be at least 1"),
        ({"reg": float("nan")}, "ALS.reg=nan must be a finite number"),
        ({"epochs": 2.5}, "ALS.epochs=2.5 must be of type int"),
        ({"bias_reg": -1.0}, "ALS.bias_reg=-1.0 must be at least 0"),
        ({"item_reg": 1e31}, r"ALS.item_reg=1e+31 must be at most 1e+30"),
        ({"user_reg": -1.0}, "ALS.user_reg=-1.0 must be at least 0"),
        ({"item_features": []}, "GenreALS.item_features is empty"),
        ({"per_count": True, "feature_bias": True}, "pulls of biases and users have no such scale"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    model = GenreALS if {"item_features", "feature_bias"} & set(settings) else ALS
    with pytest.raises(SettingError, match=re.escape(message)):
        model(**settings)
