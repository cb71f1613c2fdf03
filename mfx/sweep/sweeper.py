"""The sweep, from the command line to the score on test: random stage, grid stage, refit, one look at test."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mfx import compose, experiment, results, same_inputs
from mfx.errors import MFXError, of_system
from mfx.interfaces import RunInfo
from mfx.sweep import launchers, points, report, trial
from mfx.sweep.plan import SweepPlan, plan
from mfx.sweep.progress import Progress
from mfx.sweep.recompose import Recomposer
from mfx.sweep.schedule import Schedule
from mfx.sweep.settings import SweepSettings
from mfx.sweep.space import overrides_of
from mfx.sweep.storage import RESULT_FILE, TIMES_FILE, StudyError
from mfx.sweep.study import Study
from mfx.sweep.tracked import TrackedSweep
from mfx.tracking.environment import code_facts

log = logging.getLogger(__name__)

FINAL_FILE = "final.json"
"""Stands in the folder of the best setting once it is refitted, scored and recorded."""
DONE_FILE = "done.json"
"""Stands in the study's folder once the tracker has been told what the sweep came to."""
RANDOM_SHARE = 2 / 3
"""Part of a time budget that random points may use."""
ALONE = 2
"""Times that a trial whose process ended without a result is launched again, by itself, before it counts as failed."""

finished: list[report.Outcome] = []
"""What sweeps of this process came to; Hydra hands nothing back."""


class SweepError(MFXError):
    """A sweep cannot go on."""


def sweep(
    settings: dict[str, Any], config: Any, launcher: Any, loader: Recomposer, arguments: Sequence[str]
) -> report.Outcome:
    """Carry out a sweep, or the rest of it.

    Parameters
    ----------
    settings : dict
        Those of `SweepSettings`.
    config : omegaconf.DictConfig
        Hydra's configuration of the whole.
    launcher : hydra.plugins.launcher.Launcher
        Runs the trials.
    loader : Recomposer
        Composes them; it is told what is searched.
    arguments : sequence of str
        Overrides as typed; those that give several values are searched.
    """
    with compose.explained():
        params = {str(key): str(value) for key, value in settings.pop("params", {}).items()}
        made = plan(SweepSettings(**settings, params=params), config, arguments)
    loader.searched = made.quick
    made.keep_or_compare()
    schedule = Schedule(made, made.folder)
    _refuse_changed(made, schedule)
    study = Study(made.folder, made.settings.storage, made.higher_is_better, made.space)
    try:
        study.refuse_foreign()
        tracked = TrackedSweep(made.trial_plan.tracker, _parent(made), study)
        try:
            with contextlib.ExitStack() as engine:
                outcome = _Sweep(made, schedule, study, tracked, launcher, config.hydra.launcher, engine).run()
        except BaseException as error:
            try:
                tracked.close("FAILED" if isinstance(error, Exception) else "KILLED")
            except Exception as second:  # what went wrong first is worth more
                if str(second) != str(error):
                    log.warning("The sweep could not be closed as it should: %s", second)
            _tell_kept(study)
            raise
        try:
            tracked.close("FINISHED")
        except Exception:
            _tell_kept(study)
            raise
    finally:
        study.close()
    finished.append(outcome)
    return outcome


def _refuse_changed(made: SweepPlan, schedule: Schedule) -> None:
    """Refuse to go on with trials that were made on other data or by other code, before anything is started.

    Data are read only where trials are there already.

    Raises
    ------
    MFXError
        If they differ, or the data cannot be read.
    """
    ended = sorted(int(path.parent.name) for path in made.folder.glob(f"trials/*/{RESULT_FILE}"))
    if not ended:
        return
    if not (made.folder / same_inputs.INPUTS_FILE).is_file():
        raise StudyError(
            f"{made.folder} does not say on what data its trials were made.",
            "Begin another study with sweep.study=NAME.",
        )
    same_inputs.check_code(made.folder, code_facts(made.trial_plan.packages))
    schedule.read()
    for tried in _plans(made, schedule, ended):
        if same_inputs.is_known(made.folder, tried.config):
            same_inputs.check(made.folder, tried.config, trial.prepared(tried)[1], code_facts(tried.packages))


def _plans(made: SweepPlan, schedule: Schedule, ended: Sequence[int]) -> Iterator[compose.Plan]:
    """Yield plans with all data sets and splits that trials had."""
    if not any(one.name.partition(".")[0] in ("dataset", "split") for one in made.space):
        yield made.trial_plan
        return
    for number in ended:
        with contextlib.suppress(MFXError):  # a trial that could not be composed has no data
            yield compose.build(made.compose([*made.fixed, *overrides_of(made.space, schedule.point(number))]))


def _tell_kept(study: Study) -> None:
    ended = sum(1 for _ in study.folder.glob(f"trials/*/{RESULT_FILE}"))
    if ended:
        log.warning("%d trials are kept in %s: the same command goes on from there.", ended, study.folder)


def _parent(made: SweepPlan) -> RunInfo:
    config = made.defaults
    name = config["run_name"] or f"{config['tags'].get('experiment', 'sweep')} {compose.label(config)}"
    tags = {"sweep": "true", "objective": made.trial_plan.objective, "study": made.folder.name}
    tags |= {str(key): str(value) for key, value in config["tags"].items()}
    searched = {f"search/{one.name}": made.describe(one) for one in made.space}
    params = {"overrides": " ".join(made.arguments), **searched}
    params |= {f"sweep/{name}": str(value) for name, value in made.settings.settings().items() if name != "storage"}
    return RunInfo(config["experiment_name"], name[:250], params, tags, None, made.folder)


def shares_engine(made: SweepPlan, launcher: Any) -> bool:
    """Whether all trials have the same engine, and a launcher does them in this process."""
    searched = any(one.name.partition(".")[0] == "engine" for one in made.space)
    return bool(launcher["_target_"] == launchers.BASIC) and not searched


class _Sweep:
    """One sweeper at work on a study, alone or beside others; what trials share ends with `engine`."""

    def __init__(
        self,
        made: SweepPlan,
        schedule: Schedule,
        study: Study,
        tracked: TrackedSweep,
        launcher: Any,
        about: Any,
        engine: contextlib.ExitStack,
    ) -> None:
        self.plan, self.study, self.tracked, self.launcher = made, study, tracked, launcher
        self.engine = engine
        self.engine_to_start = shares_engine(made, about)
        self.batch = made.settings.batch or launchers.batch(about)
        self.workers = launchers.workers(about, self.batch)
        self.schedule = schedule
        self.began = time.monotonic()
        self.progress = Progress(made.trial_plan.objective, made.higher_is_better)
        grid = made.settings.max_grid if made.settings.grid_points else 0
        self.may_fail = int(made.settings.max_failures * (len(self.schedule.random) + grid))

    def run(self) -> report.Outcome:
        """Go through the stages; what other sweepers, or this one before it was killed, did is not done again."""
        self.schedule.read()
        self._catch_up()
        if self.schedule.grid is None:
            self._stage(self.schedule.first_of_grid, "random", RANDOM_SHARE)
            self._wait()
            self._lay_grid()
        assert self.schedule.grid is not None
        self._stage(self.schedule.first_of_grid + len(self.schedule.grid.points), "grid", 1.0)
        self._wait()
        self.progress.end()
        if not self.study.ranked():
            raise SweepError("No trial came to a result.", self._first_error())
        with self.study.locked():
            return self._finish()

    def _catch_up(self) -> None:
        """Count what is there already, and record what was not recorded before a kill."""
        done = [one for one in self.study.trials() if one.state.is_finished()]
        if done:
            self.progress.resumed(len(done), [(one.number, one.value) for one in self.study.ranked()[:1]])
        for one in done:
            if not self.study.owned_by_other(one.number):
                self._track(one.number)

    def _track(self, number: int) -> None:
        record = self.study.result(number)
        if record is None:
            return
        params = record["params"] or self.plan.params_of(self.schedule.point(number))
        self.tracked.trial(number, record, self.schedule.stage_of(number), params)

    def _stage(self, end: int, stage: str, share: float) -> None:
        limit = self.plan.settings.minutes
        while True:
            began = time.perf_counter()
            if limit is not None and time.monotonic() - self.began > 60 * limit * share:
                log.info("The time budget of the %s stage is over.", stage)
                return
            claimed = self.study.claim(self.batch, end, self.schedule.point)
            if claimed:
                launched = self._launch(claimed, stage, end)
                self._add_times(time.perf_counter() - began, launched)
                self._check_failures()
            elif self.study.others_running():
                time.sleep(0.2)
            else:
                return

    def _wait(self) -> None:
        while self.study.others_running():
            time.sleep(0.2)

    def _launch(self, claimed: list[int], stage: str, end: int) -> list[int]:
        """Run claimed trials to their ends; returns those that had to be launched."""
        wanted = [number for number in claimed if self.study.take_back(number) or self.study.result(number) is None]
        error = self._try(wanted)
        # A job that kills its process takes the whole batch with it; by itself, only the guilty one does so again.
        for number in wanted:
            attempts = 0
            while self.study.result(number) is None and attempts < ALONE:
                error, attempts = self._try([number]) or error, attempts + 1
            if self.study.result(number) is None and of_system(error):
                assert error is not None
                raise error  # no fault of the trial, which is run again by the next command
            if self.study.result(number) is None:
                reason = " ".join(str(error).split()).partition(". ")[0] if error else "it ended without a word"
                self._write_failure(number, reason)
        for number in claimed:
            record = self.study.result(number)
            assert record is not None
            self.study.tell(number, record)
            self._track(number)
            self.progress.trial(number, end, stage, record, self.plan.text(self.schedule.point(number)))
        return wanted

    def _try(self, numbers: list[int]) -> Exception | None:
        """Launch trials; what goes wrong outside of them is returned, their own failures are in their files.

        Raises
        ------
        SweepError
            If a trial found other data or other code than those before it.
        """
        if not numbers:
            return None
        if self.engine_to_start:
            self.engine.enter_context(self.plan.trial_plan.engine.working())
            self.engine_to_start = False
        jobs = [
            [*self.plan.fixed, *overrides_of(self.plan.space, self.schedule.point(number)), *self.plan.placed(number)]
            for number in numbers
        ]
        failure: Exception | None = None
        try:
            self.launcher.launch(jobs, initial_job_idx=numbers[0])
        except Exception as error:
            failure = compose.complaints.explain(error) or error
        refused = [reason for reason in map(self.study.take_back, numbers) if reason is not None]
        if refused:
            raise SweepError(refused[0])
        return failure

    def _write_failure(self, number: int, reason: str) -> None:
        record: dict[str, Any] = {"status": "failed", "value": None, "metrics": {}, "curves": {}, "params": {}}
        results.write_json(self.study.place(number) / RESULT_FILE, record | {"error": reason, "seconds": 0.0})

    def _check_failures(self) -> None:
        failed = [one.number for one in self.study.trials() if one.state.name == "FAIL"]
        if len(failed) > self.may_fail:
            share = self.plan.settings.max_failures
            raise SweepError(
                f"{len(failed)} trials failed, and sweep.max_failures={share:g} allows {self.may_fail}.",
                f"{self._first_error()} Start anew with sweep.study=NAME when it is mended.",
            )

    def _first_error(self) -> str:
        for one in self.study.trials():
            record = self.study.result(one.number)
            if record is not None and "error" in record:
                return f"Trial {one.number}: {record['error']}"
        return "No trial was run."

    def _lay_grid(self) -> None:
        """Decide on the grid, once for all sweepers of the study."""
        with self.study.locked():
            self.schedule.read()
            if self.schedule.grid is not None:
                return
            first = min(len(self.study.trials()), len(self.schedule.random))
            ranked = [self.schedule.point(one.number) for one in self.study.ranked(first)]
            if not ranked:
                raise SweepError("No trial of the random stage came to a result.", self._first_error())
            settings, importances = self.plan.settings, self.study.importances(first)
            grid = points.Grid([], {}, [])
            if settings.grid_points:
                grid = points.grid(
                    self.plan.space,
                    ranked,
                    self.schedule.random[:first],
                    points.most_important(self.plan.space, importances, self.plan.grid_over),
                    points=settings.grid_points,
                    at_most=settings.max_grid,
                    best_few=settings.best_few,
                )
            self.schedule.lay(grid, first, importances)

    def _add_times(self, seconds: float, trials: list[int]) -> None:
        path = self.study.folder / TIMES_FILE
        with self.study.locked():
            times = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
            results.write_json(path, [*times, {"seconds": seconds, "trials": trials, "workers": self.workers}])

    def _finish(self) -> report.Outcome:
        """Refit the best setting, score it on test, mark it, and say what the sweep came to."""
        for one in self.study.trials():
            if one.state.is_finished() and not self.study.owned_by_other(one.number):
                self._track(one.number)  # sweepers that died meanwhile may have left some
        best = self.study.ranked()[0]
        folder = self.study.folder / results.BEST
        recorded = (self.study.folder / DONE_FILE).is_file() or self.tracked.has(folder / FINAL_FILE)
        if not recorded:
            began = time.perf_counter()
            self.tracked.wait()  # where the tracker lags behind, its time is one of the trials too
            self._add_times(time.perf_counter() - began, [])
            self._refit(best.number, folder)
        outcome = report.gather(self.plan, self.study, self.schedule, best.number, folder)
        if not (self.study.folder / DONE_FILE).is_file():
            if self.plan.defaults["figures"]:
                report.draw(self.plan, self.study, outcome)
            report.write_table(self.plan, self.study, outcome)
            results.write_json(self.study.folder / report.SUMMARY_FOLDER / "summary.json", outcome.as_json())
            self.tracked.mark_best(best.number)
            self.tracked.on_parent(lambda run: report.record(run, outcome))
            self.tracked.wait()
            results.write_json(self.study.folder / DONE_FILE, {"best": best.number})
        outcome.where = self.tracked.where()
        return outcome

    def _refit(self, number: int, folder: Path) -> None:
        if folder.exists():
            shutil.rmtree(folder)
            self.tracked.discard({"stage": "final"})
        folder.mkdir()
        overrides = [*self.plan.fixed, *overrides_of(self.plan.space, self.schedule.point(number))]
        final = compose.build(self.plan.compose([*overrides, "++tags.stage=final"]))
        log.info("Refitting the best setting, and scoring it on test.")
        run = experiment.execute(final, folder, self.tracked.run_id)
        # Its numbers are on disk before the tracker has them all.
        results.write_json(folder / FINAL_FILE, {"run_id": run.run_id, "parent": self.tracked.run_id})
