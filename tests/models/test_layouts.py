import gc
import weakref

import numpy as np

from mfx.interfaces import Ratings
from mfx.models.layouts import layouts


def some(seed):
    rng = np.random.default_rng(seed)
    return Ratings.from_columns(rng.integers(0, 9, 50), rng.integers(0, 7, 50), rng.random(50))


def test_layouts_are_made_once_per_ratings_and_only_the_latest_are_kept():
    first, second = some(1), some(2)
    by_user, by_item = layouts(first)
    assert layouts(first)[1] is by_item
    np.testing.assert_array_equal(by_item.counts, first.item_counts)
    np.testing.assert_array_equal(by_user.counts, first.user_counts)
    np.testing.assert_array_equal(layouts(second)[1].counts, second.item_counts)
    assert layouts(first)[1] is not by_item


def test_layouts_do_not_keep_the_ratings_alive():
    ratings = some(3)
    layouts(ratings)
    gone = weakref.ref(ratings)
    del ratings
    gc.collect()
    assert gone() is None
