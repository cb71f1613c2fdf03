"""A run that is cut off can go on: what is kept of it while it lasts, in a folder below ``runs/checkpoints/``.

The folder's name begins with a fingerprint of the configuration, which is how the same command finds it. It holds
``run.json`` (which run this is, and what it runs on), ``state.npz`` (how far its fits are; one file, replaced whole)
and a lock that the system takes back when the process dies. It is removed when the run is over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mfx import compose
from mfx.errors import DataError, MFXError, RunGone, mask
from mfx.files import atomic_file
from mfx.interfaces import AnyArray, Model, RunInfo, TrackedRun, Tracker
from mfx.models.early_stopping import Watch
from mfx.results import Curves, changes, write_json
from mfx.tracking.stages import StageClock

log = logging.getLogger(__name__)

ROOT = Path("runs") / "checkpoints"
RUN, STATE, LOCK = "run.json", "state.npz", "lock"
TAG = "checkpoint"
"""Label of a run in the tracker: name of its folder here, by which one is found that was cut off while it opened."""


class CheckpointError(MFXError):
    """A run that was cut off cannot go on."""


@dataclass(frozen=True)
class CutOff:
    """A run that was cut off.

    Attributes
    ----------
    folder, directory : pathlib.Path
        Where its checkpoint is, and the run's own folder.
    stands : str
        How far it came, for people.
    """

    folder: Path
    directory: Path
    stands: str


def find(plan: compose.Plan) -> CutOff | None:
    """Find the newest run with this configuration that was cut off; None where there is none.

    Raises
    ------
    CheckpointError
        If that run is not cut off but still runs, or its checkpoint is damaged.
    """
    folders = [path.parent for path in ROOT.absolute().glob(f"{fingerprint(plan.config)}_*/{RUN}")]
    for folder in sorted(folders, key=lambda one: (one / RUN).stat().st_mtime_ns, reverse=True):
        directory = Path(_about(folder)["directory"])
        if not directory.is_dir():
            continue
        with _locked(folder, directory):
            facts, _ = _read(folder)
        phase = "refit" if "refit" in facts else "fit"
        return CutOff(folder, directory, f"{phase}, after epoch {facts[phase]['epoch']}" if facts else "from its start")
    return None


def fingerprint(config: Mapping[str, Any]) -> str:
    """Hash a resolved configuration, secrets in addresses left out; 16 hexadecimal digits."""
    return hashlib.blake2b(mask(json.dumps(config, sort_keys=True)).encode(), digest_size=8).hexdigest()


@contextlib.contextmanager
def kept(plan: compose.Plan, directory: Path, clock: StageClock, code: Mapping[str, str]) -> Iterator[Checkpoint]:
    """Keep a checkpoint of the run in the block; where `plan.resume` says so, that of one that was cut off there.

    After an error, what was kept stays, if anything was. At the end of the block it is removed.

    Parameters
    ----------
    plan : Plan
        What is run.
    directory : pathlib.Path
        The run's own folder; that of `CutOff` for a run to go on.
    clock : StageClock
        Gets the seconds that the run had taken before.
    code : mapping of str to str
        Versions and commits, as `mfx.tracking.environment.facts` returns them.

    Raises
    ------
    CheckpointError
        If the run to go on was begun by other versions, still runs, or its checkpoint is damaged.
    """
    found = find(plan) if plan.resume else None
    resumed = found is not None and found.directory == directory
    folder = found.folder if found is not None and resumed else _new(plan, directory, code)
    with _locked(folder, directory):
        checkpoint = Checkpoint(folder, plan.checkpoint_minutes, clock)
        if resumed:
            checkpoint.go_on(code)
        try:
            yield checkpoint
        except BaseException:
            if (folder / STATE).is_file():
                log.warning("What was fitted is kept: the same command with resume=true goes on from there.")
            else:
                _remove(folder)
            raise
    _remove(folder)


@dataclass
class Checkpoint:
    """What is kept of a run while it lasts; without a folder, nothing is.

    Attributes
    ----------
    folder : pathlib.Path or None
        Where it is kept.
    minutes : float
        How long a fit goes on before its state is kept again.
    clock : StageClock
        That of the run.
    """

    folder: Path | None = None
    minutes: float = 0.0
    clock: StageClock = field(default_factory=StageClock)
    _facts: dict[str, Any] = field(default_factory=dict)
    _arrays: dict[str, AnyArray] = field(default_factory=dict)
    _phases: dict[str, Callable[[], _Phase]] = field(default_factory=dict)
    _fingerprints: dict[str, str] = field(default_factory=dict)
    _written: float = field(default_factory=time.monotonic)
    _told: bool = False

    def go_on(self, code: Mapping[str, str]) -> None:
        """Take up what an earlier process kept.

        Raises
        ------
        CheckpointError
            If other versions began the run, or the files are damaged.
        """
        assert self.folder is not None
        about = _about(self.folder)
        _same_code(about["code"], code)
        self._facts, self._arrays = _read(self.folder)
        self.clock.carry(self._facts.get("clock", {}))
        write_json(self.folder / RUN, about | {"resumed": about["resumed"] + 1})

    def stands_on(self, fingerprints: Mapping[str, str]) -> None:
        """Take note of the fingerprints of data and split.

        Raises
        ------
        DataError
            If the run that goes on stood on others.
        """
        if self._facts and (changed := changes(self._facts.get("fingerprints", {}), fingerprints)):
            raise DataError(
                f"The data have changed since the run was cut off ({changed}), so it cannot go on.",
                "Leave out resume=true to begin anew, or put the data back.",
            )
        self._fingerprints = dict(fingerprints)

    def take_up(self, phase: str, model: Model, watch: Watch | None = None, curves: Curves | None = None) -> None:
        """Put a fit (phase ``fit`` or ``refit``) where it was cut off, if it was: the model's `fit` goes on there."""
        if phase not in self._facts:
            return
        facts = self._facts[phase]
        model.continue_after(facts["epoch"], self._state(f"{phase}/state/"), over=facts["over"])  # type: ignore[attr-defined]
        if watch is not None and curves is not None:
            watch.resume(facts["watch"], self._state(f"{phase}/best/") or None)
            curves.values.update(facts["curves"])
        log.info("The %s goes on after epoch %d.", phase, facts["epoch"])

    def begin_again(self, model: Model, watch: Watch, curves: Curves) -> None:
        """Take back `take_up`, as the model has begun at its first epoch: it does not count them with `passes`."""
        log.warning("%s cannot go on after an epoch, so its fit begins again.", type(model).__name__)
        watch.begin_again()
        curves.values.clear()

    def note(
        self,
        phase: str,
        model: Model,
        epoch: int,
        *,
        over: bool = False,
        watch: Watch | None = None,
        curves: Curves | None = None,
    ) -> None:
        """Take note of how far a fit is; where the last time is long enough ago, write it down.

        A file that cannot be written costs a warning, not the run.
        """
        if self.folder is None or not hasattr(model, "continue_after"):
            return
        self._phases[phase] = partial(_phase, model, epoch, over, watch, curves)
        if time.monotonic() - self._written < 60.0 * self.minutes:
            return
        try:
            self._write(self.folder / STATE)
        except OSError as error:
            if not self._told:
                log.warning("The state of the fit cannot be kept (%s); the run goes on.", error.strerror or error)
            self._told = True
        self._written = time.monotonic()

    def tracked_by(self, tracker: Tracker) -> Tracker:
        """Return a tracker that opens the run of this checkpoint: the one that was cut off, else a new one."""
        return tracker if self.folder is None else _Reopening(tracker, self.folder)

    def _state(self, prefix: str) -> dict[str, AnyArray]:
        return {name.removeprefix(prefix): a for name, a in self._arrays.items() if name.startswith(prefix)}

    def _write(self, path: Path) -> None:
        facts: dict[str, Any] = {"fingerprints": self._fingerprints, "clock": self.clock.metrics()}
        arrays: dict[str, Any] = {}
        for name, made in self._phases.items():
            phase = made()
            facts[name] = phase.facts
            arrays |= {f"{name}/state/{key}": array for key, array in phase.state.items()}
            arrays |= {f"{name}/best/{key}": array for key, array in phase.best.items()}
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        with atomic_file(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)


@dataclass(frozen=True)
class _Phase:
    facts: dict[str, Any]
    state: Mapping[str, AnyArray]
    best: Mapping[str, AnyArray]


def _phase(model: Any, epoch: int, over: bool, watch: Watch | None, curves: Curves | None) -> _Phase:
    facts: dict[str, Any] = {"epoch": epoch, "over": over}
    best = None
    if watch is not None and curves is not None:
        facts["watch"], best = watch.progress()
        facts["curves"] = curves.values
    return _Phase(facts, model.state(), best or {})


@dataclass
class _Reopening:
    """A tracker that takes up the run that was cut off, or notes down the one that it opens."""

    tracker: Any
    folder: Path

    def prepare(self) -> None:
        if hasattr(self.tracker, "prepare"):
            self.tracker.prepare()

    def start(self, info: RunInfo) -> TrackedRun:
        about = _about(self.folder)
        known, resumed = about["run_id"], about["resumed"]
        count = {"resumed": str(resumed)} if resumed else {}
        if resumed and known is not None and hasattr(self.tracker, "reopen"):
            try:
                again: TrackedRun = self.tracker.reopen(known, info.experiment)
                again.set_tags(count)
                return again
            except RunGone as error:
                log.warning("%s The run goes on as a new one.", error.message)
        if resumed and known is None and hasattr(self.tracker, "discard"):
            self.tracker.discard(info.experiment, {TAG: self.folder.name})
        run: TrackedRun = self.tracker.start(replace(info, tags={**info.tags, **count, TAG: self.folder.name}))
        write_json(self.folder / RUN, about | {"run_id": run.run_id})
        return run


def _new(plan: compose.Plan, directory: Path, code: Mapping[str, str]) -> Path:
    folder = ROOT.absolute() / f"{fingerprint(plan.config)}_{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    about = {"directory": str(directory.absolute()), "run_id": None, "resumed": 0, "code": dict(code)}
    write_json(folder / RUN, about)
    return folder


def _remove(folder: Path) -> None:
    (folder / RUN).unlink(missing_ok=True)  # first: what is left of a folder without it is nothing to go on with
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, directory: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CheckpointError(
            f"The run {directory} with these settings still runs.",
            "Wait for its end, or leave out resume=true to begin another one.",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / RUN).read_text(encoding="utf-8"))
        missing = {"directory", "run_id", "resumed", "code"} - set(about)
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(folder / RUN, error) from error
    if missing:
        raise _damaged(folder / RUN, f"it lacks {', '.join(sorted(missing))}")
    return dict(about)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    path = folder / STATE
    if not path.exists():
        return {}, {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return json.loads(bytes(arrays.pop("facts"))), arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, reason: object) -> CheckpointError:
    text = " ".join(str(reason).split()).rstrip(".")
    return CheckpointError(f"{path} cannot be read: {text}.", f"Delete {path.parent}, and the run begins anew.")


def _same_code(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuse other versions, as the numbers might not be those of an uninterrupted run; tell of other code."""
    versions = [name for name in {**before, **now} if name == "python" or name.startswith("version.")]
    other = [f"{name.removeprefix('version.')} {before.get(name)} is now {now.get(name)}" for name in versions]
    changed = [text for name, text in zip(versions, other, strict=True) if before.get(name) != now.get(name)]
    if changed:
        raise CheckpointError(
            f"The run was begun on other versions: {'; '.join(changed)}.",
            "Install those again, or leave out resume=true to begin anew.",
        )
    names = [name for name in {**before, **now} if name.startswith("code.") and before.get(name) != now.get(name)]
    if names:
        told = ", ".join(name.removeprefix("code.") for name in names)
        log.warning("The code of %s has changed since the run was begun, which may show in its numbers.", told)
