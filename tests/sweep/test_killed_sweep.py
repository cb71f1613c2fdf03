"""Sweeps that are killed at moments nobody chose, and then go on, end like one that was left alone."""

import collections
import importlib.util
import os
import random
import time

import pytest

BUDGET = ("sweep.random_trials=6", "sweep.grid_points=3", "model.spoil_after=range(3,9)", "tracking=mlflow")
LAST_STEPS = ("best", "best/metrics.json", "summary/summary.json")
"""What is there, one after the other, when all trials are done."""

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


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), pytest.param(("sweep.workers=2",), marks=joblib)], ids=["one", "two"])
def test_a_sweep_killed_at_random_moments_ends_like_one_that_was_not(sweep, essence, workers):
    began = time.monotonic()
    done, whole = sweep(*BUDGET)
    assert done.returncode == 0, done.stderr
    check_mlflow(sweep.folder, whole, "not killed")
    pace = (time.monotonic() - began) / len(whole["trials"])
    for seed in map(int, os.environ.get("MFX_KILL_SEEDS", str(time.time_ns() % 10**6)).split()):
        sweep.set_aside()
        rng = random.Random(seed)
        parts, moments, kept = len(whole["trials"]) + len(LAST_STEPS) + 1, [], {}
        for third in range(3):
            # Whole parts are steps that were seen on disk, the rest is a share of the time that a step takes.
            moment = rng.uniform(third, third + 1) / 3 * parts
            moments.append((f"{moment:.2f}", sweep.kill_at(int(moment), moment % 1 * pace, *BUDGET, *workers)))
            kept |= {path: path.stat().st_mtime_ns for path in sweep.folder.glob("runs/sweeps/*/trials/*/result.json")}
        done, found = sweep(*BUDGET, *workers)
        told = f"MFX_KILL_SEEDS={seed}, killed at {moments} of {parts}: {done.stderr}"
        assert done.returncode == 0, told
        assert essence(found) == essence(whole), told
        assert kept == {path: path.stat().st_mtime_ns for path in kept}, told
        check_mlflow(sweep.folder, found, told)
        print(told.partition(": ")[0], flush=True)
