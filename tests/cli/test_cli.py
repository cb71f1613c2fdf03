import errno
import itertools
import json
import re

import pytest

from mfx import compose
from mfx.cli import main as cli_main
from mfx.cli import new, sweep

TOY = ("dataset=toy", "split=toy_split", "model=toy_model", "tracking=toy_tracking", "metrics=[rmse]", "figures=false")
HEAVY = ("pandas", "mlflow", "matplotlib", "optuna", "numba", "scipy", "pyarrow")
IMPORTS = f"""
import sys
from mfx.cli.main import main
code = main(sys.argv[1:])
loaded = [name for name in {HEAVY!r} + ("hydra",) if name in sys.modules]
print("LOADED", *loaded, file=sys.stderr)
sys.exit(code)
"""


def loaded(done):
    assert done.returncode == 0, done.stderr
    return re.search(r"LOADED(.*)", done.stderr).group(1).split()


def folders(cli, pattern="*/*"):
    return sorted((cli.folder / "runs").glob(pattern))


def test_importing_mfx_imports_nothing_else(cli):
    code = "import mfx, sys; assert not [m for m in sys.modules if m.startswith(('mfx.', 'numpy'))]"
    done = cli(code=code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_help_and_version_import_nothing(cli, arguments):
    done = cli(*arguments, code=IMPORTS)
    assert loaded(done) == []
    assert "mfx" in done.stdout


def test_list_and_cfg_import_nothing_heavy(cli):
    assert loaded(cli("list", code=IMPORTS)) == []
    assert loaded(cli("--cfg", "job", *TOY, code=IMPORTS)) == ["hydra"]


def test_cfg_shows_the_composition_and_runs_nothing(cli):
    done = cli("--cfg", "job", *TOY, "model.epochs=3")
    assert done.returncode == 0
    assert "name: toy_model\n  epochs: 3" in done.stdout
    assert not (cli.folder / "runs").exists()


def test_info_works_wherever_it_stands(cli):
    for arguments in (["--info", "config", *TOY], [*TOY, "--info"]):
        done = cli(*arguments)
        assert done.returncode == 0, done.stderr
        assert "toy_model" in done.stdout


def test_a_run_prints_a_table_and_where_to_look(cli):
    done = cli(*TOY)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (folder,) = folders(cli)
    written = json.loads((folder / "metrics.json").read_text())
    row = re.search(r"rmse +(\S+) +(\S+)", done.stdout)
    assert row.groups() == (f"{written['valid/rmse']:.4f}", f"{written['test/rmse']:.4f}")
    assert str(folder) in done.stdout
    assert "Seconds: read" in done.stdout
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["config.yaml", "curves.json", "environment.json", "metrics.json", "model", "run.json", "run.log"]


def test_json_prints_the_metrics_and_nothing_else(cli):
    done = cli(*TOY, "--json")
    (folder,) = folders(cli)
    assert json.loads(done.stdout) == json.loads((folder / "metrics.json").read_text())


def test_a_wrong_setting_is_one_line_and_leaves_no_folder(cli):
    done = cli(*TOY, "model.epochs=0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mfx: ToyModel.epochs=0 must be at least 1.\n"
    assert not folders(cli)


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["model=toy_modle"], 2, "Did you mean 'toy_model'?"),
        (["--jsno"], 2, "Did you mean '--json'?"),
        (["--config-dir", "nowhere"], 2, "no folder"),
        (["--config-dir"], 2, "expected one argument"),
        (["hydra/launcher=nope"], 2, "no hydra/launcher called 'nope'"),
        (["dataset.fails=true"], 1, "The toy data set is broken. Set dataset.fails=false."),
        (["model.raises=true"], 1, "ZeroDivisionError: a bug"),
        (["split.leaks=true"], 1, "ratings of valid are in another part too, or twice in it"),
        (["dataset.interrupts=true"], 130, "interrupted"),
    ],
)
def test_errors_are_one_line_on_standard_error(cli, arguments, status, part):
    done = cli(*TOY, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1
    assert part in done.stderr


def test_debug_shows_the_traceback(cli):
    done = cli(*TOY, "model.raises=true", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "flow_plugin.py" in done.stderr


def test_notes_stand_below_the_table_of_one_run_and_once_below_that_of_several(cli):
    rows = [f"{user},{item},{(user * item) % 5 + 1},{item}" for user in range(20) for item in range(15)]
    (cli.folder / "r.csv").write_text("\n".join(["user_id,item_id,rating,timestamp", *rows, "1,99,x,3"]))
    given = [one for one in TOY if not one.startswith("dataset=")]
    given += ["dataset=table", "dataset.path=r.csv", "dataset.on_bad_rows=drop"]
    note = "Note: The data set left out 1 rows: rating is no number (on_bad_rows=drop).\n"
    for words in ([], ["-m", "model.epochs=2,4"]):
        done = cli(*words[:1], *given, *words[1:])
        assert done.stdout.count(note) == 1, done.stderr


def test_presets_in_a_folder_of_the_user(cli):
    (cli.folder / "mine" / "model").mkdir(parents=True)
    (cli.folder / "mine" / "model" / "quick.yaml").write_text("# few epochs\ndefaults: [toy_model]\nepochs: 2\n")
    done = cli("--config-dir", "mine", *TOY, "model=quick", "--json")
    assert json.loads(done.stdout)["fit/epochs"] == 2
    listed = cli("list", "model", "--config-dir", "mine").stdout
    assert re.search(r"quick .*few epochs", listed)


def test_studies_are_chosen_with_experiment(cli):
    (cli.folder / "mine" / "experiment").mkdir(parents=True)
    study = "# @package _global_\nmodel:\n  epochs: 2\nseed: 5\n"
    (cli.folder / "mine" / "experiment" / "small.yaml").write_text(study)
    done = cli("--config-dir", "mine", *TOY, "experiment=small", "--cfg", "job")
    assert "epochs: 2" in done.stdout
    assert "\nseed: 5" in done.stdout


def test_list_names_package_settings_defaults_and_ranges(cli):
    text = cli("list").stdout
    assert "toy_model  [flow-plugin]  Mean and biases" in text
    assert re.search(r"learning_rate +=.*0.02 +float; > 0; search 0.001 to 0.1, log", text)
    found = json.loads(cli("list", "model", "--json").stdout)
    (model,) = [one for one in found["components"] if one["name"] == "toy_model"]
    assert model["package"] == "flow-plugin"
    assert model["settings"]["learning_rate"]["search"] == {"low": 0.001, "high": 0.1, "log": True}
    assert {one["kind"] for one in found["components"]} == {"model"}
    assert "Did you mean 'model'?" in cli("list", "modle").stderr


def test_a_broken_plugin_is_named_and_skipped(cli):
    site = cli.folder.parent / "site"
    info = site / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mfx.plugins]\nbroken = broken_plugin\n")
    (site / "broken_plugin.py").write_text("raise RuntimeError('half made')\n")
    done = cli("list", "model")
    assert done.returncode == 0
    assert "package 'broken' is left out: RuntimeError: half made" in done.stderr
    assert "toy_model" in done.stdout
    assert cli(*TOY).returncode == 0


def test_a_sweep_is_a_parent_with_children_and_groups(cli):
    log = cli.folder / "log.txt"
    done = cli("-m", *TOY, f"tracking.log={log}", "model.epochs=2,4", "seed=1,2")
    assert done.returncode == 0, done.stderr
    *children, parent = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(children) == 4
    assert {child["parent"] for child in children} == {parent["id"]}
    assert (parent["parent"], parent["status"]) == (None, "FINISHED")
    (folder,) = folders(cli)
    groups = json.loads((folder / "summary" / "summary.json").read_text())["groups"]
    assert [(group["label"], group["runs"]) for group in groups] == [("model.epochs-2", 2), ("model.epochs-4", 2)]
    runs = [json.loads(path.read_text())["test/rmse"] for path in sorted(folder.glob("*/metrics.json"))]
    assert sum(group["mean"]["test/rmse"] for group in groups) / 2 == pytest.approx(sum(runs) / 4)
    assert "±" in done.stdout
    written = (folder / "summary" / "runs.csv").read_text().splitlines()
    assert [line.split(",")[3] for line in written] == ["rmse", *(f"{value:.4f}" for value in runs)]


def test_a_failing_run_does_not_stop_the_sweep(cli):
    done = cli("-m", *TOY, "model.raises=true,false", "dataset.users=1,60", "--json")
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert len(told) == 5
    assert told[-1] == "mfx: 3 of 4 runs failed."
    summary = json.loads(done.stdout)
    assert [group["runs"] for group in summary["groups"]] == [1]
    assert len(summary["failures"]) == 3


def test_runs_of_a_sweep_on_other_data_are_refused_and_in_no_mean(cli):
    words = ("-m", *TOY, "model.epochs=2,4", "hydra.sweep.dir=runs/together", "--json")
    done = cli(*words, MFX_TOY_DRIFT="1")  # the data change after the first run
    assert done.returncode == 1
    assert "model.epochs=4: mfx: The data have changed since the runs in" in done.stderr
    summary = json.loads(done.stdout)
    assert [(one["label"], one["runs"]) for one in summary["groups"]] == [("all", 1)]
    again = json.loads(cli(*words, MFX_TOY_DRIFT="0").stdout)
    assert (again["groups"], len(again["failures"])) == ([], 2), "what the folder held before counts as no run"


def test_passwords_in_what_was_typed_are_in_no_file_of_a_sweep(cli):
    done = cli("-m", *TOY, "model.raises=true,false", "+tags.source=http://ann:secret@host/x", "--json")
    assert "1 of 2 runs failed" in done.stderr
    files = [path for path in (cli.folder / "runs").rglob("*") if path.is_file()]
    assert {"multirun.yaml", "failure.json", "config.yaml"} <= {path.name for path in files}
    assert [path.name for path in files if b"secret" in path.read_bytes()] == []
    assert "secret" not in done.stdout + done.stderr


def test_a_wrong_choice_in_a_sweep_is_one_line(cli):
    done = cli("-m", *TOY, "model=toy_model,nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mfx: There is no model called 'nope'.")
    assert done.stderr.count("\n") == 1


def test_interrupting_a_sweep_closes_its_parent(cli):
    log = cli.folder / "log.txt"
    done = cli("-m", *TOY, f"tracking.log={log}", "dataset.interrupts=true,false")
    assert done.returncode == 130
    ended = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["status"] for one in ended] == ["KILLED", "KILLED"]


def test_ctrl_c_ends_a_run_as_killed(cli):
    log = cli.folder / "log.txt"
    code = (
        "import pathlib, signal, sys, threading, time\n"
        "def interrupt():\n"
        "    while not pathlib.Path('sleeping').exists():\n"
        "        time.sleep(0.1)\n"
        "    time.sleep(0.5)\n"
        "    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)\n"
        "threading.Thread(target=interrupt, daemon=True).start()\n"
        "from mfx.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = cli(*TOY, f"tracking.log={log}", "dataset.sleeps=600", code=code)
    assert done.returncode == 130
    assert json.loads(log.read_text())["status"] == "KILLED"


def test_two_runs_of_one_second_have_folders_of_their_own(cli):
    code = "import subprocess, sys\ncall = [sys.executable, '-m', 'mfx.cli.main', *sys.argv[1:]]\n"
    code += "sys.exit(max(p.wait() for p in [subprocess.Popen(call) for _ in range(3)]))"
    done = cli(*TOY, "model.epochs=1", code=code)
    assert done.returncode == 0, done.stderr
    assert len(folders(cli)) == 3


def test_a_reader_that_leaves_early_causes_no_traceback(cli):
    code = "import subprocess, sys\ncall = [sys.executable, '-m', 'mfx.cli.main', 'list']\n"
    code += "p = subprocess.Popen(call, stdout=-1, stderr=-1)\np.stdout.close()\nprint(p.stderr.read().decode())"
    assert "Traceback" not in cli(code=code).stdout


def test_unexpected_errors_point_to_debug(capsys):
    assert cli_main.complain(RuntimeError("two\nlines"), debug=False) == 1
    assert (
        capsys.readouterr().err
        == "mfx: RuntimeError: two lines (a defect of MFX or of a plugin; --debug shows where)\n"
    )


def test_a_full_disk_is_no_defect_and_the_line_says_what_to_do(capsys):
    assert cli_main.complain(OSError(errno.ENOSPC, "No space left on device", "runs/x.json"), debug=False) == 1
    told = capsys.readouterr().err
    assert told.startswith("mfx: runs/x.json cannot be used: No space left on device. Free disk space, then")
    assert told.count("\n") == 1


def test_a_plugin_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    written = []

    def full(path, text):
        written.append(path)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    with monkeypatch.context() as patch:
        patch.setattr(new, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            new.make_plugin("mine", tmp_path)
    assert not list(tmp_path.iterdir())
    assert (new.make_plugin("mine", tmp_path) / "pyproject.toml").is_file()


def test_runs_that_differ_in_seed_or_fold_form_a_group():
    def one(value, **settings):
        flat = {"model.name": "als", "model.seed": settings.get("seed", "1"), "split.fold": "0", **settings}
        return flat, {"test/rmse": value}

    runs = [one(1.0, seed="1"), one(2.0, seed="2"), one(6.0, seed="1", **{"split.fold": "1"})]
    (group,) = sweep.grouped(runs)
    assert (group.label, group.runs) == ("all", 3)
    assert group.mean["test/rmse"] == 3.0
    assert group.spread["test/rmse"] == pytest.approx(7**0.5)
    groups = list(sweep.grouped([*runs, one(5.0, **{"model.name": "bias"})]))
    assert [(group.label, group.runs, group.spread) for group in groups][1] == ("bias", 1, {})


def test_published_folds_form_a_group_with_the_files_that_follow_them():
    """If only one run of each model came to its end, on another fold each, they still are two groups."""
    swept, runs = ["model", "tags.fold"], []
    for number, (model, fold) in enumerate(itertools.product(("bias", "als"), range(1, 6))):
        choices = ["experiment=leaderboard_ml_100k", f"model={model}", f"tags.fold={fold}"]
        runs.append((compose.flatten(compose.complete(compose.compose(choices))), {"test/rmse": float(number)}))
    groups = list(sweep.grouped(runs, swept))
    assert [(group.label, group.runs, group.mean["test/rmse"]) for group in groups] == [
        ("bias", 5, 2.0),
        ("als", 5, 7.0),
    ]
    assert [group.runs for group in sweep.grouped([runs[0], runs[6]], swept)] == [1, 1]


def test_labels_name_what_differs():
    settings = [
        {"model.name": "als", "model.reg": "1", "refit": "true"},
        {"model.name": "als", "model.reg": "2", "refit": "true"},
        {"model.name": "bias", "model.reg": "9", "refit": "true"},
    ]
    assert sweep.labels(settings) == ["als model.reg-1", "als model.reg-2", "bias model.reg-9"]
    assert sweep.labels([settings[0], settings[2]]) == ["als", "bias"]
