"""Runs that are cut off at any epoch go on to the numbers of a run that was left alone."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest

import mfx
from mfx import checkpoint
from mfx.checkpoint import Checkpoint, CheckpointError
from mfx.errors import DataError, RunGone

CHOICES = ("metrics=[rmse,ndcg@10]", "early_stopping.patience=3", "checkpoint_minutes=0")
KILLER = """
import glob, json, os, signal, sys, time
from mfx.checkpoint import Checkpoint
from mfx.cli.main import main
after, note = int(sys.argv.pop(1)), Checkpoint.note
def counted(self, *rest, **more):
    global after
    note(self, *rest, **more)
    after -= 1
    while not after and json.load(open(glob.glob("runs/checkpoints/*/run.json")[0]))["run_id"] is None:
        time.sleep(0.01)
    if not after:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.note = counted
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def run(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *overrides: mfx.run(*toy.choices, *CHOICES, *overrides)


@pytest.fixture
def cut_off(run, monkeypatch):
    """Begin a run and interrupt it after so many notes of its checkpoint."""

    def cut(after, *overrides, keeps=True):
        left = [after]

        def note(self, *rest, **more):
            if keeps:
                real(self, *rest, **more)
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

        real = Checkpoint.note
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "note", note)
            with pytest.raises(KeyboardInterrupt):
                run(*overrides)

    return cut


def numbers(result):
    return {name: value for name, value in result.metrics.items() if not name.startswith(("seconds/", "peak_mb/"))}


def assert_same(one, other):
    assert numbers(one) == numbers(other)
    assert one.curves == other.curves
    for name, array in one.model.state().items():
        np.testing.assert_array_equal(array, other.model.state()[name])


MODELS = {
    "als": ("model=als", "model.factors=3", "model.reg=0.5", "model.epochs=8"),
    "bias": ("model=bias", "model.epochs=4"),
    "bpr": ("model=bpr", "model.factors=3", "model.epochs=8"),
    "without a valid part": ("model=als", "model.factors=3", "model.epochs=4", "refit=false"),
    "popularity": ("model=popularity", "metrics=[ndcg@10]"),
}


@pytest.mark.parametrize("model", MODELS)
def test_a_run_cut_off_after_any_epoch_ends_as_if_it_had_not_been(run, cut_off, model):
    whole = run(*MODELS[model])
    epochs = int(whole.metrics.get("fit/epochs", 0))
    refit = int(whole.metrics["fit/best_epoch"]) if epochs and "refit=false" not in MODELS[model] else 0
    for after in {1, epochs, epochs + 1, epochs + 1 + refit // 2, epochs + 1 + refit} - {0}:
        cut_off(after, *MODELS[model])
        again = run(*MODELS[model], "resume=true")
        assert_same(again, whole)
    assert not list(checkpoint.ROOT.iterdir())


def test_it_goes_on_and_does_not_begin_again(run, cut_off, monkeypatch):
    cut_off(3, *MODELS["als"])
    (folder,) = checkpoint.ROOT.iterdir()
    directory = json.loads((folder / "run.json").read_text())["directory"]
    begun = []
    real = mfx.ALS.passes

    def passes(self, epochs):
        for number in real(self, epochs):
            begun.append(number)
            yield number

    monkeypatch.setattr(mfx.ALS, "passes", passes)
    again = run(*MODELS["als"], "resume=true")
    assert begun[0] == 4
    assert str(again.directory) == directory


def test_a_run_that_is_cut_off_twice(run, cut_off):
    whole = run(*MODELS["als"])
    cut_off(2, *MODELS["als"])
    cut_off(2, *MODELS["als"], "resume=true")
    assert_same(run(*MODELS["als"], "resume=true"), whole)


def test_seconds_of_both_processes_count(run, cut_off, monkeypatch):
    cut_off(3, *MODELS["als"])
    (state,) = checkpoint.ROOT.glob("*/state.npz")
    with np.load(state) as archive:
        before = json.loads(bytes(archive["facts"]))["clock"]
    again = run(*MODELS["als"], "resume=true")
    assert again.metrics["seconds/fit"] > before["seconds/fit"] > 0
    assert again.metrics["seconds/read"] > before["seconds/read"] > 0


def test_other_settings_are_another_run(run, cut_off):
    cut_off(3, *MODELS["als"])
    kept = set(checkpoint.ROOT.iterdir())
    other = run(*MODELS["als"], "model.reg=0.6", "resume=true")
    assert other.settings["model"]["reg"] == 0.6
    assert set(checkpoint.ROOT.iterdir()) == kept
    assert "resume" not in other.settings
    assert "checkpoint_minutes" not in other.settings


def test_a_run_whose_store_is_gone_goes_on_as_a_new_one(run, cut_off, toy, monkeypatch, caplog):
    whole = run(*MODELS["als"])
    cut_off(3, *MODELS["als"])

    def gone(self, run_id, experiment):
        raise RunGone(f"The store has no run {run_id} any more.")

    monkeypatch.setattr(toy.ToyTracking, "reopen", gone, raising=False)
    again = run(*MODELS["als"], "resume=true")
    assert_same(again, whole)
    assert "goes on as a new one" in caplog.text
    assert json.loads((again.directory / "run.json").read_text())["run_id"] == again.run_id


def test_without_resume_a_new_run_begins(run, cut_off):
    cut_off(3, *MODELS["als"])
    (kept,) = checkpoint.ROOT.iterdir()
    first = json.loads((kept / "run.json").read_text())["directory"]
    assert str(run(*MODELS["als"]).directory) != first
    assert list(checkpoint.ROOT.iterdir()) == [kept]


def test_a_run_that_fails_before_its_first_checkpoint_leaves_none(run):
    with pytest.raises(DataError):
        run("dataset.fails=true")
    assert not list(checkpoint.ROOT.iterdir())


def test_checkpoints_are_as_far_apart_as_asked(run, cut_off):
    cut_off(3, *MODELS["als"], "checkpoint_minutes=5")
    assert not list(checkpoint.ROOT.iterdir())


def test_a_checkpoint_that_cannot_be_written_costs_a_warning(run, monkeypatch, caplog):
    def full(self, path):
        raise OSError(28, "No space left on device")

    whole = run(*MODELS["als"])
    monkeypatch.setattr(Checkpoint, "_write", full)
    assert_same(run(*MODELS["als"]), whole)
    told = [one.message for one in caplog.records if "No space left" in one.message]
    assert len(told) == 1


def test_a_run_that_still_runs_is_not_taken_over(run, monkeypatch):
    def second(self, *rest, **more):
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "note", real)
            with pytest.raises(CheckpointError, match="still runs"):
                run(*MODELS["als"], "resume=true")
        refused.append(1)

    refused, real = [], Checkpoint.note
    monkeypatch.setattr(Checkpoint, "note", second)
    run(*MODELS["als"])
    assert refused


def test_other_data_are_refused(run, cut_off, toy, monkeypatch):
    cut_off(3, *MODELS["als"])
    real = toy.Toy.load
    monkeypatch.setattr(toy.Toy, "load", lambda self: real(self).take(np.arange(1000)))
    with pytest.raises(DataError, match="data have changed"):
        run(*MODELS["als"], "resume=true")


def test_another_catalogue_is_refused_and_named(run, cut_off, toy, monkeypatch):
    cut_off(3, *MODELS["als"])
    real = toy.Toy.load

    def load(self):
        ratings = real(self)
        genres = mfx.Features.from_lists([["Drama"]] * ratings.n_items)
        return replace(ratings, catalogue=replace(ratings.catalogue, item_features={"genres": genres}))

    monkeypatch.setattr(toy.Toy, "load", load)
    with pytest.raises(DataError, match=r"have changed since the run was cut off \(catalogue.item_features.genres\)"):
        run(*MODELS["als"], "resume=true")


def test_other_versions_are_refused(run, cut_off, monkeypatch):
    from mfx.tracking import environment

    cut_off(3, *MODELS["als"])
    real = environment.facts
    monkeypatch.setattr(environment, "facts", lambda **more: real(**more) | {"version.numba": "0.1"})
    with pytest.raises(CheckpointError, match=r"numba .* is now 0\.1"):
        run(*MODELS["als"], "resume=true")


def test_other_code_is_told(run, cut_off, monkeypatch, caplog):
    from mfx.tracking import environment

    cut_off(3, *MODELS["als"])
    real = environment.facts
    monkeypatch.setattr(environment, "facts", lambda **more: real(**more) | {"code.mfx": "another"})
    run(*MODELS["als"], "resume=true")
    assert "The code of mfx has changed" in caplog.text


@pytest.mark.parametrize("name", ["run.json", "state.npz"])
@pytest.mark.parametrize("damage", ["cut", "empty", "noise"])
def test_a_damaged_checkpoint_is_refused(run, cut_off, name, damage):
    cut_off(3, *MODELS["als"])
    (path,) = checkpoint.ROOT.glob(f"*/{name}")
    whole = path.read_bytes()
    noise = bytes(byte ^ 0x55 for byte in whole[100:200])
    path.write_bytes(
        {"cut": whole[: len(whole) // 2], "empty": b"", "noise": whole[:100] + noise + whole[200:]}[damage]
    )
    with pytest.raises(CheckpointError, match="cannot be read"):
        run(*MODELS["als"], "resume=true")


def test_a_model_that_is_no_recommender_begins_again(run, cut_off):
    whole = run()
    cut_off(3)
    again = run("resume=true")
    assert numbers(again) == numbers(whole)


def test_a_model_that_counts_its_epochs_itself_begins_again_and_says_so(run, cut_off, monkeypatch, caplog):
    whole = run(*MODELS["als"])

    def passes(self, epochs):
        return iter(range(1, epochs + 1))

    monkeypatch.setattr(mfx.ALS, "passes", passes)
    cut_off(3, *MODELS["als"])
    assert_same(run(*MODELS["als"], "resume=true"), whole)
    assert "its fit begins again" in caplog.text


def runs_in_mlflow(folder):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    return client, client.search_runs([client.get_experiment_by_name("mfx").experiment_id])


@pytest.mark.slow
def test_a_killed_command_goes_on_in_the_same_folder_and_the_same_run_of_mlflow(cli):
    toy = ("dataset=toy", "split=toy_split", *CHOICES, "figures=false", "tracking.flush_seconds=0")
    arguments = [*toy, *MODELS["als"], "resume=true"]
    first = cli(*arguments, "run_name=whole", "--json")
    assert first.returncode == 0, first.stderr
    whole = {k: v for k, v in json.loads(first.stdout).items() if not k.startswith(("seconds/", "peak_mb/"))}
    epochs = int(whole["fit/epochs"])
    for after in (2, epochs):  # the second process: epochs 3 to the last, the end of the fit, one epoch of the refit
        killed = cli(str(after), *arguments, code=KILLER)
        assert killed.returncode == -signal.SIGKILL
    done = cli(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert "going on with" in done.stderr
    assert "refit, after epoch" in done.stderr
    found = json.loads(done.stdout)
    assert {name: found[name] for name in whole} == whole
    client, runs = runs_in_mlflow(cli.folder)
    (run,) = [one for one in runs if one.info.run_name != "whole"]
    assert (run.info.status, run.data.tags["resumed"]) == ("FINISHED", "2")
    assert run.data.metrics == {name.replace("@", "_at_"): value for name, value in found.items()}
    history = client.get_metric_history(run.info.run_id, "train/objective")
    assert sorted(point.step for point in history) == list(range(1, epochs + 2))
    assert len(run.inputs.dataset_inputs) == 1
    assert "error" not in run.data.tags
    assert len(list(cli.folder.glob("runs/20*/*"))) == 2
    assert not list((cli.folder / "runs" / "checkpoints").iterdir())
