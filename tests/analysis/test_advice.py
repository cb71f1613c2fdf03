import numpy as np
import pytest

from mfx.analysis.advice import Adviser, Request
from mfx.analysis.runs import find
from mfx.errors import ModelError, SettingError
from mfx.models.popularity import Popularity

SEEDS = "The Matrix=5; Terminator 2=5; Blade Runner=5"


@pytest.fixture(scope="module")
def adviser(demo_runs):
    return Adviser(find("demo_genre", demo_runs / "runs").model)


def ids(answer):
    return [item.item_id for item in answer.items]


def test_a_known_user_gets_the_list_of_the_model_with_titles_and_genres(adviser):
    answer = adviser.recommend(Request(user=1, k=4))
    frame = adviser.model.recommend([1], 4)
    assert ids(answer) == frame["item_id"].tolist()
    assert [item.score for item in answer.items] == frame["score"].tolist()
    assert [item.rank for item in answer.items] == [1, 2, 3, 4]
    for item in answer.items:
        at = int(adviser.catalogue.item_index([item.item_id])[0])
        assert item.title == adviser.catalogue.titles[at]
        assert item.genres == adviser.genres_of(at)
        assert set(item.genres) <= set(adviser.catalogue.item_features["genres"].names)
        assert item.ratings == adviser.model.seen_.item_counts[at]
    assert adviser.recommend(Request(user="1", k=4)) == answer


def test_somebody_new_is_folded_in_and_told_what_was_taken(adviser):
    answer = adviser.recommend(Request(ratings=SEEDS, k=5, bias_weight=0.05))
    folded = adviser.model.fold_in([2571, 589, 541], [5.0, 5.0, 5.0])
    assert ids(answer) == folded.recommend(5, bias_weight=0.05)["item_id"].tolist()
    assert [(one.item_id, one.title) for one in answer.taken] == [
        (2571, "Matrix, The (1999)"),
        (589, "Terminator 2: Judgment Day (1991)"),
        (541, "Blade Runner (1982)"),
    ]
    assert [one.exact for one in answer.taken] == [True, False, True]
    assert (
        adviser.recommend(Request(ratings=[("id:2571", 5.0), ("589", 5.0), ("541", 5.0)], k=5, bias_weight=0.05)).items
        == answer.items
    )


def test_filters_hold_for_every_item(adviser):
    every = Request(ratings=SEEDS, k=500, genre="scifi| Western", min_ratings=20)
    answer = adviser.recommend(every)
    assert 20 < len(answer.items) < 500
    assert all({"Sci-Fi", "Western"} & set(item.genres) and item.ratings >= 20 for item in answer.items)
    assert not {2571, 589, 541} & set(ids(answer))
    seen = adviser.model.seen_.of(0)
    whole = adviser.recommend(Request(user=1, k=adviser.catalogue.n_items, min_ratings=0))
    assert len(whole.items) == adviser.catalogue.n_items - seen.size


def test_similar_items(adviser):
    match, answer = adviser.similar("The Matrix", 5, min_ratings=0)
    assert adviser.catalogue.item_ids[match.index] == 2571
    assert ids(answer) == adviser.model.similar_items(2571, 5)["item_id"].tolist()
    _, few = adviser.similar("id:2571", 5, min_ratings=50, genre="Sci-Fi")
    frame = adviser.model.similar_items(2571, adviser.catalogue.n_items)
    expected = [
        raw
        for raw in frame["item_id"].tolist()
        if (at := int(adviser.catalogue.item_index([raw])[0])) >= 0
        and adviser.model.seen_.item_counts[at] >= 50
        and "Sci-Fi" in adviser.genres_of(at)
    ]
    assert ids(few) == expected[:5]
    assert [item.rank for item in few.items] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({}, "neither user nor ratings"),
        ({"user": 1, "ratings": SEEDS}, "both user and ratings"),
        ({"user": 1, "k": 0}, "k=0 must be at least 1"),
        ({"user": 1, "bias_weight": float("nan")}, "bias_weight"),
        ({"user": 1, "min_ratings": -1}, "min_ratings"),
    ],
)
def test_requests_are_checked(settings, part):
    with pytest.raises(SettingError, match=part):
        Request(**settings)


def test_unknown_users_and_genres_say_what_there_is(adviser):
    for user in (100000, "abc", "1.5", -1):
        with pytest.raises(ModelError, match="There is no user") as error:
            adviser.recommend(Request(user=user))
        assert "Ids go from 1 to 671" in error.value.hint
    with pytest.raises(SettingError, match="no genre 'Scy-Fi'") as error:
        adviser.recommend(Request(user=1, genre="Drama|Scy-Fi"))
    assert "Did you mean 'Sci-Fi'?" in error.value.hint
    with pytest.raises(SettingError, match="genre names none"):
        adviser.having("|")


def test_models_without_biases_factors_titles_or_genres(samples_ratings):
    adviser = Adviser(Popularity().fit(samples_ratings))
    first = adviser.recommend(Request(ratings="id:10=4"))
    assert first.items[0].title == ""
    assert first.items[0].genres == ()
    with pytest.raises(ModelError, match="no item bias"):
        adviser.recommend(Request(user="ann", bias_weight=0.5))
    with pytest.raises(ModelError, match="no item factors"):
        adviser.similar("id:10")
    with pytest.raises(SettingError, match="no genres"):
        adviser.recommend(Request(user="ann", genre="Drama"))


@pytest.fixture
def samples_ratings():
    from mfx.interfaces import Ratings

    users = np.array(["ann", "ann", "bob", "bob", "cy"])
    return Ratings.from_columns(users, np.array([10, 20, 10, 30, 20]), np.array([4.0, 3.0, 5.0, 1.0, 2.0]))
