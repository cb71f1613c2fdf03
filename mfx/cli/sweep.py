"""A sweep in the tracker: a parent run over its runs, and what it says about them at the end."""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hydra.experimental.callback import Callback
from hydra.types import RunMode

from mfx import compose, registry, results, same_inputs
from mfx.compose.nodes import GROUPS
from mfx.compose.varying import varying
from mfx.errors import MFXError, mask
from mfx.files import write_text
from mfx.interfaces import RunInfo, TrackedRun
from mfx.sweep import SWEEPER
from mfx.sweep.plan import preset

log = logging.getLogger(__name__)

FAILURE_FILE = "failure.json"
SUMMARY_FOLDER = "summary"
HYDRAS_FILE = "multirun.yaml"
"""What Hydra writes down of a sweep when it begins, word for word."""
NUISANCE = ("seed", "split.fold", "tags.fold", "run_name")
"""Settings that make repetitions of one experiment, not another experiment; ``tags.fold`` numbers published files."""


class CannotStart(SystemExit):
    """Passes an error through Hydra, which would turn any other exception of a callback into a warning."""

    def __init__(self, error: MFXError) -> None:
        super().__init__(2)
        self.error = error


@dataclass(frozen=True)
class _OpenSweep:
    tracked: TrackedRun
    directory: Path


_current: list[_OpenSweep] = []


class SweepInTracker(Callback):
    """Hydra's callback that opens the parent run; `close` ends it, as Hydra calls nobody when a run has failed."""

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:
        """Open the parent run and leave its id in the folder of the sweep, for runs in whatever process."""
        if config.resume:
            raise CannotStart(
                compose.ConfigError(
                    "resume=true: a sweep of runs cannot be resumed, only one run.",
                    "mfx sweep goes on by itself; of mfx -m, type the runs that are missing.",
                )
            )
        if config.hydra.sweeper._target_ == SWEEPER:
            return  # it has a parent of its own, which outlives the process
        try:
            with compose.explained():
                _current.append(_open(config, kwargs.get("config_name") or compose.CONFIG))
        except MFXError as error:
            raise CannotStart(error) from error

    def on_job_start(self, config: Any, **kwargs: Any) -> None:
        """Hide passwords that Hydra wrote down; every job looks, as none knows whether it is the first."""
        if config.hydra.mode == RunMode.MULTIRUN:
            _hide_secrets(Path(str(config.hydra.sweep.dir)) / HYDRAS_FILE)


def _hide_secrets(path: Path) -> None:
    if path.is_file() and (text := path.read_text(encoding="utf-8")) != mask(text):
        write_text(path, mask(text))


def is_open() -> bool:
    """Whether a sweep has a parent run that is not closed yet."""
    return bool(_current)


def parent_of(directory: Path) -> str | None:
    """Find the id of the parent run for the folder of one run of a sweep."""
    found = _parent(directory)
    return None if found is None else str(found["run_id"])


def what(directory: Path, overrides: Sequence[str]) -> str:
    """Say which run of its sweep this is: the overrides that differ between its runs, or else all of them."""
    swept = (_parent(directory) or {}).get("swept", [])
    return " ".join([one for one in overrides if one.partition("=")[0] in swept] or overrides) or "defaults"


def is_named(overrides: Sequence[str]) -> bool:
    """Whether a name for runs was typed; that of a named experiment is one run's, and a sweep has many."""
    return any(one.partition("=")[0] == "run_name" for one in overrides)


def name_of(directory: Path, overrides: Sequence[str], label: str) -> str | None:
    """Name a run of a sweep after what sets it apart, such as ``als_temporal factors=20``; None: its label says it."""
    parts = what(directory, overrides).split(" ")
    told = [one.removeprefix("model.") for one in parts if "=" in one and one.partition("=")[0] not in GROUPS]
    return f"{label} {' '.join(told)}"[:250] if told else None


def _parent(directory: Path) -> dict[str, Any] | None:
    folder = same_inputs.folder_of(directory)
    if folder is None:
        return None
    found: dict[str, Any] = json.loads((folder / results.PARENT_FILE).read_text(encoding="utf-8"))
    return found


def note_failure(directory: Path, overrides: Sequence[str], error: Exception) -> None:
    """Leave in the folder of a run why it failed."""
    text = f"{'' if isinstance(error, MFXError) else type(error).__name__ + ': '}{error}"
    results.write_json(directory / FAILURE_FILE, {"overrides": list(overrides), "error": " ".join(text.split())})


def _open(config: Any, config_name: str) -> _OpenSweep:
    import hydra

    directory = Path(str(config.hydra.sweep.dir)).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    typed = [str(override) for override in config.hydra.overrides.task]
    overrides = [*preset(config.hydra.sweeper.get("params") or {}, typed), *typed]
    # Every sweep has a first run; the tracker, experiment and tags of the parent are those of that run.
    shared = [str(one) for one in config.hydra.overrides.hydra if "hydra.searchpath" in str(one)]
    first = compose.complete(hydra.compose(config_name, overrides=[*_first(overrides), *shared]))
    node = dict(first["tracking"])
    tracker = registry.create("tracking", node.pop("name"), node)
    swept = _swept(overrides)
    named = first["tags"].get("experiment", "sweep")
    name = first["run_name"] if is_named(typed) else f"{named} {' '.join(swept.values())}".strip()
    tags = {"sweep": "true", **{str(key): str(value) for key, value in first["tags"].items()}}
    info = RunInfo(first["experiment_name"], name[:250], {"overrides": " ".join(overrides)}, tags, None, directory)
    tracked: TrackedRun = tracker.start(info)
    results.write_json(directory / results.PARENT_FILE, {"run_id": tracked.run_id, "swept": list(swept)})
    return _OpenSweep(tracked, directory)


def _first(overrides: Sequence[str]) -> list[str]:
    """Choose the first of several values in each override, as the first run does; leave out what cannot be listed."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    chosen = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if not override.is_sweep_override():
            chosen.append(str(override.input_line))
        elif override.is_discrete_sweep():
            chosen.append(f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}")
    return chosen


def _swept(overrides: Sequence[str]) -> dict[str, str]:
    """Pick the overrides that give several values, by what they set."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return {one.get_key_element(): str(one.input_line) for one in parsed if one.is_sweep_override()}


@dataclass(frozen=True)
class Group:
    """Runs of one sweep that differ in seed or fold only.

    Attributes
    ----------
    mean, spread : dict of str to float
        By metric; the spread is the standard deviation with n - 1, absent for a single run.
    """

    label: str
    runs: int
    mean: dict[str, float]
    spread: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """What a sweep came to."""

    directory: Path
    where: str
    groups: list[Group]
    failures: dict[str, str]
    jobs: int
    notes: list[str]
    """What a reader of the numbers has to know of any of the runs, see `mfx.results.Result`; each is there once."""

    @property
    def metric_names(self) -> list[str]:
        """Names of all metrics, in the order in which runs report them."""
        return list(dict.fromkeys(name for group in self.groups for name in group.mean))

    def as_json(self) -> dict[str, Any]:
        """Return groups and failures as plain values."""
        plain = {"groups": [asdict(group) for group in self.groups], "failures": self.failures, "jobs": self.jobs}
        return plain | {"notes": self.notes}


def close(status: Literal["FINISHED", "FAILED", "KILLED"]) -> Summary:
    """Gather the runs of the open sweep, record mean and spread with the parent run, and end it."""
    sweep = _current.pop()
    try:
        return _close(sweep, status)
    except Exception:
        log.warning("The runs that finished are kept in %s.", sweep.directory)
        raise


def _close(sweep: _OpenSweep, status: Literal["FINISHED", "FAILED", "KILLED"]) -> Summary:
    finished, failures = _harvest(sweep.directory)
    groups = list(grouped(finished, (_parent(sweep.directory / SUMMARY_FOLDER) or {}).get("swept", [])))
    notes = [note for folder in _folders(sweep.directory) for note in results.notes_of(folder)]
    jobs = len(finished) + len(failures)
    summary = Summary(sweep.directory, sweep.tracked.where(), groups, failures, jobs, list(dict.fromkeys(notes)))
    for group in groups:
        prefix = "" if len(groups) == 1 else f"{group.label}/"
        scores = [name for name in group.mean if name.startswith(("valid/", "test/"))]
        sweep.tracked.log_metrics({f"{prefix}{name}/mean": group.mean[name] for name in scores})
        sweep.tracked.log_metrics(
            {f"{prefix}{name}/std": group.spread[name] for name in scores if name in group.spread}
        )
    folder = sweep.directory / SUMMARY_FOLDER
    folder.mkdir(exist_ok=True)
    results.write_json(folder / "summary.json", summary.as_json())
    if finished:
        from mfx.analysis import several, side_by_side

        sweep.tracked.set_tags({"description": side_by_side.write(several.runs_of(sweep.directory), folder)})
    sweep.tracked.log_folder(folder)
    sweep.tracked.set_tags({"runs": str(summary.jobs), "runs_failed": str(len(failures))})
    sweep.tracked.finish(status)
    return summary


Finished = tuple[dict[str, str], dict[str, float]]


def _harvest(directory: Path) -> tuple[list[Finished], dict[str, str]]:
    """Read flattened settings and metrics of every finished run, and the reasons of those that failed, by folder."""
    from omegaconf import OmegaConf

    finished, failures = [], {}
    for folder in _folders(directory):
        numbers = folder / results.METRICS_FILE
        if folder.name == SUMMARY_FOLDER:
            continue
        if numbers.is_file():
            config: Any = OmegaConf.to_container(OmegaConf.load(folder / results.CONFIG_FILE))
            finished.append((compose.flatten(config), json.loads(numbers.read_text(encoding="utf-8"))))
        elif (folder / FAILURE_FILE).is_file():
            failures[folder.name] = json.loads((folder / FAILURE_FILE).read_text(encoding="utf-8"))["error"]
        else:
            failures[folder.name] = "it ended without a word"
    return finished, failures


def _folders(directory: Path) -> list[Path]:
    return sorted((path for path in directory.iterdir() if path.is_dir()), key=results.by_number)


def grouped(finished: Sequence[Finished], swept: Sequence[str] = ()) -> Iterator[Group]:
    """Group runs that differ in seed or fold only, and take mean and spread of each metric they all have.

    Parameters
    ----------
    finished : sequence of (dict, dict)
        Flattened settings and metrics of each run.
    swept : sequence of str
        Settings that the sweep gave several values. Others differ only because they follow one of these, such as the
        path of a fold's file.
    """
    members: dict[tuple[tuple[str, str], ...], list[dict[str, float]]] = {}
    same = {*NUISANCE, *_following_folds([settings for settings, _ in finished], swept)}
    for settings, metrics in finished:
        key = tuple(sorted((k, v) for k, v in settings.items() if k not in same and not k.endswith(".seed")))
        members.setdefault(key, []).append(metrics)
    for label, runs in zip(labels([dict(key) for key in members]), members.values(), strict=True):
        shared = [name for name in runs[0] if all(name in run for run in runs)]
        mean = {name: statistics.fmean(run[name] for run in runs) for name in shared}
        spread = {name: statistics.stdev(run[name] for run in runs) for name in shared} if len(runs) > 1 else {}
        yield Group(label, len(runs), mean, spread)


def _following_folds(runs: Sequence[Mapping[str, str]], swept: Sequence[str]) -> Iterator[str]:
    """Name the settings that were not swept themselves and have one value for each value of a swept seed or fold."""
    folds = [name for name in swept if name in NUISANCE]
    for name in dict.fromkeys(name for run in runs for name in run):
        if any(name == one or name.startswith(f"{one}.") for one in swept):
            continue
        if any(_follows([(run.get(fold), run.get(name)) for run in runs]) for fold in folds):
            yield name


def _follows(pairs: Sequence[tuple[str | None, str | None]]) -> bool:
    return len({value for _, value in pairs}) > 1 and len(set(pairs)) == len({fold for fold, _ in pairs})


def labels(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Name each of several configurations by what sets it apart: names of components, then settings that vary."""
    differing = varying(settings)
    return [" ".join(_part(key, one[key]) for key in differing if key in one) or "all" for one in settings]


def _part(key: str, value: str) -> str:
    # Metric names of trackers allow few characters.
    text = "".join(c if c.isalnum() or c in "_-." else "-" for c in value)
    return text if key.endswith(".name") else f"{key}-{text}"
