import importlib.util
import json
import shlex
from collections import Counter

import pytest

BUDGET = ("sweep.random_trials=6", "sweep.grid_points=3", "model.spoil_after=range(3,9)")

joblib = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="needs hydra-joblib-launcher"
)


def results(folder):
    """What each trial left behind, times aside."""
    found = {}
    for path in sorted(folder.glob("runs/sweeps/*/trials/*/result.json")):
        record = json.loads(path.read_text())
        kept = {name: value for name, value in record["metrics"].items() if not name.startswith(("seconds", "peak_mb"))}
        found[path.parent.name] = (record["status"], record["value"], kept, record["curves"])
    return found


def test_a_sweep_tries_the_defaults_random_points_and_a_grid(sweep):
    done, found = sweep(*BUDGET)
    assert done.returncode == 0, done.stderr
    trials = found["trials"]
    assert [one["stage"] for one in trials[:7]] == ["defaults"] + ["random"] * 6
    assert {one["stage"] for one in trials[7:]} == {"grid"}
    assert trials[0]["point"] == {"model.learning_rate": 0.02, "model.spoil_after": 6}
    assert len({json.dumps(one["point"]) for one in trials}) == len(trials)
    assert found["best"]["value"] == min(one["value"] for one in trials)
    assert found["again"] == pytest.approx(found["best"]["value"], abs=1e-6)
    assert set(found["test"]) == {"test/rmse"}
    words = shlex.split(found["command"])
    assert words[0] == "mfx"
    again = json.loads(sweep.cli(*words[1:], "--json").stdout)
    assert again["valid/rmse"] == pytest.approx(found["best"]["value"], abs=1e-6)
    assert again["test/rmse"] == pytest.approx(found["test"]["test/rmse"], abs=1e-6)


def test_trials_never_see_test(sweep):
    sweep(*BUDGET)
    clean = results(sweep.folder)
    (sweep.folder / "runs").rename(sweep.folder / "clean")
    _, poisoned = sweep(*BUDGET, "dataset.poison=true")
    assert results(sweep.folder) == clean
    assert poisoned["test"]["test/rmse"] > 1e4
    assert "test" not in json.dumps(clean)


def test_the_same_in_hydras_own_spelling(sweep, cli, essence):
    _, found = sweep(*BUDGET)
    (sweep.folder / "runs").rename(sweep.folder / "first")
    spelled = [word.replace("sweep.", "hydra.sweeper.") for word in BUDGET]
    done = cli("-m", "hydra/sweeper=random_then_grid", *sweep.choices, *spelled, "--json")
    assert done.returncode == 0, done.stderr
    assert essence(json.loads(done.stdout)) == essence(found)


def test_the_same_command_after_the_end_runs_nothing(sweep, essence):
    _, first = sweep(*BUDGET)
    before = {path: path.stat().st_mtime_ns for path in sweep.folder.glob("runs/sweeps/*/*/**/*.json")}
    done, second = sweep(*reversed(BUDGET))
    assert essence(second) == essence(first)
    assert "trials are done" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in sweep.folder.glob("runs/sweeps/*/*/**/*.json")} == before


@pytest.mark.slow
@joblib
def test_two_workers_try_the_same_points_and_find_the_same(sweep, essence):
    _, one = sweep(*BUDGET)
    (sweep.folder / "runs").rename(sweep.folder / "one")
    done, two = sweep(*BUDGET, "sweep.workers=2")
    assert done.returncode == 0, done.stderr
    assert essence(two) == essence(one)


def loads(folder):
    """How often each process read the data."""
    return Counter((folder / "loads").read_text().split())


def test_data_are_read_once_for_all_trials_and_once_for_the_refit(sweep):
    _, found = sweep(*BUDGET, MFX_TOY_LOADS="loads")
    assert len(found["trials"]) > 7
    assert list(loads(sweep.folder).values()) == [2]


@pytest.mark.slow
@joblib
def test_each_worker_reads_the_data_once(sweep):
    _, found = sweep(*BUDGET, "sweep.workers=2", "sweep.batch=3", MFX_TOY_LOADS="loads")
    assert len(found["trials"]) > 7
    assert sorted(loads(sweep.folder).values()) == [1, 1, 1], "two workers, and the sweeper for the refit"


@pytest.mark.slow
@joblib
def test_a_job_that_kills_its_process_fails_alone(sweep):
    two = ("sweep.workers=2", "sweep.max_failures=1")
    choice = "dataset.users=choice(60,2,50)"  # see flow_plugin: a toy with two users ends its process
    done, found = sweep("sweep.random_trials=5", "sweep.grid_points=0", choice, *two, MFX_TOY_KILLS="1")
    assert done.returncode == 0, done.stderr
    statuses = {one["point"]["dataset.users"]: one["status"] for one in found["trials"]}
    assert statuses["60"] == "complete"
    assert statuses.get("2", "failed") == "failed"
    assert len(found["trials"]) == 6


def test_a_failing_trial_is_recorded_and_the_sweep_goes_on(sweep):
    some = ("model.raises=choice(false,true)", "sweep.random_trials=5", "sweep.grid_points=0")
    done, found = sweep(*some, "sweep.max_failures=1", f"tracking.log={sweep.folder / 'log.txt'}")
    assert done.returncode == 0, done.stderr
    failed = [one for one in found["trials"] if one["point"]["model.raises"] == "True"]
    assert failed
    assert all((one["status"], one["error"]) == ("failed", "ZeroDivisionError: a bug") for one in failed)
    assert done.stderr.count("ZeroDivisionError: a bug") == len(failed)
    logged = [json.loads(line) for line in (sweep.folder / "log.txt").read_text().splitlines()]
    assert sum(one["status"] == "FAILED" for one in logged) == len(failed)
    (parent,) = [one for one in logged if one["parent"] is None]
    assert parent["status"] == "FINISHED"
    assert len(logged) == 6 + 1 + 1


def test_too_many_failures_end_the_sweep(sweep):
    done, _ = sweep("model.raises=true", "sweep.random_trials=9", "sweep.grid_points=0", "sweep.max_failures=0.2")
    assert done.returncode == 1
    assert "3 trials failed, and sweep.max_failures=0.2 allows 2. Trial 0: ZeroDivisionError" in done.stderr


def test_pruned_trials_are_no_candidates(sweep):
    few = ("sweep.random_trials=12", "sweep.grid_points=0", "early_stopping.enabled=false", "sweep.prune=true")
    done, found = sweep(*few)
    assert done.returncode == 0, done.stderr
    pruned = [one["number"] for one in found["trials"] if one["status"] == "pruned"]
    assert pruned
    assert not set(pruned) & set(found["ranking"])
    shortened = results(sweep.folder)[f"{pruned[0]:04d}"]
    assert len(shortened[3]["valid/rmse"]) < 12


def test_the_objective_decides_what_is_best(sweep):
    _, found = sweep("sweep.random_trials=6", "sweep.grid_points=2", "objective=ndcg@10")
    assert found["objective"] == "valid/ndcg@10"
    assert found["best"]["value"] == max(one["value"] for one in found["trials"])


def test_a_minute_budget_ends_the_stages(sweep):
    done, found = sweep("sweep.random_trials=2000", "sweep.minutes=0.05")
    assert done.returncode == 0, done.stderr
    assert 1 <= len(found["trials"]) < 2000


def test_figures_and_children_with_the_same_keys_in_mlflow(sweep):
    done, found = sweep("sweep.random_trials=4", "sweep.grid_points=2", "tracking=mlflow", "figures=true", *BUDGET[2:])
    assert done.returncode == 0, done.stderr
    folder = sweep.folder / "runs" / "sweeps" / found["folder"].rpartition("/")[2]
    names = {path.name for path in (folder / "summary" / "figures").iterdir()}
    few = "too few trials before the grid to draw their importance"
    assert names == {"history.png", "grid.png", "scatter_learning_rate_spoil_after.png"}, few
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{sweep.folder / 'runs' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("mfx").experiment_id], max_results=100)
    (parent,) = [run for run in runs if run.data.tags.get("sweep")]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    trials = [run for run in children if "trial" in run.data.tags]
    assert len(trials) == len(found["trials"])
    assert len(children) == len(trials) + 1
    assert len({tuple(sorted(run.data.params)) for run in children}) == 1
    (best,) = [run for run in trials if run.data.tags.get("best") == "true"]
    assert best.data.tags["trial"] == str(found["best"]["number"])
    assert best.data.metrics["valid/rmse"] == found["best"]["value"]
    assert {run.data.tags["stage"] for run in children} == {"defaults", "random", "grid", "final"}
    assert not [name for run in trials for name in run.data.metrics if name.startswith("test")]
    assert parent.info.status == "FINISHED"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["sweep.random_trails=3"], "Did you mean 'random_trials'?"),
        (["sweep.random_trials=0"], "must be at least 1"),
        (["sweep.random_trials=many"], "not a whole number"),
        (["sweep.workers=0"], "whole number from 1"),
        (["sweep.grid_over=[model.nothing]"], "not searched"),
        (["model.learning_rate=0.1"], "nothing to search"),
        (["objective=nope"], "nope"),
        (["seed=1,2"], "'seed' is not searched"),
    ],
)
def test_mistakes_cost_one_line_and_leave_nothing(sweep, arguments, part):
    done, _ = sweep(*arguments)
    assert done.returncode == 2
    assert part in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (sweep.folder / "runs" / "sweeps").exists()


def test_passwords_in_what_was_typed_are_in_no_file_and_a_new_one_goes_on_with_the_study(sweep):
    arguments = ("sweep.random_trials=1", "sweep.grid_points=0", "model.epochs=range(2,5)")
    done, summary = sweep(*arguments, "+tags.source=http://ann:secret@host/x")
    assert "http://***@host/x" in summary["command"]
    files = [path for path in (sweep.folder / "runs").rglob("*") if path.is_file()]
    assert "study.json" in {path.name for path in files}
    assert [path.name for path in files if b"secret" in path.read_bytes()] == []
    assert "secret" not in done.stdout + done.stderr
    _, again = sweep(*arguments, "+tags.source=http://ann:other@host/x")
    assert again["folder"] == summary["folder"]


def test_another_sweep_under_the_same_name_is_refused(sweep):
    few = ("sweep.study=mine", "sweep.random_trials=1", "sweep.grid_points=0")
    assert sweep(*few)[0].returncode == 0
    done, _ = sweep(*few, "seed=2")
    assert done.returncode == 1
    assert "holds another sweep" in done.stderr
