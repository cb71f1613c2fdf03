import sys
import time

import numpy as np
import pytest

from mfx.tracking import stages
from mfx.tracking.stages import StageClock


def test_metrics_name_each_stage_in_order():
    clock = StageClock()
    for name in ("read", "fit", "read"):
        with clock.stage(name):
            pass
    seconds = [key for key in clock.metrics() if key.startswith("seconds/")]
    assert seconds == ["seconds/read", "seconds/fit"]
    assert clock.method != "none" or list(clock.metrics()) == seconds


def test_seconds_of_repeated_and_nested_stages(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 7.0, 10.0, 11.0])
    monkeypatch.setattr(stages.time, "perf_counter", lambda: next(now))
    clock = StageClock()
    with clock.stage("outer"), clock.stage("inner"):
        pass
    with clock.stage("inner"):
        pass
    metrics = clock.metrics()
    assert metrics["seconds/outer"] == 7.0
    assert metrics["seconds/inner"] == 2.0 + 1.0


def test_a_stage_that_raises_is_recorded():
    clock = StageClock()
    with pytest.raises(ValueError, match="no"), clock.stage("fit"):
        raise ValueError("no")
    assert "seconds/fit" in clock.metrics()
    with clock.stage("next"):
        time.sleep(0.001)
    assert clock.metrics()["seconds/next"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the high-water mark")
def test_peak_belongs_to_its_stage():
    clock = StageClock()
    if clock.method != "stage":
        pytest.skip("this kernel does not let a process reset its high-water mark")
    with clock.stage("before"):
        pass
    with clock.stage("outer"):
        block = np.ones(25_000_000)
        del block
        with clock.stage("inner"):
            pass
    with clock.stage("after"):
        pass
    peak = clock.metrics()
    assert peak["peak_mb/outer"] - peak["peak_mb/before"] > 180
    assert peak["peak_mb/outer"] - peak["peak_mb/inner"] > 180
    assert peak["peak_mb/outer"] - peak["peak_mb/after"] > 180


def test_where_peaks_cannot_be_reset_the_process_is_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(stages, "_CLEAR", tmp_path / "none" / "clear_refs")
    clock = StageClock()
    assert clock.method == "process"
    with clock.stage("read"):
        pass
    assert clock.metrics()["peak_mb/read"] > 10


def test_stages_are_announced_when_they_begin():
    told: list[str] = []
    clock = StageClock(told.append)
    with clock.stage("read"):
        assert told == ["read"]
        with clock.stage("check"):
            assert told == ["read", "check"]
    assert set(clock.metrics()) >= {"seconds/read", "seconds/check"}
