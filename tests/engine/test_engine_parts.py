"""A data set in parts on a cluster comes to the splits, audits, factors and metrics of the whole."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import mfx
from mfx import compose
from mfx.data.partitioned import Partitioned
from mfx.data.parts_writer import partition
from mfx.engine.partitioned import PartitionedRatings
from mfx.engine.parts import Summary, columns_of
from mfx.engine.ray_engine import EngineError, RayEngine
from mfx.interfaces import Ratings
from mfx.models.bulk import Wanted, known_items
from mfx.split.parts import ASIDE
from mfx.split.temporal import TemporalSplit
from mfx.testing import planted_ratings

SPLITS = [
    ("temporal", {}),
    ("temporal", {"valid_fraction": 0.0}),
    ("leave_last_out", {"count": 2}),
    ("random", {"seed": 3}),
    ("random", {"valid_fraction": 0.0, "fraction": 0.5}),
]
MODELS = [
    mfx.Bias(epochs=3),
    mfx.ALS(factors=4, epochs=3),
    mfx.ALS(factors=4, epochs=3, solver="cg", clip=True),
    mfx.GenreALS(factors=4, epochs=3),
    mfx.BPR(factors=4, epochs=3, positive_threshold=3.0, negatives="popularity"),
]
METRICS = ["rmse", "mae", "precision@5", "recall@5", "ndcg@5", "auc"]


def timed(ratings):
    times = np.random.default_rng(5).integers(0, 50, len(ratings))
    return replace(ratings, timestamps=times.astype(np.int64), time_unit="ms")


def with_text_ids(ratings):
    """The same with ids that are text, some of which are no integers; as text, 14 comes before 7."""
    catalogue, columns = ratings.catalogue, []
    for ids, index in ((catalogue.user_ids, ratings.users), (catalogue.item_ids, ratings.items)):
        names = np.array([str(7 * number) if number % 3 else f"x{number}" for number in range(ids.size)])
        columns.append((np.sort(names), names[index]))
    (users, of_users), (items, of_items) = columns
    known = mfx.Catalogue(users, items)
    columns = of_users, of_items, ratings.values, ratings.timestamps
    return Ratings.from_columns(*columns, time_unit=ratings.time_unit, catalogue=known)


@pytest.fixture
def data(request, tmp_path):
    """All ratings, and the same in parts, one of them without any; with ids that are text if asked to."""
    ratings = replace(timed(planted_ratings(silent=12)), scale=None)
    if getattr(request, "param", "integers") == "text":
        ratings = with_text_ids(ratings)
    partition(ratings, tmp_path / "parts", 6)
    return ratings, Partitioned(path=str(tmp_path / "parts"))


def whole(part):
    columns = [one.value for one in part.parts]
    return [np.concatenate([one[i] for one in columns]) for i in range(4)]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("data", ["integers", "text"], indirect=True)
@pytest.mark.parametrize(("name", "settings"), SPLITS)
def test_splits_are_the_same_to_the_row_and_so_is_the_audit(data, name, settings):
    ratings, dataset = data
    splitter, engine = mfx.create("split", name, settings), RayEngine()
    expected, found = splitter.split(ratings), engine.split(splitter, engine.load(dataset))
    for which in ("train", "valid", "test", "train_and_valid"):
        part, same = getattr(expected, which), getattr(found, which)
        for column, other in zip((part.users, part.items, part.values, part.timestamps), whole(same), strict=True):
            np.testing.assert_array_equal(column, other)
        assert same.time_unit == "ms"
        assert same.mean == pytest.approx(part.mean, rel=1e-12)
        assert same.rating_range == part.rating_range
        np.testing.assert_array_equal(same.user_counts, part.user_counts)
        np.testing.assert_array_equal(same.item_counts, part.item_counts)
        np.testing.assert_array_equal(same.user_indptr, part.user_indptr)
    assert engine.audit(found) == mfx.audit(expected)
    assert found.rule == expected.rule
    assert found.fingerprint == engine.split(splitter, engine.load(dataset)).fingerprint
    other = engine.split(mfx.create("split", "temporal", {"fraction": 0.4}), engine.load(dataset))
    assert found.fingerprint != other.fingerprint


def test_the_fingerprint_of_rows_in_parts_is_of_raw_ids_and_of_no_catalogue(data):
    def in_parts(ratings):
        bounds = np.array([0, ratings.n_users // 2, ratings.n_users])
        rows = ratings.user_indptr[bounds]
        columns = [tuple(column[a:b] for column in columns_of(ratings)) for a, b in itertools.pairwise(rows)]
        sums = [
            Summary.of(part, range(a, b), ratings.n_items)
            for part, (a, b) in zip(columns, itertools.pairwise(bounds.tolist()), strict=True)
        ]
        about = (bounds, ratings.catalogue, ratings.scale, ratings.name, ratings.time_unit)
        return PartitionedRatings.of_summaries(columns, sums, *about)

    ratings, _ = data
    plain = mfx.Catalogue(ratings.catalogue.user_ids, ratings.catalogue.item_ids)
    more = replace(plain, item_ids=np.append(plain.item_ids, plain.item_ids[-1] + 1))
    renamed = replace(plain, item_ids=plain.item_ids + 1)
    same = [in_parts(one) for one in (ratings, ratings.over(plain), ratings.over(more))]
    assert len({one.rows_fingerprint for one in same}) == 1
    assert len({one.data_fingerprint for one in same}) == 3
    assert in_parts(replace(ratings, catalogue=renamed)).rows_fingerprint != same[0].rows_fingerprint


class LeavesOut(TemporalSplit):
    """Leaves the first rating of each user aside."""

    name = "leaves_out"

    def labels(self, ratings):
        labels = super().labels(ratings)
        labels[ratings.user_indptr[:-1][ratings.user_counts > 0]] = ASIDE
        return labels


@pytest.mark.usefixtures("here")
def test_ratings_in_no_part_are_refused_unless_the_splitter_says_so(data, monkeypatch):
    ratings, dataset = data
    engine, left = RayEngine(), int(np.count_nonzero(ratings.user_counts))
    with pytest.raises(mfx.SplitError, match=f"split 'leaves_out': {left} of {len(ratings):,} ratings are in no part"):
        engine.split(LeavesOut(), engine.load(dataset))
    monkeypatch.setattr(LeavesOut, "leaves_aside", True, raising=False)
    found = engine.split(LeavesOut(), engine.load(dataset))
    assert engine.audit(found)["ratings_aside"] == left
    assert engine.audit(found) == mfx.audit(LeavesOut().split(ratings))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("blocks", [None, 1, 3])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_fits_and_metrics_are_those_of_the_whole(data, model, blocks, tmp_path):
    ratings, dataset = data
    splitter, engine = mfx.create("split", "temporal"), RayEngine(blocks=blocks)
    expected, found = splitter.split(ratings), engine.split(splitter, engine.load(dataset))
    one, other = replace(model).fit(expected.train_and_valid), replace(model)
    engine.fit(other, found.train_and_valid, None)
    for name in model.state_names:
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        assert np.abs(a - b).max(initial=0.0) <= 1e-5 * np.abs(a).max(initial=0.0)
    settings = mfx.EvaluationSettings(relevance_threshold=3.5, candidates="unseen_rated")
    metrics = mfx.create_metrics(METRICS)
    values, skipped = engine.evaluate(other, found.train_and_valid, found.test, metrics, settings)
    outcome = mfx.evaluate(one, expected.train_and_valid, expected.test, metrics, settings)
    assert skipped == outcome.skipped
    assert values == pytest.approx(outcome.values, abs=1e-6)

    saved = mfx.Recommender.load(other.save(tmp_path / "model"))
    with pytest.raises(mfx.ModelError, match="with which lies what users rated"):
        saved.recommend([100])
    assert len(saved.recommend([100], 3, exclude_seen=False)) == 3
    assert len(saved.fold_in([1000, 1002], [4.0, 5.0]).recommend(3)) == 3


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_new_users_are_folded_in_where_their_ratings_are(data, model):
    ratings, dataset = data
    fitted = replace(model).fit(planted_ratings(seed=1, n_items=35))
    assert ratings.n_items > fitted.catalogue_.n_items
    index = known_items(fitted, ratings.catalogue.item_ids, ratings.item_counts, drop=True)
    local, engine, wanted = mfx.create("engine", "local"), RayEngine(blocks=3), Wanted(5)
    expected = local.fold_in(fitted, ratings, index, wanted)
    for given in (ratings, engine.load(dataset)):
        found = engine.fold_in(fitted, given, index, wanted)
        for name in ("rows", "items", "scores"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.usefixtures("here")
def test_metrics_that_have_no_value_say_why(data):
    _, dataset = data
    engine, splitter = RayEngine(), mfx.create("split", "temporal")
    split = engine.split(splitter, engine.load(dataset))
    model = engine.fit(mfx.Bias(epochs=1), split.train, None)
    settings = mfx.EvaluationSettings(relevance_threshold=1e9, users_without_relevant="skip")
    values, skipped = engine.evaluate(model, split.train, split.test, mfx.create_metrics(["rmse", "ndcg@5"]), settings)
    assert list(values) == ["rmse"]
    assert "defined for no user" in skipped["ndcg@5"]


@pytest.mark.usefixtures("here")
def test_an_empty_part_of_the_split_is_refused_for_all_parts_together(data):
    _, dataset = data
    engine, splitter = RayEngine(), mfx.create("split", "temporal", {"fraction": 0.001})
    with pytest.raises(mfx.SplitError, match="the test part is empty"):
        engine.split(splitter, engine.load(dataset))


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("split=global_temporal", "split=global_temporal cannot divide a partitioned data set"),
        ("metrics=[coverage@5]", "coverage@5 cannot be added up"),
        ("metrics=[novelty@5]", "novelty@5 cannot be added up"),
    ],
)
def test_what_needs_all_ratings_is_refused_before_any_is_read(choice, said):
    with pytest.raises(EngineError, match=said):
        compose.build(compose.compose(["dataset=partitioned", "dataset.path=nowhere", "engine=ray", choice]))
