"""Lists are ordered by scores and ratings are said by predictions, which obey clip: every path of every such model."""

import numpy as np
import pytest

from mfx import registry
from mfx.interfaces import Catalogue, Features, Ratings, RatingScale
from mfx.metrics.evaluation import EvaluationSettings, evaluate
from mfx.metrics.names import create_metrics, under_protocol
from mfx.models import bulk
from mfx.models.base import Recommender

CLIPPERS = sorted(
    entry.name
    for entry in registry.available("model")
    if "clip" in entry.component.__dataclass_fields__ and entry.component.__module__.startswith("mfx.")
)
SMALL = {"epochs": 4, "factors": 2, "seed": 1}
LOW, HIGH = np.float32(2.5), np.float32(3.5)


def stars(scale):
    rng = np.random.default_rng(5)
    users, items = np.nonzero(rng.random((30, 20)) < 0.6)
    leaning, appeal = rng.normal(0, 1, 30), rng.normal(0, 1, 20)
    genres = Features.from_lists([["A", "B"] if appeal[item] > 0 else ["B"] for item in range(20)])
    catalogue = Catalogue(np.arange(30), np.arange(20), None, {"genres": genres})
    values = np.clip(3 + leaning[users] + appeal[items], 1, 5)
    return Ratings.from_columns(users, items, values, catalogue=catalogue, scale=scale)


@pytest.fixture(scope="module", params=CLIPPERS)
def pair(request):
    """One model fitted without and with clip, on a scale that many predictions leave."""
    fields = registry.get("model", request.param).component.__dataclass_fields__
    settings = {name: value for name, value in SMALL.items() if name in fields}
    ratings = stars(RatingScale(float(LOW), float(HIGH)))
    loose, tight = (
        registry.create("model", request.param, {**settings, "clip": clip}).fit(ratings) for clip in (False, True)
    )
    return loose, tight, ratings


def clipped(loose, tight):
    assert loose.min() < LOW < HIGH < loose.max()
    np.testing.assert_array_equal(tight, loose.clip(LOW, HIGH))
    assert tight.dtype == np.float32


def test_there_are_models_that_clip():
    assert {"als", "bayes_mf", "bias", "genre_als"} <= set(CLIPPERS)


def test_predictions_obey_clip_and_scores_do_not(pair, tmp_path):
    loose, tight, ratings = pair
    every = np.arange(ratings.n_users, dtype=np.int32)
    np.testing.assert_array_equal(loose.score_users(every), tight.score_users(every))
    columns = ratings.users, ratings.items
    np.testing.assert_array_equal(loose.score_pairs(*columns), tight.score_pairs(*columns))
    clipped(loose.predict(*columns), tight.predict(*columns))
    clipped(loose.predict(*columns), Recommender.load(tight.save(tmp_path / "model")).predict(*columns))


def test_predictions_of_new_rows_obey_clip(pair):
    loose, tight, ratings = pair
    clipped(*(model.predict_rows(range(30), model.item_table_) for model in (loose, tight)))
    if hasattr(loose, "predict_new_items"):
        new = [{"genres": ["A"]}, {"genres": ["B"]}]
        clipped(*(model.predict_new_items(range(30), new) for model in (loose, tight)))
    if hasattr(loose, "predict_interval"):
        columns = ratings.users, ratings.items
        for one, other in zip(loose.predict_interval(*columns), tight.predict_interval(*columns), strict=True):
            np.testing.assert_array_equal(other, one.clip(LOW, HIGH))


def test_new_users_are_predicted_for_with_clip_and_listed_without(pair):
    loose, tight, ratings = pair
    profile = ratings.items[ratings.users == 1], ratings.values[ratings.users == 1]
    one, other = loose.fold_in(*profile), tight.fold_in(*profile)
    clipped(one.predict(range(20)), other.predict(range(20)))
    assert one.recommend(15).equals(other.recommend(15))
    columns = ratings.users, ratings.items, ratings.values, ratings.n_users, bulk.Wanted(12)
    many = [bulk.fold_in(model, *columns) for model in (loose, tight)]
    np.testing.assert_array_equal(many[0].items, many[1].items)
    np.testing.assert_array_equal(many[0].scores, many[1].scores)


@pytest.mark.parametrize("settings", [EvaluationSettings(), EvaluationSettings(candidates=5)])
def test_lists_and_ranks_are_the_same_with_clip(pair, settings):
    loose, tight, ratings = pair
    assert loose.recommend(k=15).equals(tight.recommend(k=15))
    seen, held_out = ratings.take(np.arange(len(ratings)) % 4 > 0), ratings.take(np.arange(len(ratings)) % 4 == 0)
    metrics = create_metrics(["rmse", "hit_rate@3", "ndcg@3", "auc"])
    metrics = {under_protocol(name, metric, settings): metric for name, metric in metrics.items()}
    one, other = (evaluate(model, seen, held_out, metrics, settings).values for model in (loose, tight))
    errors = [tight.predictions(tight.score_pairs(held_out.users, held_out.items)) - held_out.values]
    assert other.pop("rmse") == pytest.approx(np.sqrt(np.mean(np.square(errors, dtype=np.float64))), rel=1e-6)
    assert one.pop("rmse") != pytest.approx(np.sqrt(np.mean(np.square(errors, dtype=np.float64))), rel=1e-3)
    assert len(one) == 3
    assert one == other


@pytest.mark.parametrize("name", CLIPPERS)
def test_without_a_declared_scale_predictions_reach_as_far_as_what_was_fitted(name):
    ratings = stars(None)
    inner = ratings.take((ratings.values > 2.5) & (ratings.values < 3.5))
    model = registry.create("model", name, {"clip": True}).fit(inner)
    assert (model.scale_.low, model.scale_.high) == (inner.values.min(), inner.values.max())
    found = model.predict(ratings.users, ratings.items)
    assert inner.values.min() <= found.min() < found.max() <= inner.values.max()
