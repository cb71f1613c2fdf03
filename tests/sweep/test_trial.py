import errno
import json
import sys

import pytest

from mfx import compose
from mfx.sweep import trial
from mfx.sweep.study import Study


def test_trials_are_given_train_and_valid_of_the_split_and_no_test(toy):
    plan = compose.build(compose.compose(toy.choices))
    whole, (split, _) = plan.splitter.split(plan.dataset.load()), trial.prepared(plan)
    assert len(whole.test) > 0 == len(split.test)
    assert (split.train.rows_fingerprint, split.valid.rows_fingerprint) == (
        whole.train.rows_fingerprint,
        whole.valid.rows_fingerprint,
    )


def test_a_model_that_ends_python_is_a_trial_that_failed(toy, monkeypatch, tmp_path):
    monkeypatch.setattr(toy.ToyModel, "fit", lambda *given, **options: sys.exit(3))
    record = trial.run(compose.compose([*toy.choices, "metrics=[rmse]"]), tmp_path, prune=False)
    assert (record["status"], record["value"], record["error"]) == ("failed", None, "SystemExit: 3")
    assert json.loads((tmp_path / "result.json").read_text()) == record


def test_a_trial_on_other_data_is_refused_and_counts_as_not_run(toy, monkeypatch, tmp_path):
    study = Study(tmp_path, None, False, [])
    (tmp_path / "study.json").write_text("{}")
    config = compose.compose([*toy.choices, "metrics=[rmse]"])
    monkeypatch.setattr(trial, "_prepared", {})
    statuses = []
    for number, drift in enumerate(["9", "9", "0"]):
        monkeypatch.setenv("MFX_TOY_DRIFT", drift)
        study.place(number).mkdir(parents=True)
        statuses.append(trial.run(config, study.place(number), prune=False)["status"])
        trial._prepared.clear()
    assert statuses == ["complete", "complete", "refused"]
    assert study.take_back(1) is None
    assert study.result(1)["status"] == "complete"
    assert "The data have changed" in study.take_back(2)
    assert study.result(2) is None
    study.close()


def test_a_full_disk_is_no_failure_of_the_trial(toy, monkeypatch, tmp_path):
    def full(*given, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(toy.ToyModel, "fit", full)
    with pytest.raises(OSError, match="No space"):
        trial.run(compose.compose([*toy.choices, "metrics=[rmse]"]), tmp_path, prune=False)
    assert not list(tmp_path.iterdir())
