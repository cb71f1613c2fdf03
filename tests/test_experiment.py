import json
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from omegaconf import OmegaConf

import mfx
from mfx import compose, experiment, results
from mfx.analysis.finished_run import open_run
from mfx.cli import show
from mfx.errors import DataError, MetricError, ModelError, SplitError, TrackingError
from mfx.interfaces import Epoch, RunInfo
from mfx.models.early_stopping import EarlyStopping
from mfx.tracking.background import BackgroundRun


@pytest.fixture
def run(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *overrides: mfx.run(*toy.choices, *overrides)


def logged(toy):
    return toy.ToyTracking.runs[-1]


def test_the_chosen_epoch_is_the_best_on_valid_and_the_refit_takes_as_many(run):
    result = run("early_stopping.patience=3")
    curve = result.curves["valid/rmse"]
    best = int(np.argmin(curve)) + 1
    assert result.metrics["fit/best_epoch"] == best
    assert len(curve) == best + 3 == result.metrics["fit/epochs"]
    assert result.model.epochs_run_ == best
    assert result.model.fitted_on_ == len(result.split.train) + len(result.split.valid)
    assert result.score == result.metrics["valid/rmse"] == min(curve)


def test_without_refit_the_model_is_that_of_the_best_epoch_on_train(run, toy):
    result = run("refit=false")
    assert result.model.fitted_on_ == len(result.split.train)
    best = int(result.metrics["fit/best_epoch"])
    again = toy.ToyModel(epochs=best).fit(result.split.train)
    np.testing.assert_array_equal(result.model.item_, again.item_)
    assert result.metrics["valid/rmse"] == min(result.curves["valid/rmse"])
    assert result.curves["valid/rmse"][-1] > result.metrics["valid/rmse"]


def test_without_early_stopping_all_epochs_count(run):
    result = run("early_stopping.enabled=false", "model.epochs=9")
    assert len(result.curves["valid/rmse"]) == result.metrics["fit/best_epoch"] == result.model.epochs_run_ == 9
    assert result.metrics["valid/rmse"] == result.curves["valid/rmse"][-1]


def test_an_objective_that_should_grow_is_maximised(run):
    result = run("objective=ndcg@10", "early_stopping.patience=2")
    curve = result.curves["valid/ndcg@10"]
    assert result.metrics["fit/best_epoch"] == int(np.argmax(curve)) + 1
    assert result.score == max(curve)


def test_test_ratings_change_nothing_but_the_final_score(run):
    clean, poisoned = run(), run("dataset.poison=true")
    assert poisoned.split.test.values.max() > 1e5
    assert clean.curves == poisoned.curves
    assert clean.metrics["fit/best_epoch"] == poisoned.metrics["fit/best_epoch"]
    for name in ("user_", "item_", "mean_"):
        np.testing.assert_array_equal(getattr(clean.model, name), getattr(poisoned.model, name))
    same = [name for name in clean.metrics if name.startswith(("valid/", "train/"))]
    assert same
    assert {n: clean.metrics[n] for n in same} == {n: poisoned.metrics[n] for n in same}
    assert poisoned.metrics["test/rmse"] > 1e5 > clean.metrics["test/rmse"]


def test_the_final_score_is_of_the_refitted_model_on_test(run):
    result = run("metrics=[rmse]")
    test = result.split.test
    error = result.model.score_pairs(test.users, test.items).astype(float) - test.values
    assert result.metrics["test/rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)


def test_test_is_scored_once(run, monkeypatch):
    from mfx.metrics import evaluation

    seen = []

    def spy(model, seen_, held_out, *rest):
        seen.append((model, held_out))
        return real(model, seen_, held_out, *rest)

    real = evaluation.evaluate
    monkeypatch.setattr(evaluation, "evaluate", spy)
    result = run()
    first = next(place for place, (_, part) in enumerate(seen) if part is result.split.test)
    assert [type(model).__name__ for model, _ in seen[first:]] == ["ToyModel", "Popularity"]
    assert all(part is result.split.test for _, part in seen[first:])
    assert seen[first][0] is result.model


def test_the_folder_holds_what_was_logged(run, toy):
    result = run("metrics=[rmse,ndcg@10]", "tags.who=me", "run_name=first try", "experiment_name=tests")
    written = json.loads((result.directory / "metrics.json").read_text())
    assert written == result.metrics == logged(toy).latest()
    config = OmegaConf.to_container(OmegaConf.load(result.directory / "config.yaml"))
    assert config == result.settings
    assert (result.directory / "model" / "arrays.npz").is_file()
    info = logged(toy).info
    assert (info.experiment, info.name, info.tags["who"]) == ("tests", "first try", "me")
    assert info.params["model.epochs"] == "12"
    assert logged(toy).status == "FINISHED"
    identity = json.loads((result.directory / "run.json").read_text())
    assert (identity["run_id"], identity["name"]) == (result.run_id, "first try")
    assert identity["split_fingerprint"] == result.split.fingerprint
    assert logged(toy).folders[0][1] == [
        "config.yaml",
        "curves.json",
        "environment.json",
        "metrics.json",
        "model",
        "run.json",
    ]
    assert not list(result.directory.rglob("*.tmp"))


def test_curves_are_drawn(run, toy):
    result = run("figures=true", "metrics=[rmse]")
    drawn = sorted(path.name for path in (result.directory / "figures").iterdir())
    assert drawn == ["learning_curve.png", "objective.png"]
    assert "figures" in logged(toy).folders[0][1]
    assert not (run("figures=true", "model=toy_ranking").directory / "figures").exists()


def test_curves_are_logged_per_epoch(run, toy):
    result = run()
    for name, values in result.curves.items():
        points = [(step, value) for step, logged_name, value in logged(toy).points if logged_name == name]
        assert points[: len(values)] == list(enumerate(values, start=1))
    assert set(result.curves) == {"train/objective", "train/rmse", "valid/rmse"}


def test_data_audit_and_stages_are_logged(run, toy):
    result = run()
    assert logged(toy).data[0].name == "toy"
    assert result.metrics["audit/ratings_test"] == len(result.split.test)
    assert logged(toy).tags["split_fingerprint"] == result.split.fingerprint
    for stage in ("read", "split", "fit", "evaluate", "refit", "test", "save"):
        assert result.metrics[f"seconds/{stage}"] >= 0


def test_a_ranking_model_has_no_rating_metrics_and_says_why(run, toy):
    result = run("model=toy_ranking", "metrics=[rmse,ndcg@10]")
    assert "test/rmse" not in result.metrics
    assert "test/ndcg@10" in result.metrics
    assert result.skipped["rmse"]
    assert logged(toy).tags["skipped.rmse"] == result.skipped["rmse"]
    assert result.curves == {}
    assert not (result.directory / "model").exists()


def test_rows_that_a_setting_lets_go_are_named_below_the_table(run, tmp_path, capsys, caplog):
    rows = [f"{user},{item},{(user * item) % 5 + 1},{item}" for user in range(20) for item in range(15)]
    (tmp_path / "r.csv").write_text("\n".join(["user_id,item_id,rating,timestamp", *rows, "1,99,x,3", "2,99,,3"]))
    result = run("dataset=table", "dataset.path=r.csv", "dataset.on_bad_rows=drop", "metrics=[rmse]")
    reasons = ("missing rating", "rating is no number")
    notes = [f"The data set left out 1 rows: {reason} (on_bad_rows=drop)." for reason in reasons]
    assert result.notes == notes
    assert json.loads((result.directory / "run.json").read_text())["notes"] == notes
    assert open_run(result.directory).notes == notes
    assert [record.message for record in caplog.records if record.message in notes] == notes
    show.result(result)
    assert capsys.readouterr().out.count("Note: The data set left out 1 rows") == 2


def test_a_split_that_leaks_is_refused_wherever_data_are_divided(run, toy, tmp_path):
    from mfx.analysis.explore import study
    from mfx.sweep import trial

    sizes = {name: len(getattr(run().split, name)) for name in ("train", "valid", "test")}
    said = f"^split 'toy_split': {sizes['valid']:,} ratings of valid are in another part too, or twice in it, the first"
    with pytest.raises(SplitError, match=said):
        run("split.leaks=true")
    assert logged(toy).status == "FAILED"
    with pytest.raises(SplitError, match=said):
        trial.prepared(compose.build(compose.compose([*toy.choices, "split.leaks=true"])))
    with pytest.raises(SplitError, match=said):
        study.run("dataset=toy", "split=toy_split", "split.leaks=true", "tracking=console")
    past = open_run(run().directory)
    past.config["split"]["leaks"] = True
    with pytest.raises(SplitError, match=said):
        past.split  # noqa: B018 - it divides the data again


def test_a_rule_by_time_that_does_not_hold_is_told_below_the_table(run, toy, monkeypatch):
    monkeypatch.setattr(toy.ToySplit, "leak_free", "user", raising=False)
    result = run("metrics=[rmse]")
    expected = []
    for name, history in (("valid", result.split.train), ("test", result.split.train_and_valid)):
        part, newest = getattr(result.split, name), {}
        for user, time in zip(history.users.tolist(), history.timestamps.tolist(), strict=True):
            newest[user] = max(time, newest.get(user, 0))
        late = sum(time < newest.get(user, 0) for user, time in zip(part.users, part.timestamps, strict=True))
        expected.append(
            f"{late:,} of {len(part):,} ratings of {name} are older than the same user's history, "
            "though 'toy_split' goes by time."
        )
    assert result.notes == expected


@pytest.mark.parametrize("refit", ["true", "false"])
def test_lists_for_test_leave_out_items_of_train_and_of_valid(run, toy, refit):
    choices = ["model=toy_ranking", f"refit={refit}", "metrics=[ndcg@10]"]
    result = run(*choices)
    metrics = mfx.create_metrics(["ndcg@10"])
    settings, split = compose.build(compose.compose([*toy.choices, *choices])).evaluation, result.split
    both, train = (
        mfx.evaluate(result.model, seen, split.test, metrics, settings).values["ndcg@10"]
        for seen in (split.train_and_valid, split.train)
    )
    assert result.metrics["test/ndcg@10"] == both
    assert abs(both - train) > 0.001


def test_same_seed_same_numbers(run):
    def stable(result):
        return {name: value for name, value in result.metrics.items() if not name.startswith(("seconds/", "peak_mb/"))}

    assert stable(run("seed=3")) == stable(run("seed=3")) != stable(run("seed=4"))


def test_runs_do_not_share_a_folder(run, tmp_path):
    folders = {run().directory for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.is_relative_to(tmp_path / "runs") for folder in folders)


def test_wrong_settings_leave_no_folder(run, tmp_path):
    with pytest.raises(mfx.MFXError):
        run("model.epochs=0")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("override", "error", "status"),
    [
        ("dataset.fails=true", DataError, "FAILED"),
        ("model.raises=true", ZeroDivisionError, "FAILED"),
        ("dataset.interrupts=true", KeyboardInterrupt, "KILLED"),
    ],
)
def test_a_run_that_ends_early_is_closed_with_its_status(run, toy, override, error, status):
    with pytest.raises(error):
        run(override)
    assert logged(toy).status == status
    assert error.__name__ in logged(toy).tags["error"]


def test_an_objective_without_a_value_is_an_error(run):
    with pytest.raises(MetricError, match="objective ndcg@10 has no value on valid"):
        run("objective=ndcg@10", "evaluation.relevance_threshold=99")


def test_a_run_is_quiet(run, capfd):
    run()
    assert capfd.readouterr() == ("", "")


class Fake:
    def __init__(self):
        self.value_ = np.zeros(1)


def follow(scores, higher_is_better=False, **settings):
    model = Fake()
    watch = EarlyStopping(**settings).watch(lambda _: scores[watch.epochs], higher_is_better=higher_is_better)
    for number in range(1, len(scores) + 1):
        model.value_[0] = number
        if watch(model, Epoch(number, {})):
            break
    watch.restore_best(model)
    return watch, model.value_[0]


@pytest.mark.parametrize(
    ("settings", "scores", "best", "seen"),
    [
        ({"patience": 2}, [3, 2, 1, 1, 1, 0], 3, 5),
        ({"patience": 3}, [3, 2, 1, 1, 1, 0], 6, 6),
        ({"patience": 1, "min_delta": 0.5}, [3, 2, 1.6, 0], 2, 3),
        ({"enabled": False}, [1, 2, 3, 4], 4, 4),
    ],
)
def test_early_stopping_waits_then_goes_back(settings, scores, best, seen):
    watch, state = follow([float(score) for score in scores], **settings)
    assert (watch.best_epoch, watch.epochs, state) == (best, seen, best)
    mirrored, _ = follow([-float(score) for score in scores], higher_is_better=True, **settings)
    assert (mirrored.best_epoch, mirrored.epochs) == (best, seen)


def test_early_stopping_uses_state_and_restore_of_a_model():
    class WithState(Fake):
        def state(self):
            return {"value": self.value_}

        def restore(self, state):
            self.restored = float(state["value"][0])

    model = WithState()
    scores = iter([2.0, 1.0, 3.0])
    watch = EarlyStopping(patience=9).watch(lambda _: next(scores), higher_is_better=False)
    for number in (1, 2, 3):
        model.value_[0] = number
        watch(model, Epoch(number, {}))
    watch.restore_best(model)
    assert model.restored == 2


def test_divergence_is_an_error():
    with pytest.raises(ModelError, match=r"diverged.*epoch 2"):
        follow([1.0, float("nan")])


@dataclass
class Failing:
    where: str

    def start(self, info):
        if self.where == "start":
            raise TrackingError("no start")
        return self

    run_id = "x"

    def log_metrics(self, values, step=0):
        self.calls = [*getattr(self, "calls", []), "log"]
        if self.where == "log":
            raise TrackingError("no log")

    def set_tags(self, tags):
        self.calls = [*getattr(self, "calls", []), *tags]

    def finish(self, status):
        self.status = status


def info(folder):
    return RunInfo("e", "n", {}, {}, None, folder)


@pytest.mark.parametrize("where", ["start", "log"])
def test_what_fails_in_the_background_is_raised(where, tmp_path):
    tracker = Failing(where)
    run = BackgroundRun(tracker, info(tmp_path))
    with pytest.raises(TrackingError, match=f"no {where}"):  # noqa: PT012 - whichever call comes first may raise
        run.log_metrics({"a": 1.0})
        run.finish("FINISHED")
    if where == "log":
        assert tracker.status == "FAILED"


def test_after_a_failure_only_the_end_is_tried(tmp_path):
    tracker = Failing("log")
    opened_ = threading.Event()
    tracker.start = lambda info: opened_.wait() and tracker
    run = BackgroundRun(tracker, info(tmp_path))
    for _ in range(3):
        run.log_metrics({"a": 1.0})
    run.set_tags({"late": "yes"})
    opened_.set()
    with pytest.raises(TrackingError, match="no log"):
        run.give_up("the reason", "FAILED")
    assert tracker.calls == ["log", "error"], "each of them may wait for a store that is locked"
    assert tracker.status == "FAILED"


def test_a_tracker_that_fails_midway_is_still_closed(toy, tmp_path, monkeypatch):
    def refuse(self, values, step=0):
        raise TrackingError("disk full")

    monkeypatch.setattr(toy.ToyRun, "log_metrics", refuse)
    plan = compose.build(compose.compose(toy.choices))
    with pytest.raises(TrackingError, match="disk full"):
        experiment.execute(plan, tmp_path)
    assert logged(toy).status == "FAILED"


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "metrics.json"
    results.write_json(path, {"a": 1.0})
    with pytest.raises(ValueError):
        results.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1.0}
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_folder_names_are_safe(tmp_path):
    folder = results.new_directory(tmp_path, "../a b/ü")
    assert folder.parent.parent == tmp_path
    assert "a-b" in folder.name


def test_epochs_and_stages_are_told(toy, tmp_path):
    class Listener:
        told = []  # noqa: RUF012

        def stage(self, name):
            self.told.append(name)

        def epoch(self, number, of, objective, value, spent):
            self.told.append((number, of, objective, value is None))

    plan = compose.build(compose.compose([*toy.choices, "model.epochs=2"]))
    experiment.execute(plan, tmp_path, listener=Listener())
    told = [(1, 2, "valid/rmse", False), (2, 2, "valid/rmse", False)]
    refit = [(1, 2, "", True), (2, 2, "", True)]
    assert Listener.told == ["read", "split", "fit", *told, "evaluate", "refit", *refit, "test", "save"]


def test_validation_gives_what_a_run_gives_on_valid_and_never_needs_test(toy, run):
    from dataclasses import replace

    whole = run("metrics=[rmse,mae]")
    plan = compose.build(compose.compose([*toy.choices, "metrics=[rmse,mae]"]))
    blind = replace(whole.split, test=whole.split.test.take(np.zeros(len(whole.split.test), bool)))
    points = []
    found = experiment.validate(plan, blind, lambda number, point: points.append((number, point)))
    for name in ("valid/rmse", "valid/mae", "fit/best_epoch", "train/rmse"):
        assert found.metrics[name] == whole.metrics[name]
    assert found.curves == whole.curves
    assert [number for number, _ in points] == list(range(1, len(found.curves["valid/rmse"]) + 1))
    assert not [name for name in found.metrics if name.startswith("test/")]
