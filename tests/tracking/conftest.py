import os
import shutil
from pathlib import Path

import pytest

from mfx.interfaces import RunInfo
from mfx.tracking.mlflow_client import open_client
from mfx.tracking.store import locate


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Runs of a test go to its own folder, whatever the environment says."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """An empty store, made once: the schema takes seconds."""
    store = locate(f"sqlite:///{tmp_path_factory.mktemp('template') / 'mlflow.db'}")
    open_client(store)
    return store.database


@pytest.fixture
def database(template, tmp_path) -> Path:
    """The default store of the test's folder, with its schema."""
    (tmp_path / "runs").mkdir()
    return Path(shutil.copy(template, tmp_path / "runs" / "mlflow.db"))


@pytest.fixture
def info(tmp_path):
    def make(**changes) -> RunInfo:
        facts = {
            "experiment": "mfx",
            "name": "als temporal",
            "params": {"model.name": "als", "model.reg": "12.0"},
            "tags": {},
            "parent": None,
            "directory": tmp_path / "runs" / "one",
        }
        return RunInfo(**{**facts, **changes})

    return make


@pytest.fixture
def env():
    """Environment of a subprocess that imports this checkout."""
    root = Path(__file__).parents[2]
    return {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")} | {
        "PYTHONPATH": str(root)
    }
