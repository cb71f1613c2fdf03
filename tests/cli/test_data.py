"""`mfx data partition`: parts on disk, and what is refused in a line."""

import json

import pytest

from mfx.cli.main import main
from mfx.data.partitioned import Partitioned

TINY = ["dataset=synthetic", "dataset.preset=tiny"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MFX_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_parts_are_written_and_told(folder, capsys):
    assert main(["data", "partition", *TINY, "to=parts", "parts=3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["parts"], told["folder"]) == (3, str(folder / "parts"))
    assert len(Partitioned(path="parts").load()) == told["ratings"]
    assert main(["data", "partition", *TINY, "to=others"]) == 0
    assert "dataset=partitioned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["partition"], "Write to=DIR."),
        (["partition", "to=parts", "parts=0"], "parts=0 is not a whole number"),
        (["partition", "to=parts", "parts=²"], "is not a whole number"),
        (["divide", "to=parts"], "does not know 'divide'"),
        (["partition", "to=parts", "dataset=nothing"], "nothing"),
        (["partition", "to=parts", "--nothing"], "--nothing"),
    ],
)
def test_what_is_wrong_costs_one_line(words, said, capsys):
    assert main(["data", *words]) != 0
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1
