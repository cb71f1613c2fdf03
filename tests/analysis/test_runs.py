import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import mfx
from mfx.analysis.explore import study
from mfx.analysis.runs import RunError, find, finished, studies
from mfx.errors import DataError, ModelError

QUICK = ("dataset=toy", "split=toy_split", "model=bias", "model.epochs=2", "tracking=console", "figures=false")


@pytest.fixture
def place(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def run(place):
    return lambda *overrides: mfx.run(*QUICK, *overrides)


def test_a_run_is_found_by_whatever_is_at_hand(run, place):
    older, newer = run("run_name=older"), run("run_name=newer")
    below_runs = older.directory.relative_to(place / "runs")
    token = older.directory.name.rpartition("_")[2]
    for reference in (
        str(older.directory),
        f"runs/{below_runs}",
        str(below_runs),
        older.directory.name,
        token,
        older.run_id,
        older.run_id[:8],
        "older",
        f"  {older.run_id}  ",
    ):
        assert find(reference).folder == older.directory, reference
    assert find("last").folder == newer.directory
    assert [one.folder for one in finished()] == [newer.directory, older.directory]


@pytest.mark.parametrize("wanted", ["b", "bbb", "temporal"])
def test_the_last_word_of_a_folder_of_a_sweep_is_no_token(run, place, wanted):
    """Only a folder TIME_NAME_TOKEN ends in a token; a finished run and one that failed are passed by alike."""
    sweep = place / "runs" / "2026-01-01" / "10-00-00_sweep_0123"
    sweep.mkdir(parents=True)
    shutil.copytree(run().directory, sweep / f"0_als_{wanted}")
    shutil.copytree(sweep / f"0_als_{wanted}", sweep / f"1_als_{wanted}")
    (sweep / f"1_als_{wanted}" / "metrics.json").unlink()
    for identity in sweep.glob("*/run.json"):
        identity.unlink()
    with pytest.raises(RunError, match=f"There is no run '{wanted}'"):
        find(wanted)
    assert find(f"0_als_{wanted}").folder == sweep / f"0_als_{wanted}"
    with pytest.raises(RunError, match="is not finished"):
        find(f"1_als_{wanted}")


def test_an_exploration_is_no_run(run, place):
    made = run("run_name=made")
    explored = study.run("dataset=toy", "split=toy_split", "tracking=console")
    assert find("last").folder == made.directory
    assert find("made").folder == made.directory
    with pytest.raises(RunError, match="is an exploration of a data set, not a run"):
        find(str(explored.directory))


def test_a_run_tells_its_settings_numbers_model_and_split(run):
    result = run()
    found = find("last")
    assert found.config == result.settings
    assert found.metrics == result.metrics
    assert found.objective == result.objective
    assert found.run_id == result.run_id
    assert found.name == "bias_toy_split"
    np.testing.assert_array_equal(found.model.item_table_, result.model.item_table_)
    assert found.split.fingerprint == result.split.fingerprint
    assert found.fitted_on.rows_fingerprint == result.split.train_and_valid.rows_fingerprint
    assert found.caption == "toy, toy_split split, bias fitted on train and valid"


def test_the_ratings_of_a_run_without_refit_are_those_of_train(run):
    run("refit=false")
    assert find("last").fitted_on.rows_fingerprint == find("last").split.train.rows_fingerprint


def test_a_run_that_wrote_no_identity_is_found_by_name(run):
    result = run()
    (result.directory / "run.json").unlink()
    found = find("bias_toy_split")
    assert found.folder == result.directory
    assert found.name == "bias_toy_split"
    assert found.run_id is None
    assert found.split.fingerprint == result.split.fingerprint


def test_several_runs_of_one_name_are_listed(run):
    paths = {str(run().directory.relative_to(Path("runs").absolute())) for _ in range(2)}
    with pytest.raises(RunError, match="2 runs are called 'bias_toy_split'") as error:
        find("bias_toy_split")
    assert all(path in error.value.hint for path in paths)


def test_an_unknown_run_costs_one_line_that_says_what_exists(run):
    result = run("run_name=mine")
    with pytest.raises(RunError, match="There is no run 'mines'") as error:
        find("mines")
    assert "Did you mean 'mine'?" in error.value.hint
    assert result.directory.name in error.value.hint
    assert "\n" not in str(error.value)


def test_a_last_run_from_the_future_is_told(run, caplog):
    made = run()
    assert find("last").folder == made.directory
    assert not caplog.text
    ahead = time.time() + 3600
    os.utime(made.directory / "metrics.json", (ahead, ahead))
    assert find("last").folder == made.directory
    assert "The clock has been set back" in caplog.text


@pytest.mark.parametrize("reference", ["last", "ab12", "best of this", ""])
def test_without_any_run_the_error_says_so(place, reference):
    with pytest.raises(RunError, match=r"no finished run|no study"):
        find(reference)
    assert not (place / "runs").exists()


def test_a_run_that_failed_is_named_as_such(run):
    with pytest.raises(DataError):
        run("dataset.fails=true", "run_name=broken")
    (folder,) = [path.parent for path in Path("runs").glob("*/*/config.yaml")]
    for reference in (str(folder), folder.name, folder.name.rpartition("_")[2]):
        with pytest.raises(RunError, match="is not finished"):
            find(reference)
    with pytest.raises(RunError, match="no finished run"):
        find("last")


def test_a_model_that_was_not_kept_or_is_damaged(run):
    mfx.run(*[word for word in QUICK if "model." not in word], "model=toy_ranking")
    with pytest.raises(RunError, match="kept no model"):
        _ = find("last").model
    result = run()
    (result.directory / "model" / "arrays.npz").write_bytes(b"")
    with pytest.raises(ModelError, match="damaged"):
        _ = find("last").model


def test_data_that_changed_since_are_refused(run):
    result = run()
    identity = json.loads((result.directory / "run.json").read_text())
    (result.directory / "run.json").write_text(json.dumps(identity | {"fingerprints": {"split": "0" * 32}}))
    with pytest.raises(DataError, match="have changed"):
        _ = find("last").split


def test_damaged_files_are_named(run):
    result = run()
    (result.directory / "metrics.json").write_text("[1]")
    with pytest.raises(RunError, match=r"metrics\.json cannot be read"):
        _ = find("last").metrics
    (result.directory / "config.yaml").write_text("a: [")
    with pytest.raises(RunError, match=r"config\.yaml cannot be read"):
        _ = find("last").config


def test_a_setting_that_no_longer_exists_is_named(run):
    result = run()
    path = result.directory / "config.yaml"
    path.write_text(path.read_text().replace("bias_reg:", "no_such_reg:"))
    with pytest.raises(RunError, match=r"cannot be composed again.*no_such_reg"):
        find("last").plan()


def test_the_best_of_a_study(run, place):
    study = place / "runs" / "sweeps" / "my_study"
    study.mkdir(parents=True)
    (study / "study.json").write_text("{}")
    assert studies() == ["my_study"]
    with pytest.raises(RunError, match="'my_study' is not finished"):
        find("best of my_study")
    result = run()
    shutil.move(result.directory, study / "best")
    for reference in ("best of my_study", "my_study", "sweeps/my_study", str(study), "sweeps/my_study/best", "last"):
        assert find(reference).folder == study / "best", reference
    with pytest.raises(RunError, match="no study 'my_stud'") as error:
        find("best of my_stud")
    assert "Did you mean 'my_study'?" in error.value.hint


def test_runs_that_mlflow_knows(run, place):
    kept, gone = run("tracking=mlflow", "run_name=kept"), run("tracking=mlflow", "run_name=gone")
    with pytest.raises(DataError):
        run("tracking=mlflow", "run_name=failed", "dataset.fails=true")
    copy = place / "runs" / "artifacts" / "mfx" / gone.run_id / "artifacts"
    assert find("last").folder == gone.directory  # and not MLflow's copy
    assert find(kept.run_id[:12]).folder == kept.directory
    shutil.rmtree(gone.directory)
    for reference in ("gone", gone.run_id, gone.run_id[:10]):
        with pytest.raises(RunError, match=r"'gone', has no folder below .*runs any more") as error:
            find(reference)
        assert error.value.hint == f"MLflow kept a copy of its files: run={copy}"
    assert find(str(copy)).metrics == gone.metrics
    for path in (place / "runs").glob("*/*_failed_*"):
        shutil.rmtree(path)
    with pytest.raises(RunError, match="is not finished: it is failed"):
        find("failed")
    for wanted in ("nobody", kept.run_id[0], gone.run_id[:3]):
        with pytest.raises(RunError, match=f"There is no run '{wanted}'"):
            find(wanted)
    with pytest.raises(DataError):
        run("tracking=mlflow", "run_name=gone", "dataset.fails=true")
    for path in (place / "runs").glob("*/*_gone_*"):
        shutil.rmtree(path)
    with pytest.raises(RunError, match="'gone', has no folder below"):
        find("gone")  # the one that finished
