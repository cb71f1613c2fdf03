"""Where seconds go: each is one of kernels, transfer and waiting."""

from mfx.cli.progress import _speed
from mfx.engine.times import Times


def test_seconds_add_up_to_those_of_the_updates():
    times = Times()
    times.add(2.0, by_worker={1: (1.0, 0.25), 2: (0.5, 0.25)}, moved=0.25, rows=30)
    times.add(1.0, by_worker={1: (1.0, 0.0)}, moved=0.0, rows=30)
    assert times.take() == {
        "seconds/epoch_compute": 1.75,
        "seconds/epoch_transfer": 0.5,
        "seconds/epoch_wait": 0.75,
        "engine/workers": 2.0,
        "engine/rows_per_second": 20.0,
    }
    assert times.take() == {}


def test_progress_tells_speed_and_workers_where_there_are_any():
    assert _speed({}) == ""
    assert _speed({"engine/workers": 4.0, "engine/rows_per_second": 12345.6}) == " · 12,346 rows/s, 4 workers"
