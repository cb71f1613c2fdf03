"""What the source must not do, whoever writes it: turn data into code, or trust the whole network."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
FILES = sorted(
    path
    for part in ("mfx", "hydra_plugins", "plugins")
    for path in (REPOSITORY / part).rglob("*.py")
    if "tests" not in path.parts and "template" not in path.parts
)
MAKES_OBJECTS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}


def found_in(source):
    """List what a file does that it must not, with the lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            found += [(node.lineno, name) for name in names if name.partition(".")[0] in MAKES_OBJECTS]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {one.arg: ast.unparse(one.value) for one in node.keywords}
        loads = called.endswith(".load") and called.partition(".")[0] in ("np", "numpy")
        bad = (
            called in RUNS_TEXT
            or called.endswith((".read_pickle", "yaml.load", "yaml.unsafe_load", "hydra.utils.instantiate"))
            or (loads and given.get("allow_pickle") != "False")
            or given.get("shell") == "True"
            or given.get("verify") == "False"
        )
        found += [(node.lineno, called)] * bad
    return found


def test_no_file_turns_data_into_code():
    found = {path.relative_to(REPOSITORY).as_posix(): found_in(path.read_text(encoding="utf-8")) for path in FILES}
    assert "mfx/models/storage.py" in found
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "x = eval(text)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "yaml.load(text)",
        "subprocess.run(text, shell=True)",
        "hydra.utils.instantiate(node)",
    ],
)
def test_each_way_is_seen(line):
    assert len(found_in(line)) == 1


@pytest.mark.parametrize("line", ["re.compile(text)", "np.load(path, allow_pickle=False)", "yaml.safe_load(text)"])
def test_what_is_harmless_is_let_through(line):
    assert found_in(line) == []
