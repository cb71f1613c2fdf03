"""Broken plugins of each sort: one line each, and the main job still runs."""

import inspect
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TOY = ("dataset=toy", "split=toy_split", "model=toy_model", "tracking=toy_tracking", "metrics=[rmse]", "figures=false")
HEAD = """
from dataclasses import dataclass
import mfx
"""
MODEL = """
@mfx.register("model", "{name}")
@dataclass(kw_only=True)
class Broken(mfx.Component):
    predicts = "ratings"
    objective = "rmse"
    {setting}
    def fit(self, train, *, on_epoch=None): return self
    def score_users(self, users): return None
    def score_pairs(self, users, items): return None
"""
SORTS = {
    "raises": ("raise RuntimeError('half\\nmade')", "RuntimeError: half made"),
    "syntax": ("def (:", "SyntaxError"),
    "missing": ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "clashes": (HEAD + MODEL.format(name="als", setting=""), "Two components are called model 'als'"),
    "kind": (HEAD + "mfx.register('modle', 'x')", "no kind of component called 'modle'"),
    "lies": (
        HEAD + "@mfx.register('model', 'liar')\n@dataclass(kw_only=True)\nclass Liar(mfx.Component):\n    pass\n",
        "is no model: it lacks fit, score_users, score_pairs, predicts, objective",
    ),
    "abstract": (
        HEAD + "@mfx.register('model', 'half')\n@dataclass(kw_only=True)\nclass Half(mfx.Recommender):\n"
        "    predicts = 'ratings'\n    objective = 'rmse'\n",
        "it lacks learn, score_users",
    ),
    "no dataclass": (
        "import mfx\n" + MODEL.replace("@dataclass(kw_only=True)\n", "").format(name="plain", setting="size: int = 3"),
        "Broken is not a dataclass",
    ),
    "uncomposable": (
        HEAD + MODEL.format(name="odd", setting="size: complex = mfx.setting(1j)"),
        "cannot be composed",
    ),
    "no default": (HEAD + MODEL.format(name="open", setting="size: int"), "has no default"),
}


def install(cli, name, code, requires=(), conf=None):
    """Put a plugin of one module, or with `conf` of one package, where the command finds it."""
    site = cli.folder.parent / "site"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    lines = [f"Requires-Dist: {one}" for one in requires]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *lines]) + "\n")
    (info / "entry_points.txt").write_text(f"[mfx.plugins]\n{name} = {name}_plugin\n")
    if conf is None:
        (site / f"{name}_plugin.py").write_text(code)
        return
    package = site / f"{name}_plugin"
    package.mkdir()
    (package / "__init__.py").write_text(code)
    for place, text in conf.items():
        path = package / "conf" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def told(done):
    return [line for line in done.stderr.splitlines() if "is left out" in line]


def test_each_sort_is_one_line_and_the_main_job_runs(cli):
    names = {sort.replace(" ", "_"): sort for sort in SORTS}
    for name, sort in names.items():
        install(cli, name, SORTS[sort][0])
    done = cli(*TOY, "--json")
    assert done.returncode == 0, done.stderr
    assert "test/rmse" in json.loads(done.stdout)
    lines = told(done)
    assert len(lines) == len(done.stderr.splitlines())
    for name, sort in names.items():
        (mine,) = [line for line in lines if f"of package '{name}' is left out" in line]
        assert SORTS[sort][1] in mine
    doctor = cli("doctor")
    assert doctor.returncode == 1
    assert doctor.stdout.count("BAD") == len(lines)
    assert "ok  flow: flow-plugin 1.0, flow_plugin:" in doctor.stdout


@pytest.mark.parametrize(
    ("requires", "fits"),
    [("mfx>=0.1,<1", True), ("mfx>=7,<8", False), ("mfx<0.0.1", False), ("mfx>=7; extra == 'test'", True)],
)
def test_a_plugin_for_another_version_is_refused_by_name(cli, requires, fits):
    # Were it imported, the line would tell of the RuntimeError.
    install(cli, "other", "raise RuntimeError('imported')", [requires, "numpy"])
    (line,) = told(cli("list", "split"))
    assert "of package 'other'" in line
    assert ("imported" in line) is fits
    assert ("built for mfx" in line) is not fits


def test_one_variable_switches_all_plugins_off(cli):
    install(cli, "raises", "raise RuntimeError('x')")
    done = cli("list", "model", MFX_PLUGINS="off")
    assert (done.returncode, done.stderr) == (0, "")
    assert "toy_model" not in done.stdout
    assert "genre_als" in done.stdout
    assert "left out" in cli("doctor", MFX_PLUGINS="off").stdout
    wrong = cli("list", MFX_PLUGINS="maybe")
    assert wrong.returncode != 0
    assert "MFX_PLUGINS=maybe is neither on nor off" in wrong.stderr


PRESET = "# Few epochs.\ndefaults: [toy_model]\nepochs: 2\n"
STUDY = "# @package _global_\n# A study.\ndefaults:\n  - override /model: quick\nseed: 5\n"


def test_configuration_of_a_plugin_is_found(cli):
    install(cli, "good", "", conf={"model/quick.yaml": PRESET, "experiment/study.yaml": STUDY})
    choices = [choice for choice in TOY if not choice.startswith("model")]
    done = cli("experiment=study", *choices, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fit/epochs"] == 2
    listed = cli("list").stdout
    assert "Few epochs." in listed
    assert "EXPERIMENT  experiment=NAME" in listed
    assert "A study." in listed
    assert "2 configuration files" in cli("doctor").stdout
    code = f"import mfx; print(mfx.run('experiment=study', *{choices!r}).settings['seed'])"
    assert cli(code=code).stdout.strip() == "5"


@pytest.mark.parametrize(
    ("place", "owner"),
    [
        ("model/als.yaml", "the model 'model/als'"),
        ("dataset/ml_100k.yaml", "MFX's own 'dataset/ml_100k'"),
        ("config.yaml", "MFX's own 'config'"),
        ("hydra/job_logging/mfx.yaml", "MFX's own 'hydra/job_logging/mfx'"),
        ("model/quick.yaml", "'model/quick' of package 'first'"),
    ],
)
def test_configuration_that_would_hide_another_is_left_out_by_name(cli, place, owner):
    install(cli, "first", "", conf={"model/quick.yaml": PRESET})
    install(cli, "second", "", conf={place: "name: toy_model\n"})
    done = cli(*TOY[:2], "model=quick", *TOY[3:], "--json")
    assert json.loads(done.stdout)["fit/epochs"] == 2
    (line,) = told(done)
    assert "of package 'second' is left out: Its configuration is not used: " in line
    assert f"is called like {owner}" in line


def test_a_users_folder_may_not_hide_a_plugins_preset(cli):
    install(cli, "first", "", conf={"experiment/study.yaml": STUDY, "model/quick.yaml": PRESET})
    (cli.folder / "mine" / "experiment").mkdir(parents=True)
    (cli.folder / "mine" / "experiment" / "study.yaml").write_text("# @package _global_\nseed: 6\n")
    done = cli("--config-dir", "mine", *TOY, "experiment=study")
    assert done.returncode == 2
    assert "study.yaml is called like a file of package 'first'" in done.stderr


def test_a_module_imported_by_hand_cannot_take_a_built_ins_name(cli):
    install(cli, "early", HEAD + MODEL.format(name="als", setting=""))
    code = "import mfx\ntry:\n    import early_plugin\nexcept mfx.PluginError as error:\n    print(error)\n"
    code += "print(mfx.create('model', 'als').factors)"
    done = cli(code=code)
    assert done.returncode == 0, done.stderr
    told_off, factors = done.stdout.splitlines()
    assert "Two components are called model 'als': mfx.models.als.ALS of package 'mfx'" in told_off
    assert factors == "40"


def test_the_door_is_typed_and_says_what_is_missing():
    import mfx

    for name in mfx.__all__:
        assert getattr(mfx, name) is not None
    assert set(mfx.__all__) <= set(dir(mfx))
    for name in mfx.solver.__all__:
        assert getattr(mfx.solver, name).__doc__ or name == "Ridge"
    public = [getattr(door, name) for door in (mfx, mfx.solver) for name in door.__all__]
    functions = list(filter(inspect.isfunction, public))
    assert len(functions) > 15
    for one in functions:
        missing = [name for name in inspect.signature(one).parameters if name not in one.__doc__]
        assert not missing, f"{one.__name__} does not say what {', '.join(missing)} is"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mfx.nothing
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mfx.solver.nothing


def test_testing_without_pytest_says_so():
    code = "import sys; sys.modules['pytest'] = None\nimport mfx.testing"
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert "mfx.testing needs pytest, which is not installed. Run pip install pytest." in done.stderr
