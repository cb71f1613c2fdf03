import json
import logging
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest

from mfx.errors import RunGone, SettingError, TrackingError
from mfx.interfaces import DataInfo, TrackedRun, Tracker
from mfx.tracking import mlflow_tracker
from mfx.tracking.background import BackgroundRun
from mfx.tracking.mlflow_tracker import MLflowTracker


@pytest.fixture
def client(database):
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{database}", f"sqlite:///{database}")


def test_a_whole_run_is_found_again(client, info, tmp_path):
    params = {f"model.p{i:03}": f"value {i}" for i in range(230)} | {"empty": "", "none": "null", "text": "é, ñ"}
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "metrics.json").write_text("{}")
    (folder / "deep" / "a.txt").write_text("a")
    tags = {"description": "why", "git_commit": "c" * 40, "user": "ann", "study": "s"}

    tracker: Tracker = MLflowTracker()
    run: TrackedRun = tracker.start(info(params=params, tags=tags))
    for epoch in range(1, 31):
        run.log_metrics({"valid/ndcg@10": epoch / 10, "train/rmse": 1 / epoch}, step=epoch)
    run.log_metrics({"test/ndcg@10": 0.25, "test/rmse": 0.1 + 0.2, "odd": math.nan})
    run.log_data(DataInfo("demo", "f" * 32, "/data/ratings.csv", {"ratings": 100004, "users": 671}))
    run.log_folder(folder)
    run.log_folder(folder / "deep", "figures")
    run.set_tags({"late": "yes", "study": "t"})
    run.finish("FINISHED")

    found = client.get_run(run.run_id)
    assert found.info.run_name == "als temporal"
    assert found.info.status == "FINISHED"
    assert found.info.end_time >= found.info.start_time
    assert client.get_experiment(found.info.experiment_id).name == "mfx"
    assert found.data.params == params
    assert found.data.metrics["test/rmse"] == 0.1 + 0.2
    assert found.data.metrics["test/ndcg_at_10"] == 0.25
    assert math.isnan(found.data.metrics["odd"])
    history = client.get_metric_history(run.run_id, "valid/ndcg_at_10")
    assert [(point.step, point.value) for point in history] == [(epoch, epoch / 10) for epoch in range(1, 31)]
    assert (
        found.data.tags.items()
        >= {
            "mlflow.note.content": "why",
            "mlflow.source.git.commit": "c" * 40,
            "mlflow.user": "ann",
            "mlflow.source.name": "mfx",
            "study": "t",
            "late": "yes",
        }.items()
    )
    assert {item.path for item in client.list_artifacts(run.run_id)} == {"metrics.json", "deep", "figures"}
    assert [item.path for item in client.list_artifacts(run.run_id, "figures")] == ["figures/a.txt"]
    assert (tmp_path / "runs" / "artifacts" / "mfx" / run.run_id / "artifacts" / "deep" / "a.txt").read_text() == "a"
    assert str(tmp_path / "runs" / "mlflow.db") in run.where()
    assert run.run_id in run.where()
    assert run.where().endswith("mfx ui")


@pytest.mark.parametrize(
    ("source", "kind"),
    [("/data/ratings.csv", "local"), ("https://ann:secret@host/ratings.zip", "http"), ("package x", "code")],
)
def test_data_is_an_input_that_mlflow_can_resolve(client, info, source, kind):
    import mlflow.data

    run = MLflowTracker().start(info())
    run.log_data(DataInfo("demo", "f" * 32, source, {"ratings": 3, "scale": "0.5 to 5"}))
    run.finish("FINISHED")
    (given,) = client.get_run(run.run_id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest, given.dataset.source_type) == ("demo", "f" * 32, kind)
    assert json.loads(given.dataset.profile) == {"ratings": 3, "scale": "0.5 to 5"}
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "experiment"}
    assert mlflow.data.get_source(given.dataset)._get_source_type() == kind
    assert "secret" not in given.dataset.source


def test_parent_and_child(client, info):
    tracker = MLflowTracker()
    parent = tracker.start(info(name="sweep"))
    children = [tracker.start(info(name=f"{i}", parent=parent.run_id)) for i in range(2)]
    for run in (*children, parent):
        run.finish("FINISHED")
    experiment = client.get_experiment_by_name("mfx").experiment_id
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.run_id}'")
    assert {run.info.run_id for run in found} == {run.run_id for run in children}


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_how_a_run_ended(client, info, status):
    run = MLflowTracker().start(info())
    run.log_metrics({"train/rmse": 1.0}, step=1)
    run.finish(status)
    found = client.get_run(run.run_id)
    assert found.info.status == status
    assert found.data.metrics == {"train/rmse": 1.0}


def test_prepare_opens_in_the_background_and_sets_the_start(client, info):
    tracker = MLflowTracker()
    before = time.time()
    tracker.prepare()
    tracker.prepare()
    time.sleep(0.2)
    run = tracker.start(info())
    run.finish("FINISHED")
    assert 0 <= client.get_run(run.run_id).info.start_time / 1000 - before + 0.001 < 0.15
    again = tracker.start(info())
    again.finish("FINISHED")
    assert client.get_run(again.run_id).info.start_time / 1000 - before > 0.15


def test_prepare_beside_imports_and_compilation(tmp_path, env):
    code = """
from pathlib import Path
from mfx.interfaces import RunInfo
from mfx.tracking.mlflow_tracker import MLflowTracker
tracker = MLflowTracker()
tracker.prepare()
import numba, numpy, pandas, scipy.sparse
square = numba.njit(lambda x: x * x)
assert square(3.0) == 9.0 and square(numpy.arange(3)).sum() == 5
run = tracker.start(RunInfo("mfx", "n", {}, {}, None, Path(".")))
run.finish("FINISHED")
print(run.run_id)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    with sqlite3.connect(tmp_path / "runs" / "mlflow.db") as connection:
        assert connection.execute("SELECT run_uuid FROM runs").fetchall() == [(done.stdout.strip(),)]
    connection.close()


def test_what_goes_wrong_in_the_background_is_raised_by_start(database, info):
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()
    tracker = MLflowTracker()
    tracker.prepare()
    with pytest.raises(TrackingError, match="out-of-date") as caught:
        tracker.start(info())
    assert "mlflow db upgrade sqlite:///" in caught.value.hint


def test_what_shows_at_once_is_raised_by_prepare(tmp_path):
    (tmp_path / "x.db").write_text("no database " * 200)
    with pytest.raises(TrackingError, match="not an sqlite database"):
        MLflowTracker(uri="sqlite:///x.db").prepare()


@pytest.mark.parametrize(("uri", "error"), [("runs", TrackingError), (5, SettingError)])
def test_a_malformed_address_is_refused_when_the_tracker_is_made(uri, error):
    with pytest.raises(error):
        MLflowTracker(uri=uri)


def test_curves_are_written_while_a_run_lasts(client, info):
    run = MLflowTracker(flush_seconds=0).start(info())
    run.log_metrics({"valid/rmse": 0.9}, step=1)
    assert client.get_run(run.run_id).data.metrics == {"valid/rmse": 0.9}
    lazy = MLflowTracker().start(info())
    lazy.log_metrics({"valid/rmse": 0.9}, step=1)
    assert client.get_run(lazy.run_id).data.metrics == {}
    for epoch in range(600):
        lazy.log_metrics({"valid/rmse": 0.9, "train/rmse": 0.8}, step=epoch)
    assert len(client.get_metric_history(lazy.run_id, "train/rmse")) >= 499
    lazy.finish("FINISHED")
    assert len(client.get_metric_history(lazy.run_id, "train/rmse")) == 600


def test_long_values_are_cut_aloud(client, info, caplog):
    with caplog.at_level(logging.WARNING):
        run = MLflowTracker().start(info(params={"long": "x" * 7000}, tags={"note": "y" * 9000}))
    run.finish("FINISHED")
    found = client.get_run(run.run_id)
    assert found.data.params["long"].endswith("x ... [cut: 7000 characters]")
    assert len(found.data.params["long"]) == 6000
    assert found.data.tags["note"].endswith("[cut: 9000 characters]")
    assert "parameter 'long'" in caplog.text
    assert "tag 'note'" in caplog.text


def test_credentials_are_kept_out(client, info):
    run = MLflowTracker().start(info(params={"tracking.uri": "http://ann:secret@h"}, tags={"t": "http://u:secret@h"}))
    run.finish("FINISHED")
    found = client.get_run(run.run_id)
    assert found.data.params["tracking.uri"] == "http://***@h"
    assert "secret" not in str(found.to_dictionary())
    assert "secret" not in repr(MLflowTracker(uri="http://ann:secret@h"))


def test_another_store_is_named_with_its_option(template, info, tmp_path):
    (tmp_path / "other place").mkdir()
    shutil.copy(template, tmp_path / "other place" / "x.db")
    run = MLflowTracker(uri="sqlite:///other place/x.db").start(info(experiment="Große Läufe / 1"))
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("a")
    run.log_folder(folder)
    run.finish("FINISHED")
    assert run.where().endswith(f"--uri sqlite:///{tmp_path}/other place/x.db")
    assert len(list((tmp_path / "other place" / "artifacts").rglob("a"))) == 1
    assert not (tmp_path / "runs").exists()


def test_bad_names_are_refused_before_a_run_exists(client, info):
    with pytest.raises(TrackingError, match="name of parameter"):
        MLflowTracker().start(info(params={"a=b": "1"}))
    with pytest.raises(TrackingError, match="name of tag"):
        MLflowTracker().start(info(tags={"a%": "1"}))
    assert client.get_experiment_by_name("mfx") is None


def test_a_deleted_experiment(client, info):
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(TrackingError, match="'gone' was deleted") as caught:
        MLflowTracker().start(info(experiment="gone"))
    assert "restore --experiment-id" in caught.value.hint


def test_a_store_that_locks_during_a_run_costs_no_result(client, info, database, caplog, monkeypatch):
    run = MLflowTracker(flush_seconds=0).start(info())
    attempts = []
    write = run._client.log_batch

    def locked(*arguments, **named):
        attempts.append(1)
        raise sqlite3.OperationalError("database is locked\n[SQL: INSERT ...]")

    monkeypatch.setattr(run._client, "log_batch", locked)
    run.log_metrics({"valid/rmse": 0.9}, step=1)
    run.log_metrics({"valid/rmse": 0.8}, step=2)
    assert len(attempts) == 1, "a store that is locked makes each call wait"
    assert len(caplog.records) == 1
    with pytest.raises(TrackingError, match=r"writing metrics: database is locked\. Another program") as caught:
        run.finish("FINISHED")
    assert "Another program" in str(caught.value)
    monkeypatch.setattr(run._client, "log_batch", write)
    run.finish("FINISHED")
    assert client.get_run(run.run_id).data.metrics == {"valid/rmse": 0.8}
    assert len(client.get_metric_history(run.run_id, "valid/rmse")) == 2


def test_a_store_that_is_locked_when_tags_are_written_gets_them_later(client, info, database, monkeypatch, caplog):
    from mlflow.tracking import MlflowClient

    write, failed = MlflowClient.log_batch, []

    def locked(self, run_id, metrics=(), params=(), tags=()):
        if tags and not failed:
            failed.append(tags)
            raise sqlite3.OperationalError("database is locked")
        return write(self, run_id, metrics, params, tags)

    monkeypatch.setattr(MlflowClient, "log_batch", locked)
    run = BackgroundRun(MLflowTracker(flush_seconds=0), info())
    run.set_tags({"early": "yes"})
    run.log_epoch(1, {"valid/rmse": 0.9})
    run.finish("FINISHED")
    found = client.get_run(run.run_id)
    assert failed
    assert (found.data.tags["early"], found.data.metrics, found.info.status) == ("yes", {"valid/rmse": 0.9}, "FINISHED")
    (warning,) = [one.getMessage() for one in caplog.records]
    assert "writing tags: database is locked. The run goes on, and this is recorded later." in warning


def test_a_run_whose_parameters_cannot_be_written_is_not_left_half_written(client, info, database, monkeypatch):
    from mlflow.tracking import MlflowClient

    def locked(*arguments, **named):
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", locked)
        with pytest.raises(TrackingError, match="locked"):
            MLflowTracker().start(info())
    run = MLflowTracker().start(info())
    run.finish("FINISHED")
    experiments = [one.experiment_id for one in client.search_experiments()]
    assert [one.info.run_id for one in client.search_runs(experiments)] == [run.run_id]


def test_a_store_that_is_deleted_during_a_run_is_noticed(client, info, database):
    run = MLflowTracker().start(info())
    run.log_metrics({"valid/rmse": 0.9})
    database.unlink()
    with pytest.raises(TrackingError, match="deleted or"):
        run.finish("FINISHED")


def test_a_store_that_is_replaced_during_a_run_is_noticed(client, info, database, template):
    run = MLflowTracker().start(info())
    shutil.copy(template, database.with_name("other.db"))
    with sqlite3.connect(database) as known, sqlite3.connect(database.with_name("other.db")) as other:
        known.backup(other)
    database.with_name("other.db").replace(database)
    with pytest.raises(TrackingError, match=r"deleted or replaced|readonly"):
        run.finish("FINISHED")


def test_a_clock_that_goes_back_ends_no_run_before_it_began(client, info, monkeypatch):
    run = MLflowTracker().start(info())
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    run.log_metrics({"valid/rmse": 0.9}, step=1)
    run.finish("FINISHED")
    found = client.get_run(run.run_id)
    assert found.info.end_time == found.info.start_time
    assert found.data.metrics == {"valid/rmse": 0.9}


def test_a_run_that_is_gone_from_its_store(client, info):
    with pytest.raises(RunGone, match=r"mlflow\.db has no run 0123"):
        MLflowTracker().reopen("0123" * 8, "mfx")


def test_the_drivers_words_are_told_and_not_those_around_them(client, info, monkeypatch, caplog):
    run = MLflowTracker().start(info())
    with sqlite3.connect(run._store.database, isolation_level=None) as other:
        other.execute("CREATE TRIGGER full BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    other.close()
    with pytest.raises(TrackingError, match=r"failed while ending the run: disk is full\. Free disk space"):
        run.finish("FINISHED")
    assert "Traceback" not in caplog.text


def test_a_foreign_database_is_left_alone(info, tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as other:
        other.execute("CREATE TABLE experiments (a)")
    other.close()
    with pytest.raises(TrackingError, match="database of another program"):
        MLflowTracker(uri="sqlite:///x.db").start(info())
    with sqlite3.connect(tmp_path / "x.db") as other:
        assert other.execute("SELECT sql FROM sqlite_master").fetchall() == [("CREATE TABLE experiments (a)",)]
    other.close()


def test_a_missing_driver_hides_the_password(info, monkeypatch):
    monkeypatch.setattr(mlflow_tracker.Store, "check", lambda store, timeout=1: None)
    with pytest.raises(TrackingError) as caught:
        MLflowTracker(uri="mssql+nosuchdriver://ann:secret@h/d").start(info())
    assert "secret" not in str(caught.value)


ONE_RUN = """
import os, sys
from pathlib import Path
from mfx.interfaces import RunInfo
from mfx.tracking.mlflow_tracker import MLflowTracker

def one(name):
    run = MLflowTracker().start(RunInfo("mfx", name, {"a": name}, {}, None, Path(".")))
    for epoch in range(1, 11):
        run.log_metrics({"valid/rmse": 1 / epoch}, step=epoch)
    run.finish("FINISHED")
"""

FORKED = """
import mlflow.store.tracking.sqlalchemy_store
children = []
for i in range(4):
    child = os.fork()
    if not child:
        one(str(i))
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def assert_four_runs(folder):
    with sqlite3.connect(folder / "runs" / "mlflow.db") as connection:
        runs = connection.execute("SELECT name, status FROM runs ORDER BY name").fetchall()
        points = connection.execute("SELECT count(*) FROM metrics").fetchone()
        experiments = connection.execute("SELECT count(*) FROM experiments WHERE name = 'mfx'").fetchone()
    connection.close()
    assert runs == [(str(i), "FINISHED") for i in range(4)]
    assert points == (40,)
    assert experiments == (1,)
    assert {path.name for path in (folder / "runs").iterdir()} <= {"mlflow.db", "mlflow.db.lock"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_four_processes_reach_a_fresh_store_at_the_same_moment(tmp_path, env):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", ONE_RUN + FORKED],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert_four_runs(tmp_path)


@pytest.mark.slow
def test_four_commands_at_once_on_a_fresh_store(tmp_path, env):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_RUN + "one(sys.argv[1])", str(i)],
            env=env,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(4)
    ]
    said = [process.communicate(timeout=200)[0] for process in processes]
    assert ([process.returncode for process in processes], said) == ([0] * 4, [""] * 4)
    assert_four_runs(tmp_path)


def test_an_ended_run_is_taken_up_again(client, info):
    tracker = MLflowTracker()
    run = tracker.start(info())
    run.finish("KILLED")
    again = tracker.reopen(run.run_id, "mfx")
    again.set_tags({"best": "true"})
    assert client.get_run(run.run_id).info.status == "KILLED"
    again.log_metrics({"test/rmse": 0.5})
    again.finish("FINISHED")
    found = client.get_run(run.run_id)
    assert (found.info.status, found.data.tags["best"], found.data.metrics["test/rmse"]) == ("FINISHED", "true", 0.5)
    assert again.where() == run.where()


def test_runs_that_were_cut_off_are_deleted_and_no_others(client, info):
    tracker = MLflowTracker()
    parent = tracker.start(info())
    kept = [tracker.start(info(parent=parent.run_id, tags={"trial": "1"})), tracker.start(info(tags={"trial": "0"}))]
    cut_off = tracker.start(info(parent=parent.run_id, tags={"trial": "0"}))
    assert tracker.discard("mfx", {"trial": "0"}, parent.run_id) == 1
    left = client.search_runs([client.get_experiment_by_name("mfx").experiment_id])
    assert {run.info.run_id for run in left} == {run.run_id for run in (parent, *kept)}
    assert client.get_run(cut_off.run_id).info.lifecycle_stage == "deleted"
