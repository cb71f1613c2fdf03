"""A data set, a split, a metric and a tracker."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

import mfx


@mfx.register("dataset", "clubs")
@dataclass(kw_only=True)
class Clubs(mfx.Component):
    """Members of three clubs rate thirty things, those of their own club higher.

    Parameters
    ----------
    members : int
        Number of users.
    label : str
        What captions call the ratings.
    seed : int
        Seed of everything.
    """

    members: int = mfx.setting(60, ge=2)
    label: str = mfx.setting("clubs")
    seed: int = mfx.setting(1, ge=0)

    def load(self) -> mfx.Ratings:
        """Draw the ratings."""
        rng = np.random.default_rng(self.seed)
        users, items = np.nonzero(rng.random((self.members, 30)) < 0.4)
        stars = rng.integers(1, 4, users.size) + 2 * (users % 3 == items % 3)
        return mfx.Ratings.from_columns(
            users,
            items,
            stars,
            10**9 + 3600 * rng.permutation(users.size),
            catalogue=mfx.Catalogue(np.arange(self.members), np.arange(30)),
            scale=mfx.RatingScale(1.0, 5.0),
            name=self.label,
        )


@mfx.register("split", "latest")
@dataclass(kw_only=True)
class Latest(mfx.Component):
    """Learn from all that is older than a moment; later ratings fall into valid and test by lot.

    Parameters
    ----------
    share : float
        Share of the ratings that are older.
    seed : int
        Seed of the lots.
    """

    leak_free: ClassVar[Literal["global"]] = "global"

    share: float = mfx.setting(0.6, gt=0.0, lt=1.0)
    seed: int = mfx.setting(1, ge=0)

    def split(self, ratings: mfx.Ratings) -> mfx.Split:
        """Divide the ratings."""
        if not len(ratings):
            raise mfx.SplitError("There is nothing to split.")
        times = ratings.timestamps
        if times is None:
            raise mfx.SplitError("There are no timestamps.", "Use split=random.")
        moment = np.quantile(times, self.share)
        # Valid may not be younger than test, so that nothing learned from both is younger than what is predicted.
        last = np.quantile(times[times > moment], np.random.default_rng(self.seed).uniform(0.2, 0.8))
        train, valid, test = times <= moment, (times > moment) & (times <= last), times > last
        rule = f"train is older than {moment:.0f}, test younger than {last:.0f}"
        return mfx.Split(ratings.take(train), ratings.take(valid), ratings.take(test), rule)


@mfx.register("metric", "hit_share")
@dataclass(kw_only=True)
class HitShare(mfx.Component):
    """Share of the first k places that hold relevant items.

    Parameters
    ----------
    k : int
        Length of the lists.
    label : str
        What tables call it.
    """

    needs: ClassVar[Literal["lists"]] = "lists"
    higher_is_better: ClassVar[bool] = True

    k: int = mfx.setting(3, ge=1)
    label: str = mfx.setting("hits")

    def per_user(self, outcome: mfx.ListOutcome) -> mfx.DoubleArray:
        """Return the share of each user; float64."""
        hits = outcome.hits[:, : self.k]
        found: mfx.DoubleArray = hits.sum(axis=1) / self.k
        return found

    def value(self, outcome: mfx.ListOutcome) -> float:
        """Return the mean over users."""
        return float(self.per_user(outcome).mean())


@mfx.register("tracking", "lines")
@dataclass(kw_only=True)
class Lines(mfx.Component):
    """Write each run to a file of JSON lines.

    Parameters
    ----------
    folder : str
        Where the files are.
    together : int
        How many lines are written at a time.
    """

    folder: str = mfx.setting("lines")
    together: int = mfx.setting(1, ge=1)

    def start(self, info: mfx.RunInfo) -> LinesRun:
        """Open the file of a run."""
        return LinesRun(Path(self.folder).absolute(), info, self.together)


class LinesRun:
    """A run in a file."""

    def __init__(self, folder: Path, info: mfx.RunInfo, together: int) -> None:
        self.run_id = uuid.uuid4().hex
        self.path, self.together = folder / f"{self.run_id}.jsonl", together
        self.waiting: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        about = {"params": dict(info.params), "tags": dict(info.tags)}
        self._write({"name": info.name, "parent": info.parent, **about})

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers."""
        self._write({"metrics": dict(values), "step": step})

    def log_data(self, data: mfx.DataInfo) -> None:
        """Record which data went in."""
        self._write({"data": data.name, "fingerprint": data.fingerprint})

    def log_folder(self, folder: Path, where: str = "") -> None:
        """Copy the files of a folder."""
        target = self.path.with_suffix("") / where
        target.mkdir(parents=True, exist_ok=True)
        for path in filter(Path.is_file, folder.iterdir()):
            shutil.copy(path, target / path.name)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record labels."""
        self._write({"tags": dict(tags)})

    def finish(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Write what is left."""
        self.together = 1
        self._write({"status": {"FINISHED": "done", "FAILED": "failed", "KILLED": "killed"}[status]})

    def where(self) -> str:
        """Name the file."""
        return str(self.path)

    def _write(self, entry: dict[str, object]) -> None:
        self.waiting.append(json.dumps(entry))
        if len(self.waiting) >= self.together:
            with self.path.open("a") as file:
                file.writelines(f"{line}\n" for line in self.waiting)
            self.waiting.clear()
