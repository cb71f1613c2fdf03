import importlib
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

from mfx import registry

# The first example of a law compiles kernels, so no example has a deadline or is too slow.
hypothesis.settings.register_profile("mfx", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("mfx")

HERE = Path(__file__).parent
REPOSITORY = HERE.parent


@pytest.fixture
def toy():
    """The components of `flow_plugin`, registered for one test; the choices that use them."""
    with registry.temporarily():
        sys.modules.pop("flow_plugin", None)
        sys.path.insert(0, str(HERE))
        try:
            module = importlib.import_module("flow_plugin")
        finally:
            sys.path.remove(str(HERE))
        module.choices = ["dataset=toy", "split=toy_split", "model=toy_model", "tracking=toy_tracking", "figures=false"]
        yield module


@pytest.fixture
def cli(tmp_path):
    """Run `mfx` in a process of its own, in an empty folder, with `flow_plugin` installed as a plugin."""
    site = tmp_path / "site"
    info = site / "flow_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flow-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mfx.plugins]\nflow = flow_plugin\n")
    (tmp_path / "work").mkdir()
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(site), str(HERE)])

    def run(*arguments, code=None, **extra):
        program = [sys.executable, *(["-c", code] if code else ["-m", "mfx.cli.main"])]
        return subprocess.run(
            [*program, *arguments],
            cwd=tmp_path / "work",
            env=environment | extra,
            capture_output=True,
            text=True,
            timeout=240,  # kernels may have to be compiled first
            check=False,
        )

    run.folder = tmp_path / "work"
    return run


@pytest.fixture(scope="session")
def demo_runs(tmp_path_factory):
    """A folder below which ``runs/`` holds two short runs on real ratings: ``demo_als``, then ``demo_genre``."""
    import mfx

    folder, before = tmp_path_factory.mktemp("demo"), Path.cwd()
    os.chdir(folder)
    try:
        for model in ("als", "genre_als"):
            quick = ("model.epochs=5", "early_stopping.enabled=false", "refit=false", "metrics=[rmse]")
            mfx.run(
                f"model={model}",
                f"run_name=demo_{model.partition('_')[0]}",
                *quick,
                "tracking=console",
                "figures=false",
            )
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def in_demo(demo_runs, monkeypatch):
    """Work where the runs of `demo_runs` are."""
    monkeypatch.chdir(demo_runs)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return demo_runs
