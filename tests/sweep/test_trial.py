import errno
import json
import sys

import pytest

from mfx import compose
from mfx.sweep import trial


def test_trials_are_given_train_and_valid_of_the_split_and_no_test(toy):
    plan = compose.build(compose.compose(toy.choices))
    whole, split = plan.splitter.split(plan.dataset.load()), trial.prepared(plan)
    assert len(whole.test) > 0 == len(split.test)
    assert (split.train.fingerprint, split.valid.fingerprint) == (whole.train.fingerprint, whole.valid.fingerprint)


def test_a_model_that_ends_python_is_a_trial_that_failed(toy, monkeypatch, tmp_path):
    monkeypatch.setattr(toy.ToyModel, "fit", lambda *given, **options: sys.exit(3))
    record = trial.run(compose.compose([*toy.choices, "metrics=[rmse]"]), tmp_path, prune=False)
    assert (record["status"], record["value"], record["error"]) == ("failed", None, "SystemExit: 3")
    assert json.loads((tmp_path / "result.json").read_text()) == record


def test_a_full_disk_is_no_failure_of_the_trial(toy, monkeypatch, tmp_path):
    def full(*given, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(toy.ToyModel, "fit", full)
    with pytest.raises(OSError, match="No space"):
        trial.run(compose.compose([*toy.choices, "metrics=[rmse]"]), tmp_path, prune=False)
    assert not list(tmp_path.iterdir())
