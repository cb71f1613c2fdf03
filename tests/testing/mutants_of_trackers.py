"""A sound tracker, and one broken copy of it for each law; see test_mutants.py, which runs this file.

A class `Test_<law>` must fail the test `test_<law>` and no other.
"""

import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

import mfx
from mfx.testing import TrackerContract


class Run:
    def __init__(self, info):
        self.info, self.run_id, self.metrics = info, uuid.uuid4().hex, {}

    def log_metrics(self, values, step=0):
        self.metrics.update(values)

    def log_data(self, data):
        assert data.name

    def log_folder(self, folder, where=""):
        assert list(Path(folder).iterdir())

    def set_tags(self, tags):
        dict(tags)

    def finish(self, status):
        assert status in ("FINISHED", "FAILED", "KILLED")

    def where(self):
        return "memory"


@dataclass(kw_only=True)
class Sound(mfx.Component):
    """Keeps runs in memory."""

    runs: int = mfx.setting(3, ge=1)
    run_class = Run

    def start(self, info):
        return self.run_class(info)


class Contract(TrackerContract):
    tracker_class = Sound

    @pytest.fixture
    def component(self):
        return self.tracker_class()

    def recorded(self, component, run):
        return run.metrics


class TestSound(Contract):
    pass


def mutant(law):
    def decorate(cls):
        cls = dataclass(kw_only=True)(cls)
        name = f"Test_{law}"
        globals()[name] = type(name, (Contract,), {"tracker_class": cls, "__module__": __name__})
        return cls

    return decorate


def mutant_run(law):
    """Break the run instead of the tracker."""

    def decorate(run_class):
        mutant(law)(type(run_class.__name__, (Sound,), {"run_class": run_class, "__module__": __name__}))
        return run_class

    return decorate


@mutant("settings_round_trip")
class Doubles(Sound):
    note: float = mfx.setting(1.0)

    def __post_init__(self):
        super().__post_init__()
        self.note = self.note * 2


@mutant("settings_can_be_composed")
class Uncomposable(Sound):
    shape: complex = mfx.setting(1j)


@mutant("settings_out_of_bounds_are_refused")
class Unchecked(Sound):
    def __post_init__(self):
        pass


@mutant("it_is_of_its_kind")
@dataclass(kw_only=True)
class Liar(mfx.Component):
    """Answers to `start` without having it."""

    runs: int = mfx.setting(3, ge=1)

    def __getattr__(self, name):
        if name != "start":
            raise AttributeError(name)
        return Run


@mutant_run("a_run_has_an_id_of_its_own")
class NumberedRun(Run):
    def __init__(self, info):
        super().__init__(info)
        self.run_id = len(self.run_id) if info.parent is None else self.run_id


@mutant_run("it_takes_everything_that_a_run_tells")
class Picky(Run):
    def set_tags(self, tags):
        assert all(len(text) < 100 for text in tags.values())


@mutant_run("a_run_can_end_in_every_way")
class Optimist(Run):
    def finish(self, status):
        assert status == "FINISHED"


@mutant_run("where_to_look_is_one_line")
class Chatty(Run):
    def where(self):
        return "in\nmemory"


@mutant_run("runs_can_be_grouped")
class Orphan(Run):
    def __init__(self, info):
        super().__init__(info)
        assert info.parent is None


@mutant("it_works_from_another_thread")
class OneThread(Sound):
    def start(self, info):
        assert threading.current_thread() is threading.main_thread()
        return super().start(info)


@mutant_run("recording_leaves_the_folder_alone")
class Moves(Run):
    def finish(self, status):
        path = self.info.directory / "metrics.json"
        if path.is_file() and path.read_text() != "{}":
            path.unlink()


@mutant_run("what_was_recorded_can_be_read_back")
class First(Run):
    def log_metrics(self, values, step=0):
        self.metrics.update({name: value for name, value in values.items() if name not in self.metrics})
