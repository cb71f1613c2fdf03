"""The fan of dark science fiction (Fokam, 7.1), on real ratings."""

import numpy as np
import pytest

import mfx
from mfx.analysis.advice import Adviser, Request

SEEDS = "The Matrix=5; Terminator 2=5; Blade Runner=5"


@pytest.fixture(scope="module")
def ratings():
    return mfx.create("dataset", "movielens_demo").load()


@pytest.mark.parametrize(("model", "least"), [("als", 0.2), ("genre_als", 0.4)])
def test_a_small_weight_of_the_item_bias_gives_more_of_the_genre(ratings, model, least):
    adviser = Adviser(mfx.create("model", model, {"epochs": 8}).fit(ratings))
    liked, personal = (
        adviser.recommend(Request(ratings=SEEDS, k=10, bias_weight=alpha, min_ratings=20)).items
        for alpha in (1.0, 0.05)
    )

    def share(items):
        return np.mean(["Sci-Fi" in item.genres for item in items])

    def bias(items):
        index = adviser.catalogue.item_index([item.item_id for item in items])
        return adviser.model.item_bias()[index].mean()

    everywhere = adviser.having("Sci-Fi").mean()
    assert share(liked) <= everywhere + 0.1
    assert share(personal) >= least
    assert share(personal) >= share(liked) + 0.2
    # With the whole bias the list is that of the films that everybody likes, whoever asks.
    assert bias(liked) > bias(personal) + 0.2
    other = adviser.recommend(Request(ratings="Toy Story=5; Aladdin=5; The Lion King=5", min_ratings=20)).items
    shared = {item.item_id for item in liked} & {item.item_id for item in other}
    assert len(shared) >= 5
    assert not {2571, 589, 541} & {item.item_id for item in (*liked, *personal)}
