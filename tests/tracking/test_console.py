import logging
import subprocess
import sys

import pytest

from mfx.errors import TrackingError
from mfx.interfaces import DataInfo, TrackedRun, Tracker
from mfx.tracking.console import ConsoleTracker


def test_one_line_a_stage(info, caplog, tmp_path):
    tracker: Tracker = ConsoleTracker()
    with caplog.at_level(logging.INFO, "mfx.tracking"):
        tracker.prepare()
        run: TrackedRun = tracker.start(info())
        run.log_data(DataInfo("demo", "abc", "package", {}))
        run.log_metrics({"valid/rmse": 0.9}, step=1)
        run.log_metrics({"test/rmse": 0.9, "test/ndcg@10": 0.25})
        run.finish("FINISHED")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert "'als temporal' of experiment 'mfx'" in lines[0]
    assert lines[1] == "Data: demo from package, fingerprint abc."
    assert lines[2] == "test/rmse 0.9, test/ndcg@10 0.25"
    assert "finished" in lines[3]
    assert str(tmp_path / "runs" / "one") in run.where()
    assert not (tmp_path / "runs").exists()


def test_epochs_parameters_and_tags_at_debug(info, caplog):
    with caplog.at_level(logging.DEBUG, "mfx.tracking"):
        run = ConsoleTracker().start(info(tags={"study": "a"}, params={"x.uri": "http://ann:secret@host"}))
        run.log_metrics({"valid/rmse": 0.9}, step=3)
    assert "epoch 3: valid/rmse 0.9" in caplog.text
    assert "Tag study: a" in caplog.text
    assert "x.uri=http://***@host" in caplog.text


def test_runs_have_different_ids(info):
    tracker = ConsoleTracker()
    assert tracker.start(info()).run_id != tracker.start(info()).run_id


def test_a_missing_folder_is_refused(info, tmp_path):
    with pytest.raises(TrackingError, match="no folder"):
        ConsoleTracker().start(info()).log_folder(tmp_path / "none")


def test_mlflow_is_not_touched(env, tmp_path):
    code = """
import sys
from pathlib import Path
import mfx.tracking.mlflow_tracker
from mfx.interfaces import DataInfo, RunInfo
from mfx.tracking.console import ConsoleTracker
run = ConsoleTracker().start(RunInfo("e", "n", {"a": "1"}, {"t": "1"}, None, Path(".")))
run.log_data(DataInfo("d", "f", "s", {}))
run.log_metrics({"test/ndcg@10": 1.0})
run.log_folder(Path("."))
run.finish("FINISHED")
heavy = ("mlflow", "sqlalchemy", "pandas", "filelock")
print([name for name in heavy if name in sys.modules], list(Path(".").iterdir()))
"""
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "[] []", done.stderr
