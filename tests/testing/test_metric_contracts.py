"""The metrics of MFX, tested by the suites that authors of plugins use."""

import math

import pytest

from mfx import registry
from mfx.testing import MetricContract

OF_RELEVANT = ("precision", "recall", "hit_rate", "mrr", "map", "ndcg")


class TestRelevance(MetricContract):
    @pytest.fixture(params=[(name, k) for name in OF_RELEVANT for k in (1, 5)], ids=lambda p: f"{p[0]}@{p[1]}")
    def component(self, request):
        name, k = request.param
        return registry.create("metric", name, {"k": k})


class TestGradedGain(MetricContract):
    @pytest.fixture(params=["rating", "exponential"])
    def component(self, request):
        return registry.create("metric", "ndcg", {"k": 5, "gain": request.param})


class TestAUC(MetricContract):
    @pytest.fixture
    def component(self):
        return registry.create("metric", "auc")


class TestErrors(MetricContract):
    bounds = (0.0, math.inf)
    perfect = 0.0

    @pytest.fixture(params=["rmse", "mae"])
    def component(self, request):
        return registry.create("metric", request.param)


class TestLists(MetricContract):
    perfect = worst = None

    @pytest.fixture(params=["coverage", "popularity_share"])
    def component(self, request):
        return registry.create("metric", request.param, {"k": 5})


class TestNovelty(MetricContract):
    bounds = (0.0, math.inf)
    perfect = worst = None

    @pytest.fixture
    def component(self):
        return registry.create("metric", "novelty", {"k": 5})


def test_every_metric_is_under_contract():
    tested = {*OF_RELEVANT, "auc", "rmse", "mae", "coverage", "popularity_share", "novelty"}
    assert tested >= {entry.name for entry in registry.available("metric") if entry.package == "mfx"}
