"""Contests are fair, peers predict what their packages predict, and the tables hold what was measured."""

import importlib
import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mfx
from mfx import compose, registry
from mfx.interfaces import Catalogue, Ratings, RatingScale
from mfx.testing.samples import planted_ratings

HERE = Path(__file__).resolve().parent
MODULES = ("__main__", "contest", "contestants", "peers", "table")


@pytest.fixture
def bench(monkeypatch):
    """The modules of the leaderboard; the peers are registered for one test."""
    monkeypatch.syspath_prepend(str(HERE))
    with registry.temporarily():
        found = {name: importlib.import_module(name) for name in MODULES if name != "__main__"}
        spec = importlib.util.spec_from_file_location("leaderboard_main", HERE / "__main__.py")
        main = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "leaderboard_main", main)
        spec.loader.exec_module(main)
        yield type("Bench", (), {**found, "main": main})
    for name in found:
        sys.modules.pop(name, None)


@pytest.fixture
def ticking(monkeypatch, bench):
    """A clock of the tuning that moves by ten seconds whenever it is read."""
    ticks = itertools.count(0.0, 10.0)
    monkeypatch.setattr(bench.contest.time, "process_time", lambda: next(ticks))


def plan_of(model):
    return compose.build(compose.compose([f"model={model}", "split=random", "metrics=[rmse]", "tracking=console"]))


def split_of(**given):
    return mfx.create("split", "random").split(planted_ratings(**given))


def test_tuning_begins_with_the_defaults_and_ends_with_the_time(bench, ticking):
    plan, split = plan_of("als"), split_of()
    fixed = {"epochs": 3}
    found = bench.contest.tune(plan, split, fixed, 0.5, 1)
    assert (found.trials, found.failed) == (3, 0)  # at 0, 10 and 20 seconds of 30
    alone = bench.contest.tune(plan, split, fixed, 0.0, 1)
    assert alone.trials == 1
    assert found.value <= alone.value
    assert alone.settings == {"epochs": 3}


def test_tuning_does_not_look_at_test(bench, ticking):
    plan, split = plan_of("als"), split_of()
    garbage = np.random.default_rng(0).normal(1e6, 1e6, len(split.test)).astype(np.float32)
    poisoned = replace(split, test=replace(split.test, values=garbage))
    assert bench.contest.tune(plan, split, {}, 0.5, 1) == bench.contest.tune(plan, poisoned, {}, 0.5, 1)


def test_settings_that_are_fixed_are_not_searched(bench, ticking):
    searched = {one.name for one in bench.contest.space_of("als", {"factors": 5})}
    assert searched == {"model.reg", "model.bias_reg"}
    assert bench.contest.space_of("popularity", {}) == []
    found = bench.contest.tune(plan_of("als"), split_of(), {"factors": 5}, 0.5, 1)
    assert found.settings["factors"] == 5


def test_every_split_has_models_and_draws_and_peers_join_their_kind(bench):
    files = sorted(
        path.stem.removeprefix("leaderboard_") for path in compose.conf_dir().glob("experiment/leaderboard_*")
    )
    assert set(files) == set(bench.table.TITLES)
    assert set(bench.main.SPLITS) <= set(files)
    everybody = list(bench.contestants.CONTESTANTS)
    for split in files:
        planned = bench.main.contests([split], [], everybody, None)
        assert len({one.draw for one in planned}) >= 3
        own = {one.contestant.model for one in planned if one.contestant.module is None}
        kinds = {registry.get("model", one.contestant.model).component.predicts for one in planned}
        assert own
        assert len(kinds) == 1
        assert any(one.contestant.module for one in planned)


def test_a_draw_of_other_rows_is_refused(bench):
    found = {"data": "toy", "ratings": 9, "split": "a", "objective": "rmse", "test": {"rmse": 1.0}}
    als, bias = bench.contestants.named(["als", "bias"])[::-1]
    results = {}
    bench.main.keep(results, bench.main.Contest("toy", "random", "seed=1", als, ()), found, {})
    with pytest.raises(SystemExit, match="did not get the same rows"):
        bench.main.keep(results, bench.main.Contest("toy", "random", "seed=1", bias, ()), {**found, "split": "b"}, {})
    assert list(results["toy"]["splits"]["random"]["seed=1"]) == ["als"]


def test_contests_that_are_kept_with_as_much_time_are_not_missing(bench):
    (als,) = bench.contestants.named(["als"])
    contest = bench.main.Contest("toy", "random", "seed=1", als, ())
    results = {"toy": {"splits": {"random": {"seed=1": {"als": {"tuned": True, "minutes": 0.5}}}}}}
    assert bench.main.is_kept(results, contest, 0.5)
    assert not bench.main.is_kept(results, contest, 1.0)
    assert not bench.main.is_kept(results, replace(contest, draw="seed=2"), 0.5)
    assert not bench.main.is_kept({}, contest, 0.5)


def test_peers_that_are_not_there_are_named(bench):
    absent = bench.contestants.Contestant("Nobody", "nobody", "no_such_module_of_anybody", "nobody-lib")
    (why,) = bench.contestants.missing([absent, bench.contestants.Contestant("als", "als")]).values()
    assert "nobody-lib" in why
    assert "no_such_module_of_anybody" in why
    with pytest.raises(SystemExit, match="no contestant called nobdy"):
        bench.contestants.named(["nobdy"])


def record(rmse, trials=4):
    seconds = {"fit, processor": 0.5}
    return {
        "settings": {},
        "objective": "rmse",
        "tuned": True,
        "minutes": 0.5,
        "trials": trials,
        "test": {"rmse": rmse},
        "seconds": seconds,
    }


def test_the_table_has_means_and_spreads_of_levels_and_differences(bench):
    draws = {"seed=1": {"als": record(0.9), "bias": record(1.0)}, "seed=2": {"als": record(0.8), "bias": record(0.92)}}
    kept = {
        "ratings": 9,
        "cpu": "cpu",
        "versions": {"mfx": "1"},
        "left_out": {"myFM": "gone"},
        "splits": {"random": draws},
    }
    written = list(bench.table.lines({"toy": kept}, ["bias", "als", "myFM"]))
    assert "| bias | 0.9600 ±0.0566 | +0.1100 ±0.0141 | 4 | 0.50 |" in written
    assert "| als | 0.8500 ±0.0707 |  | 4 | 0.50 |" in written
    assert "Left out: myFM (gone)." in written
    del draws["seed=2"]["bias"]
    written = list(bench.table.lines({"toy": kept}, ["bias", "als", "myFM"]))
    assert "| bias | 1.0000 (1 of 2) | +0.1000 | 4 | 0.50 |" in written
    assert "30 seconds" in written[0]
    text = bench.table.into(f"before\n{bench.table.BEGIN}old\n{bench.table.END}\nafter", {"toy": kept}, ["als"])
    assert text.startswith("before\n")
    assert text.endswith(f"{bench.table.END}\nafter")
    assert "what was here" not in text


def test_the_speed_of_samplers_is_that_of_their_last_fits(bench):
    draws = {"seed=1": {"b": {**record(1.0), "tuned": False, "settings": {"epochs": 10, "sweeps": 5}}}}
    assert bench.table.draws_a_second(draws, "b") == 100.0
    draws["seed=1"]["b"]["settings"] = {"samples": 20}
    assert bench.table.draws_a_second(draws, "b") == 40.0
    draws["seed=1"]["b"]["tuned"] = True
    assert bench.table.draws_a_second(draws, "b") is None
    assert bench.table.draws_a_second(draws, "nobody") is None


def cold_ratings():
    """Ratings of users and items of whom some have none."""
    rng = np.random.default_rng(0)
    users, items = (part.ravel() for part in np.meshgrid(np.arange(30), np.arange(25), indexing="ij"))
    chosen = (rng.random(users.size) < 0.4) & (users < 27) & (items < 22)
    values = rng.choice([1, 2, 3, 4, 5], chosen.sum())
    known = Catalogue(np.arange(30), np.arange(25))
    return Ratings.from_columns(users[chosen], items[chosen], values, catalogue=known, scale=RatingScale(1.0, 5.0))


PAIRS = tuple(part.ravel().astype(np.int32) for part in np.meshgrid(np.arange(30), np.arange(25), indexing="ij"))


@pytest.mark.parametrize("name", ["surprise_svd", "surprise_svdpp"])
def test_surprise_predicts_the_same(bench, name):
    pytest.importorskip("surprise", reason="scikit-surprise is not installed")
    model = registry.create("model", name, {"factors": 6, "reg": 0.0, "learning_rate": 0.02}).fit(cold_ratings())
    theirs = [model.fitted_.predict(user, item).est for user, item in zip(*PAIRS, strict=True)]
    assert np.abs(model.predict_pairs(*PAIRS) - theirs).max() < 1e-5


def test_cmfrec_predicts_the_same_of_whom_it_knows(bench):
    pytest.importorskip("cmfrec", reason="cmfrec is not installed")
    train = cold_ratings()
    model = registry.create("model", "cmfrec", {"factors": 5, "reg": 1.0}).fit(train)
    known = (train.user_counts[PAIRS[0]] > 0) & (train.item_counts[PAIRS[1]] > 0)
    theirs = np.clip(model.fitted_.predict(*PAIRS), 1.0, 5.0)
    ours = model.predict_pairs(*PAIRS)
    assert np.abs(ours - theirs)[known].max() < 1e-5
    assert np.isfinite(ours).all()


def test_myfm_predicts_the_same_and_ranks_by_it(bench):
    pytest.importorskip("myfm", reason="myfm is not installed")
    model = registry.create("model", "myfm", {"factors": 4, "samples": 20}).fit(cold_ratings())
    assert len(model.fitted_.predictor_.samples) == 18
    columns = model.columns(*PAIRS).toarray()
    assert (columns.sum(axis=1) == 2).all()
    assert (columns.argmax(axis=1) == PAIRS[0]).all()
    users = np.array([3, 28], dtype=np.int32)
    ranked = model.score_users(users)
    assert np.abs(ranked[0, 7] - model.score_pairs(users[:1], np.array([7], dtype=np.int32))[0]) < 1e-6


@pytest.mark.parametrize("name", ["implicit_als", "implicit_bpr"])
def test_implicit_recommends_the_same_and_is_stopped(bench, name):
    pytest.importorskip("implicit", reason="implicit is not installed")
    train = cold_ratings()
    seen = []

    def stop(model, epoch):
        seen.append(epoch.number)
        return epoch.number == 3

    model = registry.create("model", name, {"factors": 8}).fit(train, on_epoch=stop)
    assert seen == [1, 2, 3]
    items, theirs = model.fitted_.recommend(2, bench.peers.matrix_of(train)[2], N=5)
    assert np.abs(model.score_users(np.array([2], dtype=np.int32))[0, items] - theirs).max() < 1e-6
    assert np.abs(model.recommend([2], k=5)["score"].to_numpy() - theirs).max() < 1e-6


def test_cornac_scores_the_same(bench):
    pytest.importorskip("cornac", reason="cornac is not installed")
    model = registry.create("model", "cornac_bpr", {"factors": 8, "epochs": 5, "learning_rate": 0.1}).fit(
        cold_ratings()
    )
    users = np.array([0, 29], dtype=np.int32)
    assert np.abs(model.score_users(users) - [model.fitted_.score(user) for user in users]).max() < 1e-5


def test_results_say_what_was_done():
    results = json.loads((HERE / "results.json").read_text())
    for kept in results.values():
        for draws in kept["splits"].values():
            for found in draws.values():
                assert len({one["split"] for one in found.values()}) == 1
                assert all(one["trials"] > one["failed"] >= 0 for one in found.values())
