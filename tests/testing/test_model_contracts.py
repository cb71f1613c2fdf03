"""The models of MFX, tested by the suites that authors of plugins use."""

import pytest

from mfx.models.als import ALS
from mfx.models.bayes_mf import BayesMF
from mfx.models.bias import Bias
from mfx.models.bpr import BPR
from mfx.models.genre_als import GenreALS
from mfx.models.popularity import Popularity
from mfx.testing import ModelContract


class TestPopularity(ModelContract):
    stored_row_is_fold_in = True

    @pytest.fixture
    def component(self):
        return Popularity()


class TestBias(ModelContract):
    @pytest.fixture
    def component(self):
        return Bias(epochs=6)


class TestALS(ModelContract):
    @pytest.fixture(
        params=[
            {},
            {"per_count": True, "reg": 0.1},
            {"user_reg": 1.0, "item_reg": 4.0, "mean": False},
            {"clip": True, "seed": 5},
            {"solver": "cg", "cg_steps": 2},
        ],
        ids=lambda settings: "-".join(settings) or "default",
    )
    def component(self, request):
        return ALS(**{"factors": 5, "reg": 2.0, "epochs": 8, **request.param})


class TestGenreALS(ModelContract):
    @pytest.fixture(
        params=[
            {},
            {"pooling": "sum", "genre_update": "factors"},
            {"item_features": ["genres", "count"], "user_features": ["constant", "count"], "min_rows": 2},
        ],
        ids=["ratings", "factors", "users"],
    )
    def component(self, request):
        return GenreALS(factors=4, genre_weight=20.0, epochs=8, **request.param)


class TestBPR(ModelContract):
    @pytest.fixture
    def component(self):
        return BPR(factors=4, epochs=4)


class TestBayesMF(ModelContract):
    @pytest.fixture(params=[{}, {"user_noise": False, "item_features": ["constant"], "clip": True, "sweeps": 1}])
    def component(self, request):
        return BayesMF(**{"factors": 3, "epochs": 6, "sweeps": 2, "burn_in": 2, **request.param})
