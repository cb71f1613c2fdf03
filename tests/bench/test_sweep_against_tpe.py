"""A sweep against Optuna's TPE with as many trials on the same space: pytest -m bench -s tests/bench.

MFX_BENCH_DATA chooses the data, such as MFX_BENCH_DATA="dataset=ml_latest_small dataset.path=ml-latest-small.zip".
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mfx import compose, experiment
from mfx.sweep import trial as trials

REPOSITORY = Path(__file__).parent.parent.parent
DATA = shlex.split(os.environ.get("MFX_BENCH_DATA", "dataset=movielens_demo"))
CHOICES = [*DATA, "split=temporal", "model=als", "model.bias_reg=3", "metrics=[rmse]", "tracking=console"]
SEEDS = [int(seed) for seed in os.environ.get("MFX_BENCH_SEEDS", "1,2,3,4,5").split(",")]


def swept(seed, folder):
    """Best valid rmse, number of trials, overhead and seconds of `mfx sweep`."""
    began = time.perf_counter()
    budget = ["sweep.random_trials=40", "sweep.grid_points=5", "sweep.grid_over=[factors,reg]"]
    command = [sys.executable, "-m", "mfx.cli.main", "sweep", *CHOICES, f"seed={seed}", *budget, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    # The defaults, 40 random points, and those of the 25 on the grid that were not tried before.
    assert 64 <= len(found["trials"]) <= 66
    return found["best"]["value"], len(found["trials"]), found["overhead"], time.perf_counter() - began


def tpe(seed, count):
    """Best valid rmse of TPE after as many trials, the defaults first, and its seconds."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began = time.perf_counter()

    def objective(trial):
        point = [
            f"model.factors={trial.suggest_int('factors', 4, 64, log=True)}",
            f"model.reg={trial.suggest_float('reg', 1.0, 100.0, log=True)!r}",
        ]
        plan = compose.build(compose.compose([*CHOICES, f"seed={seed}", *point]))
        return experiment.validate(plan, trials.prepared(plan)[0], lambda number, point: None).metrics["valid/rmse"]

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({"factors": 40, "reg": 12.0})
    study.optimize(objective, n_trials=count)
    return study.best_value, time.perf_counter() - began


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_a_sweep_is_as_good_as_tpe(tmp_path):
    ours, theirs = [], []
    print(f"\n{' '.join(CHOICES)}: factors 4 to 64, reg 1 to 100, both log")
    print(f"{'seed':>4} {'trials':>6} {'sweep':>8} {'TPE':>8} {'sweep s':>8} {'TPE s':>8} {'overhead ms':>11}")
    for seed in SEEDS:
        best, count, overhead, seconds = swept(seed, tmp_path)
        peer, peer_seconds = tpe(seed, count)
        ours.append(best)
        theirs.append(peer)
        took = f"{seconds:8.0f} {peer_seconds:8.0f} {1000 * overhead:11.0f}"
        print(f"{seed:4} {count:6} {best:8.5f} {peer:8.5f} {took}", flush=True)
    print(f"       mean {statistics.fmean(ours):8.5f} {statistics.fmean(theirs):8.5f}")
    assert statistics.fmean(ours) <= statistics.fmean(theirs) + 0.002
