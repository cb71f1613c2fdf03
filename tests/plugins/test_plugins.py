"""The plugins of this repository use the public door only."""

import ast
import tomllib
from pathlib import Path

import pytest

import mfx
import mfx.testing

PLUGINS = Path(__file__).parents[2] / "plugins"
DOORS = {"mfx": mfx, "mfx.solver": mfx.solver, "mfx.testing": mfx.testing}

pytestmark = pytest.mark.skipif(not PLUGINS.is_dir(), reason="needs a checkout")


@pytest.mark.parametrize("name", ["ease", "ials"])
def test_a_plugin_imports_nothing_private(name):
    files = [*PLUGINS.glob(f"mfx-{name}/mfx_{name}/*.py"), *PLUGINS.glob(f"mfx-{name}/tests/*.py")]
    assert len(files) >= 3
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "mfx":
                assert node.module in DOORS, f"{path} imports from {node.module}"
                assert {alias.name for alias in node.names} <= set(DOORS[node.module].__all__), path
            if isinstance(node, ast.Import):
                for alias in node.names:
                    assert alias.name in DOORS or not alias.name.startswith("mfx."), f"{path} imports {alias.name}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mfx":
                assert node.attr in mfx.__all__, f"{path} uses mfx.{node.attr}"


@pytest.mark.parametrize("name", ["ease", "ials"])
def test_a_plugin_declares_what_it_needs(name):
    project = tomllib.loads((PLUGINS / f"mfx-{name}" / "pyproject.toml").read_text())["project"]
    assert "mfx>=0.1,<1" in project["dependencies"]
    assert project["entry-points"]["mfx.plugins"] == {name: f"mfx_{name}.models"}
    for part in ("README.md", f"mfx_{name}/py.typed", f"mfx_{name}/conf/experiment/{name}_demo.yaml"):
        assert (PLUGINS / f"mfx-{name}" / part).is_file()
