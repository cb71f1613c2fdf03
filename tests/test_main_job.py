"""The main job as a newcomer does it: the command, real ratings, a real MLflow store, a model of one's own."""

import json

import pytest
from mlflow.tracking import MlflowClient

MY_MODEL = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import mfx


@mfx.register("model", "item_means")
@dataclass(kw_only=True)
class ItemMeans(mfx.Recommender):
    """Predicts the mean rating of the item, shrunk towards the mean of all."""

    predicts: ClassVar[str] = "ratings"
    objective: ClassVar[str] = "rmse"
    state_names: ClassVar[tuple[str, ...]] = ("means_",)
    shrinkage: float = mfx.tunable(5.0, low=0.1, high=100.0, log=True, ge=0.0)

    def learn(self, train, on_epoch):
        sums = np.bincount(train.items, weights=train.values - train.mean, minlength=train.n_items)
        self.means_ = (train.mean + sums / (train.item_counts + self.shrinkage)).astype(np.float32)

    def score_users(self, users):
        return np.tile(self.means_, (users.size, 1))
'''


def runs_of(folder):
    client = MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return client, client.search_runs(experiments, max_results=100)


def test_the_main_job_is_found_again_in_mlflow_with_the_numbers_of_its_files(cli):
    done = cli("model=genre_als", "split=temporal", "model.epochs=4", "run_name=first", "tags.why=test")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for line in ("rmse", "ndcg@10", "Files:", "Tracked:", "mfx ui"):
        assert line in done.stdout
    (directory,) = (path.parent for path in cli.folder.glob("runs/*/*/metrics.json"))
    metrics = json.loads((directory / "metrics.json").read_text())
    assert 0.85 < metrics["test/rmse"] < 0.95
    assert 0.0 < metrics["test/ndcg@10"] < 0.2
    assert metrics["audit/ratings_test"] == 19753
    client, (run,) = runs_of(cli.folder)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "first"
    assert run.data.metrics == {name.replace("@", "_at_"): value for name, value in metrics.items()}
    assert run.data.params["model.genre_weight"] == "90.0"
    assert run.data.params["split.fraction"] == "0.2"
    assert run.data.tags["why"] == "test"
    assert run.data.tags["split_rule"].startswith("temporal")
    dataset = run.inputs.dataset_inputs[0].dataset
    assert dataset.name == "movielens_demo"
    assert dataset.digest == run.data.tags["data_fingerprint"]
    curve = client.get_metric_history(run.info.run_id, "valid/rmse")
    assert [point.step for point in curve][:4] == [1, 2, 3, 4]
    for name in ("seconds/fit", "peak_mb/fit", "train/objective"):
        assert name in run.data.metrics
    kept = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "metrics.json", "model", "figures"} <= kept


def test_a_model_of_ones_own_is_one_file_with_one_class(cli):
    site = cli.folder.parent / "site"
    (site / "my_models.py").write_text(MY_MODEL)
    (site / "my_models-1.0.dist-info").mkdir()
    (site / "my_models-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: my-models\nVersion: 1.0\n")
    (site / "my_models-1.0.dist-info" / "entry_points.txt").write_text("[mfx.plugins]\nmine = my_models\n")
    listed = cli("list", "model")
    assert "item_means" in listed.stdout
    assert "my-models" in listed.stdout
    done = cli("model=item_means", "model.shrinkage=3", "split=random", "tracking=console", "--json")
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)
    assert 0.9 < metrics["test/rmse"] < 1.1
    assert metrics["test/ndcg@10"] >= 0.0
    wrong = cli("model=item_means", "model.shrinkage=-3")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "shrinkage=-3.0 must be at least 0" in wrong.stderr


@pytest.mark.slow
def test_a_grid_of_models_splits_and_seeds_is_one_parent_with_children(cli):
    done = cli(
        "-m", "model=bias,als,bpr", "split=random,temporal", "seed=1,2", "model.epochs=2", "figures=false", "--json"
    )
    assert done.returncode == 0, done.stderr
    _, runs = runs_of(cli.folder)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 1
    assert len(children) == 12
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert all(run.info.status == "FINISHED" for run in runs)
    assert (
        len({(r.data.params["model.name"], r.data.params["split.name"], r.data.params["seed"]) for r in children}) == 12
    )
    assert sum(name.endswith("test/ndcg_at_10/mean") for name in parents[0].data.metrics) == 6
