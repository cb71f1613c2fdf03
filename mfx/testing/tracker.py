"""Laws of trackers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal

import pytest

from mfx.interfaces import DataInfo, RunInfo, TrackedRun
from mfx.testing.component import ComponentContract

DATA = DataInfo("contract", "0123abcd", "dataset=contract", {"ratings": 12.0, "note": "two words"})


class TrackerContract(ComponentContract):
    """The laws of trackers. Override the fixture `component` with one that returns your tracker.

    A tracker that keeps runs where a test can read them should override `recorded` too.
    """

    kind = "tracking"

    @pytest.fixture(autouse=True)
    def own_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run each test in a folder of its own, with no store named by the environment."""
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def info(self, tmp_path: Path) -> RunInfo:
        """Return what a run is told when it starts."""
        folder = tmp_path / "runs" / "one"
        folder.mkdir(parents=True, exist_ok=True)
        params = {"model.name": "als", "model.reg": "12.0", "metrics": "rmse,ndcg@10", "long": "x" * 1000}
        return RunInfo("contract", "als temporal", params, {"mood": "good"}, None, folder)

    @pytest.fixture
    def run(self, component: Any, info: RunInfo) -> TrackedRun:
        """Return an open run."""
        if hasattr(component, "prepare"):
            component.prepare()
        opened: TrackedRun = component.start(info)
        return opened

    def recorded(self, component: Any, run: TrackedRun) -> dict[str, float] | None:
        """Read back the last value of each metric of a finished run, by the name that it was logged under.

        None (the default) where that is not possible.
        """
        return None

    def test_a_run_has_an_id_of_its_own(self, component: Any, run: TrackedRun, info: RunInfo) -> None:
        """Ids are text and differ from run to run."""
        other = component.start(info)
        assert isinstance(run.run_id, str)
        assert run.run_id, "the id is empty"
        assert other.run_id != run.run_id, "two runs have one id"
        for one in (run, other):
            one.finish("FINISHED")

    def test_it_takes_everything_that_a_run_tells(self, run: TrackedRun, info: RunInfo) -> None:
        """Metrics with ``@`` in their names, epochs, data, folders and labels are all taken."""
        (info.directory / "metrics.json").write_text("{}")
        run.log_data(DATA)
        run.log_metrics({"train/objective": 3.0, "valid/ndcg@10": 0.1}, step=1)
        run.log_metrics({"train/objective": 2.0, "valid/ndcg@10": 0.2}, step=2)
        run.log_metrics({"test/ndcg@10": 0.3, "seconds/fit": 1e-9})
        run.log_metrics({})
        run.set_tags({"split_rule": "a line, with: punctuation; and more " * 20, "skipped.ndcg_at_10": "why"})
        run.log_folder(info.directory)
        run.log_folder(info.directory, "nested")
        run.finish("FINISHED")

    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_a_run_can_end_in_every_way(self, run: TrackedRun, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """A run can be finished, failed or killed, and told of its error before."""
        run.set_tags({"error": "ValueError: nothing"})
        run.finish(status)

    def test_where_to_look_is_one_line(self, run: TrackedRun) -> None:
        """`where` says in one line, before and after the end, where the run can be looked at."""
        before = run.where()
        run.finish("FINISHED")
        for line in (before, run.where()):
            assert line.strip()
            assert "\n" not in line

    def test_runs_can_be_grouped(self, component: Any, run: TrackedRun, info: RunInfo) -> None:
        """A run may name another one, still open, as its parent."""
        child = component.start(RunInfo("contract", "child", info.params, {}, run.run_id, info.directory))
        child.log_metrics({"test/rmse": 1.0})
        child.finish("FINISHED")
        run.log_metrics({"test/rmse/mean": 1.0})
        run.finish("FINISHED")
        assert child.run_id != run.run_id

    def test_it_works_from_another_thread(self, component: Any, info: RunInfo) -> None:
        """MFX opens and feeds runs from a thread of its own."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                opened = component.start(info)
                opened.log_metrics({"test/rmse": 1.0}, step=1)
                opened.finish("FINISHED")
            except BaseException as error:
                failures.append(error)

        if hasattr(component, "prepare"):
            component.prepare()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(timeout=120)
        assert not thread.is_alive(), "it did not end within two minutes"
        if failures:
            raise failures[0]

    def test_recording_leaves_the_folder_alone(self, run: TrackedRun, info: RunInfo) -> None:
        """Files of the run are copied, not moved or changed."""
        path = info.directory / "metrics.json"
        path.write_text('{"test/rmse": 1.0}')
        run.log_folder(info.directory)
        run.finish("FINISHED")
        assert path.is_file(), "a file of the run is gone"
        assert path.read_text() == '{"test/rmse": 1.0}', "a file of the run was changed"

    def test_what_was_recorded_can_be_read_back(self, component: Any, run: TrackedRun) -> None:
        """The last value of every metric is there after the end."""
        run.log_metrics({"train/objective": 3.0, "valid/ndcg@10": 0.1}, step=1)
        run.log_metrics({"train/objective": 2.5, "valid/ndcg@10": 0.25}, step=2)
        run.log_metrics({"test/ndcg@10": 0.5})
        run.finish("FINISHED")
        found = self.recorded(component, run)
        if found is None:
            pytest.skip("recorded is not overridden")
        expected = {"train/objective": 2.5, "valid/ndcg@10": 0.25, "test/ndcg@10": 0.5}
        assert {name: found.get(name) for name in expected} == pytest.approx(expected)
