"""Items without any rating: genres must be worth something there, and it must be the genres."""

from dataclasses import replace

import numpy as np
import pytest

import mfx
from mfx.models.early_stopping import EarlyStopping

SEEDS = (1, 2, 3, 4, 5)
LEAST = 0.01
"""Rating points of rmse; one draw of the items moves the gain by about .0015."""


def permuted(ratings, seed):
    """Give every item the genres of another one, drawn at random."""
    genres = ratings.catalogue.item_features["genres"]
    ends = list(zip(genres.indptr[:-1], genres.indptr[1:], strict=True))
    rows = [[genres.names[j] for j in genres.indices[slice(*ends[i])]] for i in permutation(len(genres), seed)]
    catalogue = replace(ratings.catalogue, item_features={"genres": mfx.Features.from_lists(rows)})
    return replace(ratings, catalogue=catalogue)


def permutation(size, seed):
    return np.random.default_rng(seed).permutation(size)


def rmse(model, part):
    return float(np.sqrt(np.mean((model.score_pairs(part.users, part.items).astype(float) - part.values) ** 2)))


def on_test(name, ratings, seed):
    """Do as a run does: stop early on valid, refit on train and valid, score test once."""
    split = mfx.create("split", "cold_items", {"seed": seed}).split(ratings)
    watch = EarlyStopping().watch(lambda model: rmse(model, split.valid), higher_is_better=False)
    mfx.create("model", name, {"seed": seed}).fit(split.train, on_epoch=watch)
    final = mfx.create("model", name, {"seed": seed, "epochs": watch.best_epoch})
    return rmse(final.fit(split.train_and_valid), split.test)


@pytest.mark.slow
def test_genres_help_on_items_without_ratings_and_permuted_ones_do_not():
    ratings = mfx.create("dataset", "movielens_demo").load()
    found = {"bias": [], "genres": [], "permuted": []}
    for seed in SEEDS:
        found["bias"].append(on_test("bias", ratings, seed))
        found["genres"].append(on_test("genre_als", ratings, seed))
        found["permuted"].append(on_test("genre_als", permuted(ratings, seed), seed))
    bias, genres, shuffled = (np.array(found[name]) for name in ("bias", "genres", "permuted"))
    assert (bias > genres).all()
    assert np.mean(bias - genres) >= LEAST
    assert np.mean(shuffled - genres) >= LEAST
