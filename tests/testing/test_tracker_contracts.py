"""The trackers of MFX, tested by the suites that authors of plugins use."""

import shutil

import pytest

from mfx import registry
from mfx.testing import TrackerContract
from mfx.tracking.names import metric_key
from mfx.tracking.store import locate


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A store with its schema, made once: that takes seconds."""
    from mfx.tracking.mlflow_client import open_client

    store = locate(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")
    open_client(store)
    return store.database


class TestConsole(TrackerContract):
    @pytest.fixture
    def component(self):
        return registry.create("tracking", "console")


class TestMLflow(TrackerContract):
    @pytest.fixture
    def component(self, empty_store, tmp_path):
        (tmp_path / "runs").mkdir()
        shutil.copy(empty_store, tmp_path / "runs" / "mlflow.db")
        return registry.create("tracking", "mlflow")

    def recorded(self, component, run):
        from mfx.tracking.mlflow_client import open_client

        found = open_client(locate(component.uri)).get_run(run.run_id).data.metrics
        return {name: found[metric_key(name)] for name in ("train/objective", "valid/ndcg@10", "test/ndcg@10")}
