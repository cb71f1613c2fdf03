"""Fits on workers of Ray: the same factors with any number of workers, also when one is killed; what is refused."""

import contextlib
import importlib.util
import os
import signal
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mfx
from mfx import compose
from mfx.engine.ray_engine import EngineError, RayEngine
from mfx.models.layouts import layouts
from mfx.solver import Ridge, solve_rows
from mfx.solver.grid import default_blocks
from mfx.solver.packed import PackedTable
from mfx.testing import planted_ratings

ray = pytest.importorskip("ray", reason="engine=ray needs the package ray")

HERE = ["dataset=synthetic", "dataset.preset=tiny", "tracking=console", "figures=false"]


@pytest.fixture(scope="module")
def cluster():
    with RayEngine(workers=4, store_gb=0.2).working():
        yield


def of_model(model):
    return [np.asarray(getattr(model, name)) for name in model.state_names]


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_comes_to_the_same_factors(workers):
    train = planted_ratings()
    fits = (mfx.Bias(epochs=2), mfx.ALS(factors=4, epochs=3), mfx.GenreALS(factors=4, epochs=3))
    for model in (*fits, mfx.ALS(factors=4, epochs=3, solver="cg")):
        engine = RayEngine(workers=workers)
        found = of_model(engine.fit(replace(model), train, None))
        for one, expected in zip(found, of_model(replace(model).fit(train)), strict=True):
            assert np.abs(one - expected).max(initial=0.0) <= 1e-5 * np.abs(expected).max(initial=0.0)
        spent = engine.spent()
        assert spent["engine/workers"] >= 1
        assert spent["seconds/epoch_compute"] > 0
        assert engine.spent() == {}


def dying_solve(rows, other, out, *, ridge, offset, marker):
    """Solve rows in a worker that is killed when it does so for the first time."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return solve_rows(rows, other, out, ridge, offset=offset)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_worker_that_is_killed_costs_its_blocks_and_no_more(tmp_path):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    train, marker = planted_ratings(), tmp_path / "killed"
    by_user, _ = layouts(train)
    other = np.random.default_rng(1).normal(size=(train.n_items, 5)).astype(np.float32)
    found, expected = np.empty((2, train.n_users, 5), np.float32)
    ridge = Ridge(2.0, 3.0)
    rows, _ = RayEngine(blocks=6)._layouts(train)
    shared = {"ridge": ridge, "offset": 0.5, "marker": str(marker)}
    minima = rows.run(dying_solve, PackedTable.of(other, 0.5), found, by_row={}, shared=shared)
    assert marker.exists()
    np.testing.assert_array_equal(np.concatenate(minima), solve_rows(by_user, other, expected, ridge, offset=0.5))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_pairwise_steps_are_the_same_bit_for_bit_though_a_worker_is_killed(workers):
    train = planted_ratings(90, 600, density=0.05)
    assert default_blocks(train.n_users, train.n_items) == 8
    model, engine, told = mfx.BPR(factors=4, epochs=4, hardest_of=2), RayEngine(workers=workers), []
    killed, timer = [], threading.Timer(0.05, lambda: killed.append(kill_one_worker()))

    def on_epoch(fitted, epoch):
        told.append(engine.spent())
        if epoch.number == 2:
            timer.start()
        return False

    found = of_model(engine.fit(replace(model), train, on_epoch))
    for one, expected in zip(found, of_model(replace(model).fit(train)), strict=True):
        np.testing.assert_array_equal(one, expected)
    timer.join()
    assert killed != [None]
    assert all(1 <= spent["engine/workers"] <= workers + 1 and spent["seconds/epoch_compute"] > 0 for spent in told)


def kill_one_worker():
    """Kill a worker; return what says which, None if there is none."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith((b"ray::_", b"ray::IDLE")) and is_ours(int(path.parent.name)):
                os.kill(int(path.parent.name), signal.SIGKILL)
                return path
    return None


def is_ours(pid):
    """Say whether this process is an ancestor of another."""
    while pid not in (1, os.getpid()):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == os.getpid()


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_run_has_the_numbers_of_a_run_without_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local, found = (mfx.run(*HERE, "model=als", "model.epochs=3", f"engine={name}") for name in ("local", "ray"))
    for name, value in local.metrics.items():
        if name.startswith(("train/", "valid/", "test/")):
            assert found.metrics[name] == pytest.approx(value, abs=1e-6)
    assert found.settings["engine"] == {
        "name": "ray",
        "address": None,
        "workers": None,
        "blocks": None,
        "store_gb": None,
    }
    assert "engine=ray" in compose.command(found.settings)
    assert "engine" not in compose.command(local.settings)


@pytest.fixture
def no_cluster(monkeypatch):
    """Ray, of which nothing is started."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **settings: None)
    monkeypatch.setattr(ray, "shutdown", lambda: None)


@pytest.mark.usefixtures("no_cluster")
def test_what_ray_prints_does_not_reach_standard_output(capsys):
    with RayEngine().working():
        print("a worker died")
    assert capsys.readouterr() == ("", "a worker died\n")


@pytest.mark.usefixtures("no_cluster")
def test_a_cluster_that_cannot_be_reached_or_fails_costs_one_line(monkeypatch):
    with pytest.raises(EngineError, match=r"The cluster failed: .*all is lost"), RayEngine().working():
        raise ray.exceptions.RaySystemError("all is lost")

    def refuse(**settings):
        raise ConnectionError("nobody\nis there")

    monkeypatch.setattr(ray, "init", refuse)
    where = r"no Ray cluster at auto: nobody is there\. .*ray start --head"
    with pytest.raises(EngineError, match=where), RayEngine(address="auto").working():
        pass


@pytest.mark.usefixtures("no_cluster")
def test_an_address_where_nobody_listens_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with RayEngine(address=address).working():
            pass
    with (
        pytest.raises(EngineError, match=f"no Ray cluster at {address}: .*refused"),
        RayEngine(address=address).working(),
    ):
        pass
    with (
        pytest.raises(EngineError, match="no Ray cluster at nowhere:port"),
        RayEngine(address="nowhere:port").working(),
    ):
        pass


@pytest.mark.parametrize("model", ["bayes_mf", "popularity"])
def test_models_whose_rows_cannot_lie_elsewhere_are_refused_before_data_is_read(model):
    with pytest.raises(EngineError, match=f"model={model} cannot be fitted on engine=ray"):
        compose.build(compose.compose([*HERE, f"model={model}", "engine=ray", "dataset.preset=ml_32m"]))


def test_a_subclass_has_to_answer_for_itself():
    class Other(mfx.ALS):
        pass

    with pytest.raises(EngineError, match="cannot be fitted"):
        RayEngine().check(None, None, Other(), {})
    RayEngine().check(None, None, mfx.ALS(), {})


def test_a_missing_package_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'mfx\[ray\]'"):
        RayEngine().check(None, None, mfx.ALS(), {})


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"address": "auto", "store_gb": 1.0}, "store_gb"), ({"address": "ray://somewhere:10001"}, "Ray's client")],
)
def test_settings_that_would_have_no_effect_are_refused(settings, said):
    with pytest.raises(EngineError, match=said):
        RayEngine(**settings)
