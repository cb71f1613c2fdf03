import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from mfx.cli import ui
from mfx.cli.main import main
from mfx.errors import TrackingError
from mfx.interfaces import RunInfo
from mfx.tracking.mlflow_tracker import MLflowTracker
from mfx.tracking.store import locate


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_no_runs_yet(capsys, tmp_path):
    assert ui.main([]) == 1
    said = capsys.readouterr().err
    assert f"There are no runs yet: {tmp_path}/runs/mlflow.db does not exist." in said
    assert "--uri" in said
    assert list(tmp_path.iterdir()) == []


def test_malformed_store(capsys):
    assert ui.main(["--uri", "nosuch://ann:secret@host"]) == 1
    said = capsys.readouterr().err
    assert "no store of kind 'nosuch'" in said
    assert "secret" not in said


def test_a_taken_port(capsys, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert ui.main(["--port", str(number)]) == 1
    said = capsys.readouterr().err
    assert f"Port {number} of 127.0.0.1 cannot be used" in said
    assert "--port" in said


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["--prot", "80"], "Did you mean '--port'?"), (["extra"], "extra"), (["--port", "x"], "--help")],
)
def test_mistakes_cost_one_line(capsys, arguments, part):
    assert main(["ui", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mfx: ")
    assert part in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("number", ["0", "70000"])
def test_no_port(capsys, tmp_path, number):
    (tmp_path / "x.db").touch()
    assert ui.main(["--uri", "sqlite:///x.db", "--port", number]) == 1
    assert f"--port={number} is no port" in capsys.readouterr().err


def test_a_server_has_pages_of_its_own(capsys):
    assert ui.main(["--uri", "https://ann:secret@host:5000"]) == 0
    said = capsys.readouterr().out
    assert "https://***@host:5000" in said
    assert "secret" not in said


def test_the_server_is_for_this_machine_and_gets_no_secret_on_its_command_line():
    line, environment = ui.command(locate("postgresql://ann:secret@db/mfx"), 5000)
    assert line[line.index("--host") + 1] == "127.0.0.1"
    assert line[line.index("--workers") + 1] == "1"
    assert "secret" not in " ".join(line)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://ann:secret@db/mfx"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_a_server_that_ends_at_once_is_told_with_its_last_line(capsys, tmp_path, port, monkeypatch):
    (tmp_path / "x.db").touch()
    failing = [sys.executable, "-c", "print('cannot reach http://ann:secret@host'); raise SystemExit(3)"]
    monkeypatch.setattr(ui, "command", lambda store, port: (failing, dict(os.environ)))
    assert ui.main(["--uri", "sqlite:///x.db", "--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert "ended at once, status 3" in said
    assert "It last said: cannot reach http://***@host" in said


@contextlib.contextmanager
def served(folder, port, number):
    """`mfx ui` in a process of its own, ended by a signal; gives its address."""
    code = f"import sys; from mfx.cli.ui import main; sys.exit(main(['--port', '{port}']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stdout.readline() + process.stdout.readline()
        yield re.search(r"http://127\.0\.0\.1:\d+", said).group()
    finally:
        process.send_signal(number)
        out, error = process.communicate(timeout=30)
    assert (process.returncode, out.strip(), error) == (0, "Ended.", "")


@pytest.mark.slow
def test_pages_are_served_until_interrupted(tmp_path, port):
    from mfx.tracking.mlflow_client import open_client

    open_client(locate())
    with served(tmp_path, port, signal.SIGINT) as address:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=20) as answer:
            assert answer.status == 200
            assert b"MLflow" in answer.read()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


@pytest.mark.slow
def test_runs_can_be_kept_by_the_server(tmp_path, port):
    from mfx.tracking.mlflow_client import open_client

    local = open_client(locate())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metrics.json").write_text("{}")
    info = RunInfo("remote", "als", {"model.name": "als"}, {"study": "s"}, None, tmp_path / "out")
    with served(tmp_path, port, signal.SIGTERM) as address:
        tracker = MLflowTracker(uri=address)
        run, cut_off = tracker.start(info), tracker.start(info)
        run.log_metrics({"test/ndcg@10": 0.25})
        run.log_folder(tmp_path / "out")
        run.finish("FINISHED")
        cut_off.log_metrics({"test/rmse": 0.9})
    assert run.where() == f"{address}, run {run.run_id} of experiment {local.get_run(run.run_id).info.experiment_id}"
    found = local.get_run(run.run_id)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"test/ndcg_at_10": 0.25})
    assert [path.read_text() for path in (tmp_path / "runs" / "artifacts").rglob("metrics.json")] == ["{}"]
    began = time.monotonic()
    with pytest.raises(TrackingError, match="does not answer"):
        cut_off.finish("FINISHED")
    assert time.monotonic() - began < 20
