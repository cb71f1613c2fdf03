from types import SimpleNamespace

import pytest

from mfx.errors import TrackingError
from mfx.interfaces import RunInfo
from mfx.sweep.study import Study
from mfx.sweep.tracked import TrackedSweep

RECORD = {"status": "complete", "curves": {"valid/rmse": [2.0, 1.0]}, "metrics": {"valid/rmse": 1.0}}


class Store:
    """A tracker whose calls of one name fail as long as `locked` says so."""

    def __init__(self, fails):
        self.fails, self.locked, self.runs = fails, True, []

    def start(self, info):
        self._call("start of the parent" if info.parent is None else "start of a trial")
        log = self.log_metrics
        self.runs.append(SimpleNamespace(info=info, run_id=info.name, status=None, log_metrics=log, where=str))
        run = self.runs[-1]

        def finish(status):
            self._call("finish")
            run.status = status

        run.finish = finish
        return run

    def log_metrics(self, values, step=0):
        self._call("metrics")

    def discard(self, experiment, tags, parent=None):
        self.runs = [one for one in self.runs if one.status is not None or not tags.items() <= one.info.tags.items()]

    def _call(self, name):
        if self.locked and name == self.fails:
            raise TrackingError(f"{name}: the database is locked.")


@pytest.mark.parametrize("fails", ["start of the parent", "start of a trial", "metrics", "finish"])
def test_a_store_that_is_locked_for_a_while_ends_no_sweep(fails, tmp_path, caplog):
    store, study = Store(fails), Study(tmp_path, None, False, [])
    info = RunInfo("e", "parent", {}, {"objective": "rmse"}, None, tmp_path)
    tracked = TrackedSweep(store, info, study)
    for number in range(3):
        study.place(number).mkdir(parents=True)
        tracked.trial(number, RECORD, "random", {})
    with pytest.raises(TrackingError, match=f"{fails}: the database is locked"):
        tracked.wait()
    assert len([one for one in caplog.records if "The sweep goes on" in one.getMessage()]) == 1
    store.locked = False
    tracked.wait()
    tracked.close("FINISHED")
    study.close()
    ended = sorted((one.run_id, one.status) for one in store.runs)
    trials = [(f"trial {number} random", "FINISHED") for number in range(3)]
    assert ended == [("parent", "FINISHED"), *trials], "every trial is there once"
