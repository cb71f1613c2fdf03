from dataclasses import replace

import numpy as np
import pytest

from mfx.errors import ModelError, SettingError
from mfx.interfaces import Catalogue, Ratings
from mfx.models.bpr import BPR
from mfx.solver.pairwise import run_epoch
from mfx.solver.pairwise_fold import fold_in

TABLES = ("user_table_", "item_table_")

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
    for name in TABLES:
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


@pytest.mark.parametrize("negatives", ["uniform", "popularity"])
def test_a_threshold_makes_lower_ratings_no_ratings(planted, negatives):
    """In the fit and for new users, negatives by popularity included; a rating at the threshold is positive."""
    stars = replace(planted, values=np.round(planted.values))
    settings = {"factors": 4, "epochs": 3, "negatives": negatives}
    with_floor = BPR(**settings, positive_threshold=4.0).fit(stars)
    of_positives = BPR(**settings).fit(stars.take(stars.values >= 4.0))
    np.testing.assert_array_equal(with_floor.item_table_, of_positives.item_table_)
    liked, disliked = stars.catalogue.item_ids[[0, 1]]
    both = with_floor.fold_in([liked, disliked], [4.0, 3.5])
    assert both.row.any()
    np.testing.assert_array_equal(both.row, of_positives.fold_in([liked], [4.0]).row)


def test_no_rating_above_the_threshold_is_refused(planted):
    with pytest.raises(ModelError, match=r"no rating reaches positive_threshold=99"):
        BPR(positive_threshold=99.0).fit(planted)


def test_a_pair_rated_twice_is_one_positive():
    once = ratings([(0, 0), (0, 1), (1, 2)], 2, 4)
    twice = ratings([(0, 0), (0, 1), (0, 1), (1, 2)], 2, 4, [4.0, 3.0, 5.0, 4.0])
    models = [BPR(**SMALL, negatives="popularity").fit(data) for data in (once, twice)]
    np.testing.assert_array_equal(*(model.item_table_ for model in models))
    np.testing.assert_array_equal(*(model.fold_in([1000, 1002], [4.0, 4.0]).row for model in models))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"negatives": "popularity"},
        {"hardest_of": 3, "learning_rate_decay": 0.5},
        {"negatives": "popularity", "hardest_of": 2, "reg": 0.2, "bias_reg": 0.3},
    ],
    ids=str,
)
def test_a_fit_is_the_epochs_of_the_solver_from_the_random_start_of_its_seed(planted, settings):
    model = BPR(**{"factors": 4, "epochs": 3, "seed": 7, "hardest_of": 1, **settings})
    # Steps this short leave the start as it is.
    users, items = (getattr(replace(model, learning_rate=1e-30).fit(planted), name) for name in TABLES)
    others = [getattr(replace(model, learning_rate=1e-30, seed=8).fit(planted), name) for name in TABLES]
    for table, other in zip((users, items), others, strict=True):
        assert table[:, :-1].std() == pytest.approx(0.1, rel=0.2)
        assert (table[:-1, :-1] != other[:-1, :-1]).all()
    indptr = np.searchsorted(planted.users, np.arange(planted.n_users + 1))
    for epoch in (1, 2, 3):
        run_epoch(
            users,
            items,
            indptr,
            planted.items,
            learning_rate=model.learning_rate / (1.0 + model.learning_rate_decay * (epoch - 1)),
            reg=model.reg,
            bias_reg=model.bias_reg,
            seed=7,
            epoch=epoch,
            popular=model.negatives == "popularity",
            hardest_of=model.hardest_of,
        )
    fitted = model.fit(planted)
    np.testing.assert_array_equal(fitted.user_table_, users)
    np.testing.assert_array_equal(fitted.item_table_, items)

    # And a new user's row is made with the same negatives, against the same items.
    profile = planted.items[: indptr[1]]
    row = fold_in(
        items,
        indptr[:2],
        profile,
        learning_rate=model.learning_rate,
        reg=model.reg,
        epochs=3,
        seed=7,
        counts=planted.item_counts if model.negatives == "popularity" else None,
        hardest_of=model.hardest_of,
    )
    folded = fitted.fold_in(planted.catalogue.item_ids[profile], planted.values[: indptr[1]])
    np.testing.assert_array_equal(folded.row, row[0])


@pytest.mark.parametrize("counts", [np.zeros(40, np.int64), np.arange(-1, 39), np.ones(39, np.int64), np.ones(40)])
def test_counts_of_positives_that_say_nothing_are_refused(planted, counts):
    model = BPR(factors=2, epochs=1).fit(planted)
    model.restore(model.state() | {"positive_counts_": counts})
    with pytest.raises(ModelError, match="positive_counts_"):
        model.check_state()


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
