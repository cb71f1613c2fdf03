import os
import socket
import sqlite3
import threading
import time

import pytest

from mfx.errors import TrackingError, mask
from mfx.tracking.store import locate


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://ann:secret@db/mfx", "postgresql://***@db/mfx"),
        ("postgresql+psycopg2://ann:s@cr/et@db:5432/mfx", "postgresql+psycopg2://***@db:5432/mfx"),
        ("see 'https://ann:secret@host/x' there", "see 'https://***@host/x' there"),
        (r"tags.t=http\://ann\:secret@host", r"tags.t=http\://***@host"),
        ("http://host/x?token=abc&a=1", "http://host/x?token=***&a=1"),
        ("mysql://h/d?password=abc", "mysql://h/d?password=***"),
        ("sqlite:////home/ann@work/mlflow.db", "sqlite:////home/ann@work/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_mask(text, masked):
    assert mask(text) == masked


def test_default_store_lies_in_runs_of_the_current_folder(tmp_path):
    store = locate()
    assert store.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert store.database == tmp_path / "runs" / "mlflow.db"
    assert store.artifacts == tmp_path / "runs" / "artifacts"
    assert store.shown == str(store.database)


def test_setting_comes_before_environment_before_default(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert locate().uri == "http://host:5000"
    assert locate().artifacts is None
    assert locate("sqlite:///other/x.db").database == tmp_path / "other" / "x.db"
    assert locate("sqlite:////abs/x.db").uri == "sqlite:////abs/x.db"


def test_a_database_server_keeps_artifacts_here(tmp_path):
    assert locate("postgresql://ann:secret@db/mfx").artifacts == tmp_path / "runs" / "artifacts"


def test_credentials_are_not_shown():
    store = locate("postgresql://ann:secret@db/mfx")
    assert store.uri == "postgresql://ann:secret@db/mfx"
    assert "secret" not in f"{store!r} {store} {store.shown}"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("runs", "folder or file"),
        ("file:///tmp/mlruns", "folder or file"),
        ("C:\\runs", "folder or file"),
        ("sqlite://", "does not name a database file"),
        ("sqlite:mlflow.db", "does not name a database file"),
        ("postgre://ann:secret@db/x", "no store of kind 'postgre'"),
        ("http://", "names no host"),
        ("sqlite:///a?b/mlflow.db", "cannot be addressed"),
    ],
)
def test_malformed_addresses(uri, words):
    with pytest.raises(TrackingError, match=words) as caught:
        locate(uri)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "sqlite:///" in caught.value.hint


def test_check_of_a_fresh_store_makes_the_folder_only(tmp_path):
    locate().check()
    assert list((tmp_path / "runs").iterdir()) == []


def test_not_a_database(tmp_path):
    (tmp_path / "notes.db").write_text("these are notes and not an sqlite database " * 40)
    with pytest.raises(TrackingError, match=r"notes\.db is not an sqlite database"):
        locate("sqlite:///notes.db").check()


def test_a_folder_in_the_place_of_the_database(tmp_path):
    (tmp_path / "x.db").mkdir()
    with pytest.raises(TrackingError, match="Is a directory"):
        locate("sqlite:///x.db").check()


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(TrackingError, match=r"runs/mlflow\.db cannot be written: (File exists|Not a directory)"):
        locate().check()


def test_read_only_folder(tmp_path, monkeypatch):
    # Root may write anywhere, so the question is answered for it.
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(TrackingError, match="cannot be written: Permission denied") as caught:
        locate().check()
    assert "tracking.uri=" in caught.value.hint


def test_locked_store(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as holder:
        holder.execute("CREATE TABLE alembic_version (a)")
        holder.execute("CREATE TABLE experiments (a)")
        holder.commit()
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"x\.db stayed locked for 0\.1 s"):
            locate("sqlite:///x.db").check(timeout=0.1)
        holder.rollback()
    holder.close()
    locate("sqlite:///x.db").check(timeout=0.1)


@pytest.mark.parametrize("scheme", ["http", "postgresql", "mysql+pymysql"])
def test_nobody_answers(scheme):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(TrackingError, match="does not answer: Connection refused") as caught:
        locate(f"{scheme}://ann:secret@127.0.0.1:{port}/mfx").check()
    assert "secret" not in str(caught.value)
    assert time.monotonic() - began < 5


def test_processes_of_mfx_take_turns_at_an_sqlite_store(database):
    store, told = locate(), []

    def other():
        with store.turn():
            told.append("other")

    with store.turn():
        with store.turn():  # within one's own turn one may have another
            waiting = threading.Thread(target=other)
            waiting.start()
        time.sleep(0.05)
        told.append("one")
    waiting.join(10)
    assert told == ["one", "other"]


def test_where_no_lock_can_be_made_a_turn_is_taken_all_the_same(database, tmp_path):
    database.with_name("mlflow.db.lock").mkdir()
    with locate().turn():
        pass
    with locate(f"sqlite:///{tmp_path}/gone/mlflow.db").turn():
        assert not (tmp_path / "gone").exists()


def test_nobody_waits_for_ever_for_a_turn(database, monkeypatch):
    monkeypatch.setattr("mfx.tracking.store.TURN_SECONDS", 0.05)
    store, told = locate(), []

    def other():
        with store.turn():
            told.append("other")

    with store.turn():
        waiting = threading.Thread(target=other)
        waiting.start()
        waiting.join(10)
        assert told == ["other"]
