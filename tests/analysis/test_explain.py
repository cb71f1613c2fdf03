import csv

import numpy as np
import pytest

import mfx
from mfx.analysis import explain
from mfx.analysis.advice import Adviser, Request
from mfx.analysis.runs import find
from mfx.errors import ModelError, SettingError

SEEDS = "The Matrix=5; Terminator 2=5; Blade Runner=5"


@pytest.fixture
def run(in_demo):
    return find("demo_genre")


@pytest.fixture
def plain(in_demo):
    return find("demo_als")


@pytest.mark.parametrize("asked", [{"user": 3}, {"ratings": SEEDS, "bias_weight": 0.05, "min_ratings": 20}])
def test_parts_of_scores_add_up_to_those_of_the_list(run, asked):
    found = explain.scores(run, Request(k=6, **asked))
    answer = Adviser(run.model).recommend(Request(k=6, **asked))
    assert [row["item_id"] for row in found.rows] == [item.item_id for item in answer.items]
    for row, item in zip(found.rows, answer.items, strict=True):
        assert row["score"] == pytest.approx(item.score, abs=2e-6)
        assert row["mean"] + row["user_bias"] + row["item_bias"] + row["factors"] == pytest.approx(row["score"])
    assert found.rows[0]["mean"] == run.model.offset_
    if "ratings" in asked:
        assert [one.item_id for one in found.taken] == [2571, 589, 541]
        at = run.model.catalogue_.item_index([found.rows[0]["item_id"]])
        assert found.rows[0]["item_bias"] == pytest.approx(0.05 * run.model.item_bias_[at[0]])


@pytest.mark.parametrize("genres", ["Sci-Fi|Action", "horror", "Children|Comedy|Animation"])
def test_shares_of_a_new_item_add_up_to_the_prediction_of_the_model(run, genres):
    found = explain.new_item(run, Request(user=7), genres)
    points = [row["points"] for row in found.rows]
    assert points[-1] == pytest.approx(sum(points[:-1]), abs=1e-12)
    names = Adviser(run.model).genre_names(genres)
    assert [row["part"] for row in found.rows[2:-1]] == ["any item", *sorted(names), "no ratings yet"]
    assert points[-1] == pytest.approx(float(run.model.predict_new_items([7], [{"genres": names}])[0, 0]), abs=2e-6)
    assert 0.5 < points[-1] < 5.5
    assert found.facts["prediction"] == points[-1]


def test_the_prediction_of_a_new_item_obeys_clip(run, monkeypatch):
    free = explain.new_item(run, Request(user=7), "horror")
    assert not any("clip" in row["part"] for row in free.rows)
    assert "clipped" not in free.figures[free.name].texts[-1].get_text()
    monkeypatch.setattr(run.model, "clip", True)
    monkeypatch.setattr(run.model, "scale_", mfx.RatingScale(0.5, 1.5))
    found = explain.new_item(run, Request(user=7), "horror")
    points = [row["points"] for row in found.rows]
    assert found.facts["prediction"] == points[-1] == 1.5 < free.rows[-1]["points"]
    assert points[-1] == pytest.approx(sum(points[:-1]), abs=1e-12)
    assert points[:-2] == [row["points"] for row in free.rows[:-1]]
    assert ": 1.50 for" in found.figures[found.name].axes[0].get_title(loc="left")


def test_a_new_user_and_a_new_item(run):
    fan = explain.new_item(run, Request(ratings=SEEDS), "Sci-Fi")
    other = explain.new_item(
        run, Request(ratings="The Matrix=1; Terminator 2=1; Blade Runner=1; Toy Story=5"), "Sci-Fi"
    )
    share = [next(row["points"] for row in found.rows if row["part"] == "Sci-Fi") for found in (fan, other)]
    assert share[0] > share[1]
    assert fan.rows[-1]["points"] > other.rows[-1]["points"]


def test_new_items_need_the_genre_prior_and_known_genres(run, plain):
    with pytest.raises(ModelError, match="als knows nothing of items without ratings"):
        explain.new_item(plain, Request(user=1), "Sci-Fi")
    with pytest.raises(SettingError, match="no genre 'Space'"):
        explain.new_item(run, Request(user=1), "Space")


def test_polarising_items_are_the_longest_among_the_well_known(plain):
    found = explain.polarising(plain, 5, 60)
    model = plain.model
    norms = np.linalg.norm(model.item_factors_, axis=1)
    allowed = np.flatnonzero(model.seen_.item_counts >= 60)
    best = allowed[np.argsort(-norms[allowed])][:5]
    assert [row["item_id"] for row in found.rows] == model.catalogue_.item_ids[best].tolist()
    np.testing.assert_allclose([row["length"] for row in found.rows], norms[best], rtol=1e-6)
    assert min(row["ratings"] for row in found.rows) >= 60
    assert found.facts["items"] == allowed.size
    with pytest.raises(ModelError, match="No item has 100000 ratings"):
        explain.polarising(plain, 5, 100000)
    with pytest.raises(SettingError, match="k=0"):
        explain.polarising(plain, 0)


def test_genres_lie_where_their_map_or_their_items_put_them(run, plain):
    by_map, by_items = explain.genre_map(run), explain.genre_map(plain)
    assert by_map.facts["points"] == "rows of the genre map W"
    assert by_items.facts["points"].startswith("means of the factors")
    assert [row["genre"] for row in by_map.rows] == list(run.model.catalogue_.item_features["genres"].names)
    assert sum(by_map.facts["variance"]) <= 1.0 + 1e-9
    W = run.model.genre_map_ - run.model.genre_map_.mean(axis=0)
    np.testing.assert_allclose(np.abs([row["pca_1"] for row in by_map.rows]), np.abs(W @ np.linalg.svd(W)[2][0]))


def test_tables_and_figures_are_written_below_the_run(run):
    files = explain.scores(run, Request(user=5, k=3)).write(run)
    assert {path.name for path in files} == {"scores_user_5.csv", "scores_user_5.png", "scores_user_5.svg"}
    assert {path.parent for path in files} == {run.folder / "explanations"}
    with files[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    parts = ("mean", "user_bias", "item_bias", "factors")
    assert sum(float(rows[0][part]) for part in parts) == pytest.approx(float(rows[0]["score"]))


def test_models_without_factors_say_so(in_demo):
    ratings = mfx.create("dataset", "movielens_demo").load()

    class Run:
        model = mfx.Bias(epochs=1).fit(ratings)
        caption = "a run"

    assert explain.factor_model(Run()) is Run.model
    found = explain.scores(Run(), Request(user=1, k=2))
    assert all(row["factors"] == 0 for row in found.rows)
    for what in (explain.polarising, explain.genre_map):
        with pytest.raises(ModelError, match="bias has no factors"):
            what(Run())
    Run.model = mfx.Popularity().fit(ratings)
    with pytest.raises(ModelError, match="popularity has no factors"):
        explain.scores(Run(), Request(user=1))
