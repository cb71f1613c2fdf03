"""`mfx new plugin`: refusals here; that what it writes works is tested with the README."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mfx.cli import new
from mfx.compose import ConfigError


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("als", "a model called 'als' in package 'mfx'"),
        ("3d", "cannot name"),
        ("class", "cannot name"),
        ("Éa", "cannot"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, name, part):
    with pytest.raises(ConfigError, match=part):
        new.make_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    folder = new.make_plugin("mfx-two-words", tmp_path)
    assert folder == tmp_path / "mfx-two-words"
    assert (folder / "mfx_two_words" / "conf" / "experiment" / "two_words_demo.yaml").is_file()
    with pytest.raises(ConfigError, match="exists already"):
        new.make_plugin("two_words", tmp_path)


def test_nothing_of_the_template_is_left_open(tmp_path):
    folder = new.make_plugin("deep", tmp_path)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 7
    for path in files:
        text = path.read_text()
        assert "$" not in text
        assert "PACKAGE" not in text + path.name
        assert not path.name.endswith(".txt")
    assert "class Deep(mfx.Recommender)" in (folder / "mfx_deep" / "models.py").read_text()
    assert '"mfx>=0.1,<1"' in (folder / "pyproject.toml").read_text()


@pytest.mark.slow
def test_what_is_written_is_formatted_and_typed(tmp_path):
    folder = new.make_plugin("neat", tmp_path)
    environment = {**os.environ, "PYTHONPATH": "", "MYPYPATH": str(Path(__file__).parents[2])}
    for command in (
        ["ruff", "check", "--isolated", "--line-length=120"],
        ["ruff", "format", "--isolated", "--line-length=120", "--check"],
        ["mypy", "--strict", "--follow-imports=silent", "--config-file="],
    ):
        target = folder / "mfx_neat" if command[0] == "mypy" else folder
        done = subprocess.run(
            [sys.executable, "-m", *command, str(target)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], ["model"], ["plugin"], ["plugin", "a", "b"]])
def test_wrong_usage_says_what_to_write(arguments):
    with pytest.raises(ConfigError, match=r"Write mfx new plugin NAME\."):
        new.main(arguments)
