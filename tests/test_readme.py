"""What the README tells a reader to type works when typed."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest

from mfx.cli.main import main

README = Path(__file__).parent.parent / "README.md"
# The section for authors of plugins is carried out as a whole by tests/plugins.
BEFORE, _, AUTHORS = README.read_text(encoding="utf-8").partition("## Your own component\n")
TEXT = BEFORE + AUTHORS[AUTHORS.index("\n## ") :]


def blocks():
    """Yield the indented blocks of code of the README."""
    for block in re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", TEXT, flags=re.MULTILINE):
        yield re.sub(r"^    ", "", block, flags=re.MULTILINE)


COMMANDS = [
    line.partition(" #")[0].strip()
    for block in blocks()
    for line in block.splitlines()
    if line.startswith("mfx ")
    and "ml-latest-small.zip" not in line
    and " RUN " not in f"{line} "
    and not line.startswith(("mfx: ", "mfx ui", "mfx serve"))
]
# Those that work on finished runs.
ON_RUNS = [
    command for command in COMMANDS if command.split()[1] in ("recommend", "reproduce", "similar", "explain", "fold")
]
COMMANDS = [command for command in COMMANDS if command not in ON_RUNS]
PYTHON = [block for block in blocks() if block.startswith(("import mfx", "ratings = mfx"))]


STUDIES = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", TEXT.replace("\\|", "¦"), flags=re.MULTILINE)
IN_STUDIES = sorted({shown.replace("¦", "|") for _, _, cell, _ in STUDIES for shown in re.findall(r"`(mfx.*?)`", cell)})


def test_there_is_something_to_try():
    assert len(COMMANDS) >= 8
    assert [int(number) for number, *_ in STUDIES] == list(range(1, 31))
    assert all("`" in cell for _, _, cell, _ in STUDIES)
    assert len(IN_STUDIES) >= 20
    assert len(PYTHON) == 3


@pytest.mark.parametrize("command", IN_STUDIES)
def test_commands_of_the_studies_are_known(in_demo, capsys, command):
    """Those that take seconds run; of longer ones the settings are read."""
    _, *arguments = shlex.split(command)
    if arguments[0] == "serve":
        return  # tests/cli/test_serve.py serves for real
    long = arguments[0] not in ("recommend", "explain", "report")
    shown = [argument for argument in arguments if argument not in ("-m", "sweep")]
    assert main([*shown, "--cfg", "job"] if long else arguments) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def prepare(folder):
    (folder / "my_presets" / "model").mkdir(parents=True)
    (folder / "my_presets" / "experiment").mkdir()
    (folder / "my_presets" / "model" / "big_als.yaml").write_text("defaults: [als]\nfactors: 100\n")
    (folder / "my_presets" / "experiment" / "NAME.yaml").write_text("# @package _global_\nseed: 3\n")


@pytest.mark.parametrize("command", ON_RUNS)
def test_commands_on_finished_runs(in_demo, capsys, command):
    assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


SWEEPS = [command for command in COMMANDS if command.startswith("mfx sweep ") or "hydra/sweeper" in command]
ELSEWHERE = ("sweep.storage=", "hydra/launcher=submitit", "hydra/launcher=ray")  # need a server, a cluster


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in SWEEPS])
def test_commands_compose(cli, command):
    """Everything but the run itself: names, settings, types, presets."""
    prepare(cli.folder)
    arguments = shlex.split(command)[1:]
    if arguments[:1] in (["list"], ["data"]):
        done = cli(*arguments)
    else:
        single = [
            re.sub(r"^([\w.]+=[^\[,]+),.*", r"\1", argument)
            for argument in arguments
            if argument not in ("-m", "--json")
        ]
        done = cli(*single, *([] if "--cfg" in single else ["--cfg", "job"]))
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command not in SWEEPS and not command.startswith("mfx list")]
)
def test_commands_run(cli, command):
    prepare(cli.folder)
    if "dataset.path=parts" in command:
        assert cli("data", "partition", "to=parts").returncode == 0
    done = cli(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in SWEEPS if not any(word in command for word in ELSEWHERE)])
def test_sweeps_run(cli, command):
    """As typed, but for the budget."""
    small = [re.sub(r"(random_trials|max_grid|grid_points)=\d+", r"\1=2", word) for word in shlex.split(command)[1:]]
    done = cli(*small, *({"sweep.random_trials=2", "sweep.max_grid=2", "model.epochs=2"} - set(small)))
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in PYTHON:
        exec(compile(block, str(README), "exec"), names)
    assert 0.85 < names["result"].metrics["test/rmse"] < 0.95
    assert len(names["model"].recommend([1, 2], k=10)) == 20
    assert (tmp_path / "my_model" / "model.json").is_file()


def test_the_tables_of_speed_are_those_of_the_last_measurements():
    folder = Path(__file__).parent / "bench" / "peers"
    bench = runpy.run_path(str(folder / "__main__.py"))
    written = "\n".join(bench["lines"](json.loads((folder / "results.json").read_text()))).rstrip()
    assert written in TEXT


def test_the_leaderboard_is_that_of_the_last_results():
    folder = Path(__file__).parent / "bench" / "leaderboard"
    table, contestants = (runpy.run_path(str(folder / f"{name}.py")) for name in ("table", "contestants"))
    labels = [one.label for one in contestants["CONTESTANTS"]]
    results = json.loads((folder / "results.json").read_text())
    assert table["into"](TEXT, results, labels) == TEXT


def test_the_tables_of_fits_beyond_one_machine_are_those_of_the_last_measurements():
    bench = runpy.run_path(str(Path(__file__).parent / "bench" / "beyond_one_machine.py"))
    begin, end = "<!-- beyond: python tests/bench/beyond_one_machine.py paper -->\n", "\n<!-- end of beyond -->"
    assert BEFORE.partition(begin)[2].partition(end)[0] == bench["tables"]()
