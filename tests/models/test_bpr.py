import numpy as np
import pytest

from mfx.errors import ModelError, SettingError
from mfx.interfaces import Catalogue, Ratings
from mfx.models.bpr import BPR

# Where a user has nearly all that he likes, the hardest negatives are what he would like: plain draws are for that.
SMALL = {"factors": 4, "epochs": 60, "learning_rate": 0.1, "hardest_of": 1}


def ratings(pairs, n_users, n_items, values=None):
    users, items = np.array(pairs).T
    catalogue = Catalogue(np.arange(100, 100 + n_users), np.arange(1000, 1000 + n_items))
    value = np.full(len(pairs), 4.0) if values is None else values
    return Ratings.from_columns(users + 100, items + 1000, value, catalogue=catalogue)


def checkerboard(n_users=40, n_items=20):
    """Users and items of one parity belong together; each user lacks one item of its own."""
    own = [(u, i) for u in range(n_users) for i in range(n_items) if (u + i) % 2 == 0]
    return ratings([(u, i) for u, i in own if i != lacking(u, n_items)], n_users, n_items)


def lacking(u, n_items=20):
    return (u % 2 + 2 * (u // 2)) % n_items


def test_the_missing_square_of_the_checkerboard_comes_first():
    model = BPR(**SMALL).fit(checkerboard())
    frame = model.recommend(k=1)
    assert frame.item_id.tolist() == [1000 + lacking(u) for u in range(40)]
    assert set(model.similar_items(1000, k=9).item_id) == set(range(1002, 1020, 2))


def test_a_folded_user_is_ranked_by_its_side_of_the_checkerboard():
    model = BPR(**SMALL).fit(checkerboard())
    folded = model.fold_in([1001, 1005, 1009], [4.0, 4.0, 4.0])
    assert set(folded.recommend(k=7).item_id) == set(range(1001, 1021, 2)) - {1001, 1005, 1009}
    assert folded.row.shape == (5,)
    again = model.fold_in([1009, 1001, 1005], [4.0, 4.0, 4.0])
    np.testing.assert_array_equal(folded.row, again.row)


def test_it_reports_a_falling_loss_and_stops_when_told():
    losses = []

    def listen(model, epoch):
        assert model.score_users(np.array([0], dtype=np.int32)).shape == (1, 20)
        losses.append((epoch.number, epoch.losses["loss"]))
        return epoch.number == 30

    BPR(**SMALL).fit(checkerboard(), on_epoch=listen)
    assert [number for number, _ in losses] == list(range(1, 31))
    assert losses[-1][1] < 0.2 < 0.6 < losses[0][1]


def test_the_state_of_an_epoch_is_what_a_shorter_fit_gives():
    states = {}
    BPR(**SMALL).fit(checkerboard(), on_epoch=lambda model, epoch: bool(states.update({epoch.number: model.state()})))
    short = BPR(**{**SMALL, "epochs": 7}).fit(checkerboard()).state()
    for name, array in short.items():
        np.testing.assert_array_equal(array, states[7][name])


def test_steps_shorten_as_they_are_told_to():
    data = checkerboard()
    first = {**SMALL, "epochs": 1}
    for name in ("user_table_", "item_table_"):
        plain, decaying = (getattr(BPR(**first, learning_rate_decay=d).fit(data), name) for d in (0.0, 3.0))
        np.testing.assert_array_equal(plain, decaying)
    moved = []
    for decay in (0.0, 1e9):
        states = []
        BPR(**{**SMALL, "epochs": 2}, learning_rate_decay=decay).fit(
            data, on_epoch=lambda m, e, states=states: bool(states.append(m.item_table_.copy()))
        )
        moved.append(np.abs(states[1] - states[0]).max())
    assert moved[1] < 1e-6 < 1e-2 < moved[0]


def test_another_seed_gives_other_numbers(planted):
    first, other = (BPR(factors=4, epochs=3, seed=seed).fit(planted) for seed in (1, 2))
    assert (first.item_table_ != other.item_table_).any()


def test_a_threshold_makes_lower_ratings_no_ratings(planted):
    floor = float(np.median(planted.values))
    kept = planted.take(planted.values >= np.float32(floor))
    with_floor = BPR(factors=4, epochs=3, positive_threshold=floor).fit(planted)
    np.testing.assert_array_equal(with_floor.item_table_, BPR(factors=4, epochs=3).fit(kept).item_table_)
    liked, disliked = planted.catalogue.item_ids[[0, 1]]
    both = with_floor.fold_in([liked, disliked], [floor, floor - 0.5])
    np.testing.assert_array_equal(both.row, with_floor.fold_in([liked], [floor]).row)


def test_no_rating_above_the_threshold_is_refused(planted):
    with pytest.raises(ModelError, match=r"no rating reaches positive_threshold=99"):
        BPR(positive_threshold=99.0).fit(planted)


def test_a_pair_rated_twice_is_one_positive():
    once = ratings([(0, 0), (0, 1), (1, 2)], 2, 4)
    twice = ratings([(0, 0), (0, 1), (0, 1), (1, 2)], 2, 4, [4.0, 3.0, 5.0, 4.0])
    tables = [BPR(**SMALL).fit(data).item_table_ for data in (once, twice)]
    np.testing.assert_array_equal(*tables)


def test_users_without_anything_to_compare_get_the_list_of_the_biases():
    pairs = [(0, i) for i in range(6)] + [(u, i) for u in range(2, 12) for i in (0, u % 5 + 1)]
    model = BPR(**SMALL).fit(ratings(pairs, 12, 6))
    np.testing.assert_array_equal(model.user_table_[[0, 1]], 0.0)
    assert (model.user_factors_[2:] != 0.0).any(axis=1).all()
    assert model.recommend([101], k=1).item_id.tolist() == [1000 + int(model.item_bias_.argmax())]
    assert model.recommend([100]).empty


def test_one_item_can_be_fitted():
    model = BPR(**SMALL).fit(ratings([(0, 0), (1, 0)], 3, 1))
    assert np.isfinite(model.score_users(np.arange(3, dtype=np.int32))).all()
    assert model.recommend([102], k=5).item_id.tolist() == [1000]


def test_divergence_is_named(planted):
    with pytest.raises(ModelError, match=r"bpr diverged in epoch \d+"):
        BPR(factors=4, learning_rate=1e4, reg=1.0).fit(planted)


@pytest.mark.parametrize("wrong", [{"factors": 0}, {"learning_rate": 0.0}, {"reg": -1.0}, {"epochs": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        BPR(**wrong)
