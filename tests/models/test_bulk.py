"""Many new users at once come to what each of them alone does."""

import numpy as np
import pytest

import mfx
from mfx.models.bulk import Wanted, fold_in, known_items
from mfx.testing import planted_ratings

MODELS = [
    mfx.Bias(epochs=3),
    mfx.ALS(factors=4, epochs=3, per_count=True, reg=0.1),
    mfx.GenreALS(factors=4, epochs=3, user_features=["group", "count"]),
    mfx.BPR(factors=4, epochs=3, positive_threshold=3.0, negatives="popularity"),
    mfx.BayesMF(factors=3, epochs=4),
]


def profiles():
    """Give ratings of three users, out of order; the first has none."""
    users = np.array([2, 1, 2, 1, 2], np.int32)
    items = np.array([7, 3, 0, 30, 31], np.int32)
    return users, items, np.array([5.0, 1.0, 4.0, 3.5, 2.0], np.float32)


@pytest.mark.parametrize("bias_weight", [1.0, 0.1])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_rows_and_lists_are_those_of_each_alone(model, bias_weight):
    model.fit(planted_ratings())
    users, items, values = profiles()
    allowed = model.allowed_items(20, None)
    assert 0 < np.count_nonzero(allowed) < allowed.size
    found = fold_in(model, users, items, values, 3, Wanted(6, bias_weight, allowed))
    ids = model.catalogue_.item_ids
    for user in range(3):
        own = users == user
        alone = model.fold_in(ids[items[own]], values[own])
        np.testing.assert_array_equal(found.rows[user], alone.row)
        expected = alone.recommend(6, bias_weight=bias_weight, min_ratings=20)
        np.testing.assert_array_equal(ids[found.items[user]], expected["item_id"])
        np.testing.assert_allclose(found.scores[user], expected["score"], rtol=1e-6, atol=1e-8)


def test_what_cannot_be_folded_in_is_refused():
    model = mfx.Bias(epochs=1).fit(planted_ratings())
    users, items, values = np.zeros(2, np.int32), np.array([3, 3], np.int32), np.ones(2, np.float32)
    with pytest.raises(mfx.ModelError, match="rated item 1006 twice"):
        fold_in(model, users, items, values, 1, Wanted(3))
    with pytest.raises(mfx.ModelError, match="finite ratings"):
        fold_in(model, users, np.array([3, 4], np.int32), np.array([1.0, np.nan], np.float32), 1, Wanted(3))


def test_items_that_the_model_does_not_know_are_dropped_only_if_that_is_wanted():
    model = mfx.Bias(epochs=1).fit(planted_ratings())
    ids, counts = np.array([1000, 1001, 1002, 5]), np.array([1, 2, 0, 0])
    with pytest.raises(
        mfx.ModelError, match=r"This bias does not know 1 of the rated items, the first is 1001 \(.*: 2\)"
    ):
        known_items(model, ids, counts, drop=False)
    assert known_items(model, ids, counts, drop=True).tolist() == [0, -1, 1, -1]
