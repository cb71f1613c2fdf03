"""Items with few ratings or none: side information must be worth something there, and it must be the information."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import mfx

_spec = importlib.util.spec_from_file_location(
    "side_information_bench", Path(__file__).parent.parent / "bench" / "side_information.py"
)
bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench)


@pytest.fixture(scope="module")
def ratings():
    return mfx.create("dataset", "movielens_demo").load()


def won(draws, loser, winner, group="all"):
    """By how much the one is better than the other in rmse, draw by draw."""
    return np.array([draw[loser][group] - draw[winner][group] for draw in draws])


@pytest.mark.slow
def test_side_information_helps_on_items_without_ratings_and_permuted_genres_do_not(ratings):
    labels = ["bias", "genre_als", "genres alone", "genres alone, permuted", "one constant feature"]
    draws = [bench.measure(ratings, "cold_items", seed, labels) for seed in bench.SEEDS]
    gain = won(draws, "bias", "genre_als")
    assert (gain > 0.0).all()
    assert gain.mean() >= 0.015
    assert won(draws, "genres alone, permuted", "genres alone").mean() >= 0.01
    assert abs(won(draws, "genres alone, permuted", "one constant feature").mean()) <= 0.003


@pytest.mark.slow
def test_longer_fits_to_the_genres_alone_are_not_worse_on_items_without_ratings(ratings):
    for seed in bench.SEEDS[:3]:
        split = mfx.create("split", "cold_items", {"seed": seed}).split(ratings)
        early, late = bench.curve(split, "genre_als", {"item_features": bench.ALONE["genres"]}, (10, 100))
        assert late < early + 0.001
        assert late < bench.curve(split, "bias", {}, (30,))[0] - 0.02
