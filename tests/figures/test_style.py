import subprocess
import sys
from pathlib import Path

import pytest

import mfx.figures
from mfx.errors import DataError
from mfx.figures import objective_curve, save, style


@pytest.fixture
def figure():
    return objective_curve({"objective": [3.0, 2.0, 1.5]}, title="als", caption="demo")


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml")])
def test_files_are_whole_and_the_same_each_time(figure, tmp_path, name, start):
    first = save(figure, tmp_path / "new" / name).read_bytes()
    assert first.startswith(start)
    assert save(figure, tmp_path / "new" / name).read_bytes() == first
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_a_failed_write_leaves_the_old_file(figure, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(figure, draft, *options):
        Path(draft).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(style, "_print", full)
    with pytest.raises(DataError, match=r"a\.png cannot be written: No space left on device. Free disk"):
        save(figure, path)
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_only_png_and_svg(figure, tmp_path):
    with pytest.raises(DataError, match=r"a\.pdf") as caught:
        save(figure, tmp_path / "a.pdf")
    assert ".png or .svg" in caught.value.hint


def test_files_are_as_readable_as_others(figure, tmp_path):
    other = tmp_path / "other"
    other.write_text("")
    assert save(figure, tmp_path / "a.png").stat().st_mode == other.stat().st_mode


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'pie'"):
        _ = mfx.figures.pie


def test_matplotlib_is_imported_late_and_pyplot_never(tmp_path):
    code = """
import sys
import mfx.figures, mfx.figures.curves, mfx.figures.style
print("matplotlib" in sys.modules)
figure = mfx.figures.learning_curve({"valid": [1.0, 2.0]}, metric="rmse", title="t", caption="c")
mfx.figures.save(figure, sys.argv[1])
print("matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules)
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(tmp_path / "a.png")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True", "False"], done.stderr
