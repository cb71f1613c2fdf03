import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from mfx import compose

REPOSITORY = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(not (REPOSITORY / "pyproject.toml").is_file(), reason="needs a checkout")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # From a copy, so that nothing is left behind in the checkout.
    source = tmp_path_factory.mktemp("source")
    for name in ("mfx", "hydra_plugins", "conf"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "dist")]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (path,) = (source / "dist").glob("*.whl")
    return path


def test_the_wheel_holds_all_configuration(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    own = [path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "conf").rglob("*.yaml")]
    assert "conf/config.yaml" in own
    assert {f"mfx/{path}" for path in own} <= inside
    template = [path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "mfx/cli/template").rglob("*.txt")]
    assert len(template) == 7
    assert set(template) <= inside
    assert {"mfx/py.typed", "hydra_plugins/mfx_sweeper.py"} <= inside
    assert "hydra_plugins/__init__.py" not in inside  # it is a namespace that others share
    assert not [name for name in inside if name.startswith(("conf/", "tests/", "runs/"))]


def test_composition_works_from_the_unpacked_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import mfx, sys; from mfx import compose; print(mfx.__file__); print(compose.conf_dir())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parent)])}
    flow = [sys.executable, "-c", f"{code}; import flow_plugin; from mfx.cli.main import main; sys.exit(main())"]
    choices = ["dataset=toy", "split=toy_split", "model=toy_model", "tracking=toy_tracking"]
    done = subprocess.run(
        [*flow, *choices, "--cfg", "job"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    package, conf, *config = done.stdout.splitlines()
    assert Path(package).is_relative_to(tmp_path)
    assert Path(conf) == tmp_path / "site" / "mfx" / "conf"
    assert "  name: toy_model" in config


def test_hydra_finds_the_sweeper_in_the_unpacked_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    code = "from hydra.core.plugins import Plugins; from hydra.plugins.sweeper import Sweeper; "
    code += "print(*[f'{one.__module__}.{one.__name__}' for one in Plugins.instance().discover(Sweeper)])"
    code += "; import sys; print([name for name in ('mfx.sweep.sweeper', 'optuna', 'numpy') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    found, heavy = done.stdout.splitlines()
    assert "hydra_plugins.mfx_sweeper.RandomThenGrid" in found.split()
    assert heavy == "[]"


def test_a_checkout_finds_its_configuration():
    assert compose.conf_dir() == REPOSITORY / "conf"


def readme_commands():
    """Commands in the README's section that starts with the two commands."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^    (\S.*)$", text.partition("## Start")[2].partition("\n## ")[0], flags=re.MULTILINE)


def test_ci_runs_the_readmes_test_command():
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    (tests,) = [command for command in readme_commands() if "pytest" in command]
    install, _, test = tests.rpartition(" && ")
    assert "'.[test]'" in install or '".[test]"' in install
    assert f"\n{test}\n" in script
    assert '".[test,audit]"' in script
    for tool in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        assert tool in script
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


def test_the_readmes_commands_name_what_exists():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(r"\.\[(\w+)\]", " ".join(readme_commands())):
        assert extra in project["optional-dependencies"]
    assert project["scripts"] == {"mfx": "mfx.cli.main:main"}
