"""Sweeps that are killed at moments nobody chose, and then go on, end like one that was left alone."""

import collections
import importlib.util
import json
import os
import random
import time
from pathlib import Path

import pytest

BUDGET = ("sweep.random_trials=6", "sweep.grid_points=3", "model.spoil_after=range(3,9)", "tracking=mlflow")
SEEDS = [int(seed) for seed in os.environ.get("MFX_KILL_SEEDS", str(time.time_ns() % 10**6)).split()]
# Five sweeps for each seed, which may share the machine with others.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
LAST_STEPS = 3
"""Steps that ``killer.py`` sees when all trials are done."""

joblib = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="needs hydra-joblib-launcher"
)


def runs_in_mlflow(folder):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    return client.search_runs([client.get_experiment_by_name("mfx").experiment_id], max_results=1000)


def check_mlflow(folder, found, told):
    """Every trial is there once, whole, below one parent; the final run too; and nothing else."""
    runs = runs_in_mlflow(folder)
    assert {run.info.status for run in runs} == {"FINISHED"}, told
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.metrics[f"best/{found['objective']}"] == found["best"]["value"], told
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    times = collections.Counter(run.data.tags["trial"] for run in children if "trial" in run.data.tags)
    assert times == {str(one["number"]): 1 for one in found["trials"]}, told
    assert len(runs) == 1 + len(times) + 1, told
    (final,) = [run for run in children if run.data.tags["stage"] == "final"]
    assert final.data.metrics["test/rmse"] == found["test"]["test/rmse"], told
    value = {run.data.tags["trial"]: run.data.metrics["valid/rmse"] for run in children if "trial" in run.data.tags}
    assert value == {str(one["number"]): one["value"] for one in found["trials"]}, told
    (best,) = [run for run in children if run.data.tags.get("best") == "true"]
    assert best.data.tags["trial"] == str(found["best"]["number"]), told


@pytest.fixture
def whole(sweep):
    """What a sweep comes to that nobody kills; its files are set aside."""
    began = time.monotonic()
    done, found = sweep(*BUDGET)
    assert done.returncode == 0, done.stderr
    check_mlflow(sweep.folder, found, "not killed")
    sweep.set_aside()
    return found, (time.monotonic() - began) / len(found["trials"])


def thirds(rng, whole, whom):
    """Three moments, each somewhere in its third of a sweep."""
    found, pace = whole
    steps = len(found["trials"]) + LAST_STEPS + 1
    for third in range(3):
        # Whole parts are steps that were seen on disk, the rest is a share of the time that a step takes.
        moment = rng.uniform(third, third + 1) / 3 * steps
        yield {"steps": int(moment), "after": moment % 1 * pace, "whom": rng.choice(whom), "pick": rng.random()}


def finished_trials(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/sweeps/*/trials/*/result.json")}


@pytest.mark.parametrize("workers", [(), pytest.param(("sweep.workers=2",), marks=joblib)], ids=["one", "two"])
def test_a_sweep_killed_at_random_moments_ends_like_one_that_was_not(sweep, essence, whole, workers):
    for seed in SEEDS:
        told, kept = [f"MFX_KILL_SEEDS={seed}"], {}
        for moment in thirds(random.Random(seed), whole, ("all", "sweeper")):
            _, fate = sweep.kill(moment, arguments=[*BUDGET, *workers])
            told += [moment, fate]
            kept |= finished_trials(sweep.folder)
        done, found = sweep(*BUDGET, *workers)
        assert done.returncode == 0, (told, done.stderr)
        assert essence(found) == essence(whole[0]), told
        assert kept.items() <= finished_trials(sweep.folder).items(), told
        check_mlflow(sweep.folder, found, told)
        print(told, flush=True)
        sweep.set_aside()


@joblib
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers by way of /proc")
def test_a_sweep_whose_workers_are_killed_goes_on_by_itself(sweep, essence, whole):
    for seed in SEEDS:
        moments = list(thirds(random.Random(seed), whole, ("worker",)))
        done, fates = sweep.kill(*moments, arguments=[*BUDGET, "sweep.workers=2"])
        told = [f"MFX_KILL_SEEDS={seed}", moments, fates]
        assert done.returncode == 0, (told, done.stderr)
        assert essence(json.loads(done.stdout)) == essence(whole[0]), told
        assert "killed worker" in fates, told
        check_mlflow(sweep.folder, json.loads(done.stdout), told)
        print(told, flush=True)
        sweep.set_aside()


def test_a_sweep_killed_while_it_writes_to_mlflow_leaves_every_trial_there_once(sweep, essence, whole):
    for seed in SEEDS:
        rng = random.Random(seed)
        a_trial = rng.randrange(1, len(whole[0]["trials"]))
        places = [
            ["parent.begun", "parent.json", 1],
            ["trials/*/tracked.begun", "tracked.json", a_trial],
            ["best/metrics.json", "final.json", 1],
        ]
        told, fates = [f"MFX_KILL_SEEDS={seed}"], []
        for place in places:
            moment = {"writing": place, "after": rng.uniform(0, 0.03), "whom": "all"}
            fates += sweep.kill(moment, arguments=BUDGET)[1]
            told += [moment, fates[-1]]
        done, found = sweep(*BUDGET)
        assert done.returncode == 0, (told, done.stderr)
        assert essence(found) == essence(whole[0]), told
        assert any("while writing" in fate for fate in fates), told
        check_mlflow(sweep.folder, found, told)
        print(told, flush=True)
        sweep.set_aside()


def test_a_sweep_whose_store_was_deleted_is_recorded_anew(sweep, essence, whole):
    moment = {"writing": ["trials/*/tracked.begun", "tracked.json", 3], "after": 0.0, "whom": "all"}
    sweep.kill(moment, arguments=BUDGET)
    kept = finished_trials(sweep.folder)
    assert kept
    (sweep.folder / "runs" / "mlflow.db").unlink()
    done, found = sweep(*BUDGET)
    assert done.returncode == 0, done.stderr
    assert "The sweep is recorded anew" in done.stderr
    assert essence(found) == essence(whole[0])
    assert kept.items() <= finished_trials(sweep.folder).items()
    check_mlflow(sweep.folder, found, "deleted")
