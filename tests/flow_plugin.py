"""A plugin of small components that tests run through the whole flow; importing it registers them."""

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from mfx.interfaces import Epoch, Ratings, RatingScale, Split
from mfx.registry import register
from mfx.settings import Component, setting, tunable


@register("dataset", "toy")
@dataclass(kw_only=True)
class Toy(Component):
    """Sixty users, forty items, ratings with leanings; `poison` ruins those that are test in `ToySplit` of fold 0."""

    users: int = setting(60, ge=2)
    columns: dict[str, str] = setting({})
    fails: bool = setting(False)
    interrupts: bool = setting(False)
    sleeps: float = setting(0.0, ge=0)
    poison: bool = setting(False)
    seed: int = setting(1, ge=0)
    loaded = 0

    def load(self) -> Ratings:
        Toy.loaded += 1
        if log := os.environ.get("MFX_TOY_LOADS"):
            with Path(log).open("a") as file:
                file.write(f"{os.getpid()}\n")
        if self.sleeps:
            Path("sleeping").touch()  # for those who want to interrupt it
            time.sleep(self.sleeps)
        if self.users == 2 and os.environ.get("MFX_TOY_KILLS"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fails:
            from mfx.errors import DataError

            raise DataError("The toy data set is broken.", "Set dataset.fails=false.")
        if self.interrupts:
            raise KeyboardInterrupt
        rng = np.random.default_rng(7)
        leaning, appeal = rng.normal(0, 0.5, self.users), rng.normal(0, 0.7, 40)
        user, item = np.nonzero(rng.random((self.users, 40)) < 0.5)
        values = np.clip(np.round(2 * (3.3 + leaning[user] + appeal[item] + rng.normal(0, 0.4, user.size))) / 2, 0.5, 5)
        times, scale = rng.integers(0, 10**6, user.size), RatingScale(0.5, 5.0)
        made = Ratings.from_columns(user + 100, item + 1000, values, times, scale=scale, name="toy")
        spoilt = _lots(self.seed, 0, len(made)) >= 0.8 if self.poison else np.zeros(len(made), bool)
        return replace(made, values=np.where(spoilt, made.values * np.float32(1e6), made.values))


def _lots(seed, fold, n):
    return np.random.default_rng([seed, fold]).random(n)


@register("split", "toy_split")
@dataclass(kw_only=True)
class ToySplit(Component):
    """Random parts; if it `leaks`, all of test is in train too."""

    fold: int = setting(0, ge=0)
    leaks: bool = setting(False)
    seed: int = setting(1, ge=0)

    def split(self, ratings: Ratings) -> Split:
        draw = _lots(self.seed, self.fold, len(ratings))

        def part(low: float, high: float) -> Ratings:
            kept = (draw >= low) & (draw < high)
            columns = {name: getattr(ratings, name)[kept] for name in ("users", "items", "values", "timestamps")}
            return replace(ratings, **columns)

        return Split(ratings if self.leaks else part(0.0, 0.6), part(0.6, 0.8), part(0.8, 1.0), rule="toy")


@register("model", "toy_model")
@dataclass(kw_only=True)
class ToyModel(Component):
    """Mean and biases, learnt by gradient steps that soon overfit to noise of their own."""

    predicts = "ratings"
    objective = "rmse"
    epochs: int = setting(12, ge=1)
    learning_rate: float = tunable(0.02, low=0.001, high=0.1, log=True, gt=0)
    spoil_after: int = setting(6, ge=0)
    raises: bool = setting(False)
    seed: int = setting(1, ge=0)

    def fit(self, train, *, on_epoch=None):
        rng = np.random.default_rng(self.seed)
        self.mean_ = train.mean
        self.user_ = np.zeros(train.n_users, np.float32)
        self.item_ = np.zeros(train.n_items, np.float32)
        self.fitted_on_, self.epochs_run_ = len(train), 0
        for number in range(1, self.epochs + 1):
            if self.raises:
                raise ZeroDivisionError("a bug")
            error = train.values - self.score_pairs(train.users, train.items)
            self.user_ += self.learning_rate * np.bincount(train.users, error, train.n_users).astype(np.float32)
            error = train.values - self.score_pairs(train.users, train.items)
            self.item_ += self.learning_rate * np.bincount(train.items, error, train.n_items).astype(np.float32)
            if number > self.spoil_after:
                self.item_ += rng.normal(0, 0.2, self.item_.size).astype(np.float32)
            self.epochs_run_ = number
            losses = {"objective": float((error**2).sum()), "rmse": float(np.sqrt((error**2).mean()))}
            if on_epoch is not None and on_epoch(self, Epoch(number, losses)):
                break
        return self

    def score_pairs(self, users, items):
        return (self.mean_ + self.user_[users] + self.item_[items]).astype(np.float32)

    def score_users(self, users):
        return (self.mean_ + self.user_[users][:, None] + self.item_[None, :]).astype(np.float32)

    def save(self, folder: Path) -> None:
        folder.mkdir()
        np.savez(folder / "arrays.npz", user=self.user_, item=self.item_)


@register("model", "toy_ranking")
@dataclass(kw_only=True)
class ToyRanking(Component):
    """Items by how often they were rated; no epochs, no ratings, and it cannot be saved."""

    predicts = "ranking"
    objective = "ndcg@10"

    def fit(self, train, *, on_epoch=None):
        self.counts_ = train.item_counts.astype(np.float32)
        return self

    def score_pairs(self, users, items):
        return self.counts_[items]

    def score_users(self, users):
        return np.repeat(self.counts_[None, :], len(users), axis=0)


@register("tracking", "toy_tracking")
@dataclass(kw_only=True)
class ToyTracking(Component):
    """Remembers every run in `ToyTracking.runs`; in another process, see the folder that `log` names."""

    log: str | None = setting(None)
    runs: ClassVar[list] = []

    def start(self, info):
        run = ToyRun(info, self.log)
        ToyTracking.runs.append(run)
        return run


class ToyRun(SimpleNamespace):
    def __init__(self, info, log):
        super().__init__(
            info=info, log=log, run_id=info.directory.name, points=[], tags=dict(info.tags), data=[], folders=[]
        )
        self.status = None

    def log_metrics(self, values, step=0):
        self.points += [(step, name, value) for name, value in values.items()]

    def log_data(self, data):
        self.data.append(data)

    def log_folder(self, folder, where=""):
        self.folders.append((folder, sorted(path.name for path in folder.iterdir())))

    def set_tags(self, tags):
        self.tags |= tags

    def finish(self, status):
        import json

        self.status = status
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(json.dumps({"id": self.run_id, "parent": self.info.parent, "status": status}) + "\n")

    def where(self):
        return f"memory, run {self.run_id}"

    def latest(self):
        """Final value of each metric, as a store with curves shows it: that of the last step."""
        last = {}
        for step, name, value in self.points:
            if name not in last or step >= last[name][0]:
                last[name] = (step, value)
        return {name: value for name, (_, value) in last.items()}
