"""What every model inherits: raw ids, lists, state, saving."""

import dataclasses
import hashlib
import json
import zipfile

import numpy as np
import pytest

from mfx.errors import ModelError
from mfx.interfaces import RatingScale
from mfx.models.als import ALS
from mfx.models.base import Recommender
from mfx.models.bayes_mf import BayesMF
from mfx.models.bias import Bias
from mfx.models.genre_als import GenreALS
from mfx.models.popularity import Popularity

MODELS = [Popularity(), Bias(), ALS(factors=4), GenreALS(factors=4, pooling="sum")]


@pytest.fixture(params=MODELS, ids=lambda model: model.name)
def model(request, planted) -> Recommender:
    return request.param.fit(planted)


def test_predict_translates_raw_ids(model, planted):
    users, items = planted.catalogue.user_ids[[5, 0, 7]], planted.catalogue.item_ids[[1, 2, 3]]
    expected = model.score_users(np.array([5, 0, 7], dtype=np.int32))[[0, 1, 2], [1, 2, 3]]
    np.testing.assert_allclose(model.predict(users, items), expected, rtol=1e-6)
    np.testing.assert_allclose(model.predict(users, items[1])[1], expected[1], rtol=1e-6)


def test_lists_respect_support_choice_and_seen_items(model, planted):
    counts = planted.item_counts
    floor = int(np.median(counts))
    frame = model.recommend([100], k=100, min_ratings=floor, exclude_seen=False)
    assert len(frame) == (counts >= floor).sum()
    among = planted.catalogue.item_ids[[2, 4, 6]]
    assert set(model.recommend([101], k=10, among=among, exclude_seen=False).item_id) == set(among)
    seen = set(planted.catalogue.item_ids[planted.items[planted.users == 0]])
    everything = model.recommend([100], k=100)
    assert set(everything.item_id) == set(planted.catalogue.item_ids) - seen


def test_bias_weight_ranks_by_the_weighted_sum(planted):
    model = ALS(factors=4).fit(planted)
    frame = model.recommend([100], k=40, bias_weight=0.0, exclude_seen=False)
    affinity = model.item_factors_ @ model.user_factors_[0]
    assert frame.item_id.tolist() == planted.catalogue.item_ids[np.argsort(-affinity, kind="stable")].tolist()
    with pytest.raises(ModelError, match="no item bias"):
        Popularity().fit(planted).recommend([100], bias_weight=0.5)


def test_a_folded_user_gets_the_list_of_a_stored_user_with_the_same_ratings(model, planted):
    mine = planted.users == 3
    folded = model.fold_in(planted.catalogue.item_ids[planted.items[mine]][::-1], planted.values[mine][::-1])
    stored = model.recommend([103], k=6, min_ratings=2)
    frame = folded.recommend(k=6, min_ratings=2)
    assert frame.item_id.tolist() == stored.item_id.tolist()
    np.testing.assert_allclose(folded.predict(frame.item_id), frame.score)


def test_similar_items_are_those_with_the_largest_cosine(planted):
    model = ALS(factors=4, reg=0.5).fit(planted)
    frame = model.similar_items(1004, k=3)
    v = model.item_factors_ / np.maximum(np.linalg.norm(model.item_factors_, axis=1, keepdims=True), 1e-30)
    cosines = v @ v[2]
    cosines[2] = -2
    assert frame.item_id.tolist() == planted.catalogue.item_ids[np.argsort(-cosines)[:3]].tolist()
    for other in (Bias(), Popularity()):
        with pytest.raises(ModelError, match="no item factors"):
            other.fit(planted).similar_items(1004)


def test_mistakes_are_named(model, planted):
    with pytest.raises(ModelError, match="1 unknown user ids, the first is 7"):
        model.predict([100, 7], [1000, 1002])
    with pytest.raises(ModelError, match="unknown item ids, the first is 1"):
        model.fold_in([1], [5.0])
    with pytest.raises(ModelError, match="each item once"):
        model.fold_in([1000, 1000], [5.0, 4.0])
    with pytest.raises(ModelError, match="one rating an item"):
        model.fold_in([1000, 1002], [5.0])
    with pytest.raises(ModelError, match="finite"):
        model.fold_in([1000], [np.nan])
    with pytest.raises(ModelError):
        model.recommend([100], k=0)
    with pytest.raises(ModelError, match="no ratings"):
        type(model)().fit(planted.take(np.zeros(len(planted), dtype=bool)))
    with pytest.raises(ModelError, match="not fitted"):
        type(model)().recommend([100])


def test_saving_and_loading_keeps_every_number_and_never_pickles(model, planted, tmp_path):
    folder = model.save(tmp_path / "model")
    again = type(model).load(folder)
    assert again.settings() == model.settings()
    users = np.arange(planted.n_users, dtype=np.int32)
    np.testing.assert_array_equal(again.score_users(users), model.score_users(users))
    assert again.recommend(k=3).equals(model.recommend(k=3))
    assert again.catalogue_.titles.tolist() == planted.catalogue.titles.tolist()
    genres = again.catalogue_.item_features["genres"]
    np.testing.assert_array_equal(genres.dense(), planted.catalogue.item_features["genres"].dense())
    assert sorted(path.name for path in folder.iterdir()) == ["arrays.npz", "model.json"]
    with zipfile.ZipFile(folder / "arrays.npz") as archive:
        for name in archive.namelist():
            assert b"'descr': '|O'" not in archive.read(name)[:200]


@pytest.mark.parametrize("scale", [(0.5, 5.0), (-7.5, 110.0)])
def test_the_scale_of_a_loaded_model_is_its_own(scale, planted, tmp_path):
    ratings = dataclasses.replace(planted, scale=RatingScale(*scale), values=planted.values * np.float32(30) - 20)
    again = ALS.load(ALS(factors=2, epochs=2, clip=True).fit(ratings).save(tmp_path / "model"))
    assert (again.scale_.low, again.scale_.high) == scale
    predicted = again.predict_pairs(planted.users, planted.items)
    assert scale[0] <= predicted.min() < predicted.max() == scale[1]


def test_text_ids_survive(tmp_path):
    from mfx.interfaces import Ratings

    ratings = Ratings.from_columns(["zoë", "bob", "bob"], ["x", "x", "ÿ y"], [1.0, 5.0, 3.0])
    model = ALS(factors=1).fit(ratings)
    again = ALS.load(model.save(tmp_path / "model"))
    assert again.catalogue_.user_ids.tolist() == ["bob", "zoë"]
    assert again.predict("zoë", "ÿ y") == model.predict("zoë", "ÿ y")


def test_tampered_missing_and_foreign_models_are_refused(planted, tmp_path):
    folder = ALS(factors=2).fit(planted).save(tmp_path / "model")
    with pytest.raises(ModelError, match="not Bias"):
        Bias.load(folder)
    with pytest.raises(ModelError, match="holds no saved model"):
        ALS.load(tmp_path / "nowhere")
    about = json.loads((folder / "model.json").read_text())
    for change, message in (
        ({"format": 99}, "format 99"),
        ({"model": "als9"}, "no model called 'als9'"),
        ({"settings": {"factors": -1}}, "must be at least 1"),
        ({"settings": {"epochs": 2**70}}, "must fit into 64 bits"),
        ({"settings": {"factor": 1}}, "no setting 'factor'"),
        ({"scale": None}, "scale None is not two numbers"),
    ):
        (folder / "model.json").write_text(json.dumps(about | change))
        with pytest.raises(ModelError, match=message):
            ALS.load(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        ALS.load(folder)
    (folder / "model.json").write_text(json.dumps(about))
    content = (folder / "arrays.npz").read_bytes()
    (folder / "arrays.npz").write_bytes(content[:-100] + bytes(100))
    with pytest.raises(ModelError, match="damaged"):
        ALS.load(folder)


def test_a_model_that_needs_what_users_rated_is_refused_without_it(planted, tmp_path):
    folder = BayesMF(factors=2, epochs=2).fit(planted).save(tmp_path / "model")
    with np.load(folder / "arrays.npz") as archive:
        kept = dict(archive)
    np.savez(folder / "arrays.npz", **kept | {"seen/items": np.zeros(0, np.int32)})
    about = json.loads((folder / "model.json").read_text())
    about["arrays"] = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(ModelError, match="not here which items each user rated"):
        BayesMF.load(folder)


def test_saving_into_a_folder_with_other_files_is_refused(planted, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="other files"):
        Popularity().fit(planted).save(tmp_path)


def test_state_can_be_put_back(planted):
    model = ALS(factors=3, epochs=2).fit(planted)
    kept, scores = model.state(), model.score_users(np.array([1], dtype=np.int32))
    model.fit(planted.take(planted.users < 30))
    model.restore(kept)
    np.testing.assert_array_equal(model.score_users(np.array([1], dtype=np.int32)), scores)
    with pytest.raises(ModelError, match="keeps"):
        model.restore({"user_table_": kept["user_table_"]})


def test_lists_are_those_of_the_scores_also_for_a_subclass_that_scores_in_a_way_of_its_own(planted):
    class Backwards(ALS):
        def score_rows(self, rows):
            return -super().score_rows(rows)

    for cls, sign in ((ALS, 1.0), (Backwards, -1.0)):
        model = cls(factors=3, epochs=2).fit(planted)
        users = np.arange(planted.n_users, dtype=np.int32)
        scores = sign * (model.user_factors_ @ model.item_factors_.T + model.item_bias_)
        scores += sign * (model.user_bias_ + model.offset_)[:, None]
        listed = model.recommend(k=4, exclude_seen=False)
        best = planted.catalogue.item_ids[np.argsort(-scores, axis=1)[:, :4]]
        np.testing.assert_array_equal(listed["item_id"].to_numpy().reshape(-1, 4), best)
        np.testing.assert_allclose(
            listed["score"].to_numpy().reshape(-1, 4), -np.sort(-scores, axis=1)[:, :4], rtol=1e-4, atol=1e-5
        )
        assert (model.score_product(users) is None) == (cls is Backwards)


@pytest.mark.parametrize(
    "left", [("arrays.npz",), (".arrays.npz.x1.npz",), ("arrays.npz", ".model.json.x1.json", "MLmodel")]
)
def test_a_folder_that_a_killed_process_left_half_written_is_taken_over(planted, tmp_path, left):
    for name in left:
        (tmp_path / name).write_bytes(b"half")
    model = ALS(factors=2, epochs=1).fit(planted)
    loaded = ALS.load(model.save(tmp_path))
    np.testing.assert_array_equal(loaded.item_table_, model.item_table_)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_state_that_is_promised_must_be_set(planted):
    class Forgetful(Popularity):
        state_names = ("scores_", "more_")

    with pytest.raises(ModelError, match="did not set 'more_', which state_names promises"):
        Forgetful().fit(planted)
