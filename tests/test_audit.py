"""What CI makes of pip-audit's findings."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"


@pytest.fixture
def audit():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(name, *fix_versions):
    return {"name": name, "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": list(fix_versions)}]}


def test_only_what_mfx_can_mend_is_an_error(audit):
    decided = audit.own()
    assert {"numpy", "hydra-core", "psycopg", "pytest"} <= decided
    assert audit.told([package("numpy", "9.0")], decided)[1]
    assert not audit.told([package("numpy")], decided)[1], "nobody has mended it"
    assert not audit.told([package("brought-along", "9.0")], decided)[1], "others chose it"
    lines, _ = audit.told([package("Hydra.Core", "9.0"), package("numpy")], decided)
    assert "mended in 9.0: change the bounds" in lines[0]
    assert "no mended version" in lines[1]


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("", "Name or service not known"),
        ('{"dependencies": [{"name": "numpy", "skip_reason": "not found"}]}', "1 of 1 packages are unknown"),
    ],
)
def test_without_an_answer_it_says_so_and_goes_on(audit, monkeypatch, capsys, printed, said):
    def run(command, **named):
        return subprocess.CompletedProcess(command, 1, printed, "Traceback ...\nName or service not known\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("audit: skipped")
    assert said in out
    assert out.count("\n") == 1


def test_a_finding_is_shown_and_fails_where_it_can_be_mended(audit, monkeypatch, capsys):
    answer = '{"dependencies": [{"name": "numpy", "version": "2.0", "vulns": [{"id": "X", "fix_versions": ["2.1"]}]}]}'
    monkeypatch.setattr(subprocess, "run", lambda command, **named: subprocess.CompletedProcess(command, 1, answer, ""))
    assert audit.main() == 1
    assert "audit: numpy 2.0: X, mended in 2.1" in capsys.readouterr().out
