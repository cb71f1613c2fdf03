import contextlib
from types import SimpleNamespace

import pytest

from mfx.sweep import launchers, sweeper

SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
LOCAL = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"
JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"


@pytest.mark.parametrize(
    ("launcher", "workers", "batch"),
    [
        ({"_target_": launchers.BASIC}, 1, 1),
        ({"_target_": JOBLIB, "n_jobs": 1}, 1, 1),
        ({"_target_": JOBLIB, "n_jobs": 3}, 3, 12),
        ({"_target_": JOBLIB, "n_jobs": -1}, 6, 24),
        ({"_target_": JOBLIB, "n_jobs": -2}, 5, 20),
        ({"_target_": JOBLIB, "n_jobs": None}, 6, 24),
        ({"_target_": SLURM, "array_parallelism": 256}, 256, 256),
        ({"_target_": LOCAL, "timeout_min": 60}, 6, 6),
    ],
)
def test_batches_suit_the_launcher(monkeypatch, launcher, workers, batch):
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert (launchers.workers(launcher), launchers.batch(launcher)) == (workers, batch)


def test_hydras_own_launcher_is_known_by_its_class():
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    assert f"{BasicLauncher.__module__}.{BasicLauncher.__qualname__}" == launchers.BASIC


@pytest.mark.parametrize(
    ("launcher", "searched", "shared"),
    [
        (launchers.BASIC, "model.reg", True),
        (launchers.BASIC, "engine.workers", False),
        (launchers.BASIC, "engine", False),
        (JOBLIB, "model.reg", False),
    ],
)
def test_an_engine_is_started_once_for_trials_that_share_it_and_this_process(launcher, searched, shared):
    events = []

    @contextlib.contextmanager
    def working():
        events.append("starts")
        yield
        events.append("ends")

    made = SimpleNamespace(
        space=[SimpleNamespace(name=searched, override=lambda value: f"{searched}={value}")],
        trial_plan=SimpleNamespace(engine=SimpleNamespace(working=working)),
        fixed=[],
        placed=lambda number: [],
    )
    one = SimpleNamespace(plan=made, schedule=SimpleNamespace(point=lambda number: {searched: 1}))
    one.launcher = SimpleNamespace(launch=lambda jobs, initial_job_idx: events.append("trials"))
    one.study = SimpleNamespace(take_back=lambda number: None)
    with contextlib.ExitStack() as one.engine:
        one.engine_to_start = sweeper.shares_engine(made, {"_target_": launcher})
        for numbers in ([], [0], [1]):
            assert sweeper._Sweep._try(one, numbers) is None
    assert events == (["starts", "trials", "trials", "ends"] if shared else ["trials", "trials"])
