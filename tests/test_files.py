import pytest

from mfx.files import atomic_file, write_text


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
