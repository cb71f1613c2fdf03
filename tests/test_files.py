import errno
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx import results
from mfx.files import atomic_file, atomic_folder, copy_folder, scratch_folder, write_text


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path):
    path = tmp_path / "deep" / "notes.txt"
    write_text(path, "one")
    with atomic_file(path) as temporary:
        temporary.write_text("two")
        assert path.read_text() == "one"
    assert path.read_text() == "two"
    assert [entry.name for entry in path.parent.iterdir()] == ["notes.txt"]
    assert path.stat().st_mode & 0o400


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "notes.txt"
    write_text(path, "one")

    def fail_half_way():
        with atomic_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / "folder", "one")
    assert str(caught.value).endswith(f"'{tmp_path / 'folder'}'")
    with pytest.raises(OSError, match=r"No space left on device: '.*notes\.txt'"), atomic_file(tmp_path / "notes.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")  # as writing to a full disk does


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds out by way of /proc")
def test_a_file_and_its_name_are_on_disk_before_the_block_is_over(tmp_path, monkeypatch):
    synced, sync = [], os.fsync

    def noted(handle):
        synced.append((str(Path(f"/proc/self/fd/{handle}").readlink()), (tmp_path / "notes.txt").exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    write_text(tmp_path / "notes.txt", "one")
    (draft, was_there), (folder, is_there) = synced
    assert draft.startswith(f"{tmp_path}/.notes.txt.")
    assert not was_there
    assert (folder, is_there) == (str(tmp_path), True)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with atomic_folder(tmp_path / "made") as draft:
        write_text(draft / "deep" / "notes.txt", "one")
        assert not (tmp_path / "made").exists()
    assert (tmp_path / "made" / "deep" / "notes.txt").read_text() == "one"

    def fail_half_way():
        with atomic_folder(tmp_path / "other") as draft:
            write_text(draft / "notes.txt", "one")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_copy_that_breaks_off_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    for name in ("a.json", "b.json"):
        write_text(tmp_path / "from" / "deep" / name, '{"whole": true}')
    calls = []

    def full(source, target):
        calls.append(source)
        target.write_text(source.read_text()[: 5 if len(calls) == 2 else None])
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mfx.files.shutil.copyfile", full)
    with pytest.raises(OSError, match="No space"):
        copy_folder(tmp_path / "from", tmp_path / "to")
    assert [path.name for path in (tmp_path / "to" / "deep").iterdir()] == ["a.json"]


def test_a_scratch_folder_that_cannot_be_removed_costs_nothing(monkeypatch):
    def forbidden(path, **named):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with scratch_folder() as scratch:
        write_text(scratch / "notes.txt", "one")
    assert not scratch.exists()
    with monkeypatch.context() as patch, scratch_folder() as scratch:
        patch.setattr(os, "rmdir", forbidden)
        (scratch / "notes.txt").touch()
    shutil.rmtree(scratch, ignore_errors=True)


@given(
    st.one_of(st.text(max_size=100), st.sampled_from(["..", "../../etc", "/tmp/x", "C:\\x", "a\0b", ".", "", "-rf"]))
)
def test_a_name_of_a_run_or_a_study_is_one_part_of_a_path(name):
    safe = results.safe_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}", safe)
    assert (Path("runs") / safe).resolve().parent == Path("runs").resolve()


def test_a_run_stays_below_its_folder_whatever_it_is_called(tmp_path):
    made = results.new_directory(tmp_path / "runs", "../../../outside")
    assert made.parent.parent == tmp_path / "runs"
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
