"""Fits on a Ray cluster, or on processes of this machine."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mfx.engine.local import LocalEngine
from mfx.engine.times import Times
from mfx.errors import MFXError
from mfx.interfaces import Dataset, IndexArray, Metric, Model, OnEpoch, Ratings, Split, Splitter
from mfx.metrics.settings import EvaluationSettings
from mfx.models.bulk import FoldedUsers, Wanted
from mfx.models.factors import FactorModel
from mfx.models.layouts import layouts
from mfx.registry import register
from mfx.settings import setting

_ROW_COST = 16.0
"""Work of a row as such in units of that of an entry, for blocks of equal work."""


_PATIENCE = 10.0
"""Seconds that a cluster may take to answer."""


class EngineError(MFXError):
    """An engine cannot do what it is asked to, or cannot be reached."""


@register("engine", "ray")
@dataclass(kw_only=True)
class RayEngine(LocalEngine):
    """Rows solved by the workers of a Ray cluster, each a process with one thread.

    Both sides' blocks of ratings lie in the memory of the cluster; an update moves one side's table to every machine
    and the solved rows back; `bpr` has rows go from task to task for an epoch. Results do not depend on the number of
    workers, and a worker that dies costs its blocks.
    All else is done in this process, as by `LocalEngine`, but for data sets in parts.

    Parameters
    ----------
    address : str, optional
        Of a cluster that runs: ``auto`` for that of this machine (``ray start``), or HOST:PORT. By default one is
        started on this machine for the run, and ended with it.
    workers : int, optional
        How many workers. By default one a processor, of this machine or of the whole cluster.
    blocks : int, optional
        Into how many blocks each side is cut; more than workers, so that a slow one does not hold up the others. By
        default at least 16, and one per 4 million ratings. `genre_als` has other last digits with other blocks.
    store_gb : float, optional
        Memory for what is shared between processes, where a cluster is started: ratings take 16 bytes each. By default
        Ray's choice, 30 % of the machine.
    """

    address: str | None = setting(None)
    workers: int | None = setting(None, ge=1)
    blocks: int | None = setting(None, ge=1)
    store_gb: float | None = setting(None, gt=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.address is not None and self.store_gb is not None:
            raise EngineError(
                "engine.store_gb is for a cluster that is started here, and engine.address names one that runs.",
                "Leave one out; ray start --object-store-memory sets that of a cluster.",
            )
        if self.address is not None and self.address.startswith("ray://"):
            raise EngineError(
                f"engine.address={self.address} is that of Ray's client, and a run wants to be part of the cluster.",
                "Start the run on a machine of the cluster, with engine.address=auto.",
            )
        self._times = Times()

    def check(self, dataset: Dataset, splitter: Splitter, model: Model, metrics: Mapping[str, Metric]) -> None:
        """Refuse models whose rows cannot lie elsewhere, and a missing Ray.

        Raises
        ------
        EngineError
            In one line, before data is read.
        """
        if importlib.util.find_spec("ray") is None:
            raise EngineError(
                "engine=ray needs the package ray, which is not installed.", "Run pip install 'mfx[ray]'."
            )
        if not vars(type(model)).get("rows_elsewhere", False):
            raise EngineError(
                f"model={getattr(model, 'name', type(model).__name__)} cannot be fitted on engine=ray.",
                "als, bias, bpr and genre_als can; or leave engine=ray out.",
            )
        if hasattr(dataset, "parts"):
            self._check_parts(splitter, metrics)

    def _check_parts(self, splitter: Splitter, metrics: Mapping[str, Metric]) -> None:
        """Refuse what cannot be done part by part to a data set that no process holds."""
        from mfx.metrics.sums import adds_up

        if vars(type(splitter)).get("divides") is None:
            raise EngineError(
                f"split={getattr(splitter, 'name', type(splitter).__name__)} cannot divide a partitioned data set.",
                "temporal, leave_last_out and random can; or use engine=local.",
            )
        for name, metric in metrics.items():
            if not adds_up(metric):
                raise EngineError(
                    f"The metric {name} cannot be added up from the parts of a partitioned data set.",
                    "Leave it out of metrics=, or use engine=local.",
                )

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Be part of the cluster in the block. Where the process is already, as in a trial of a launcher, it stays.

        Raises
        ------
        EngineError
            If the cluster cannot be reached or started.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its new default, else announced
        import ray

        if ray.is_initialized():
            yield
            return
        try:
            self._knock()
            ray.init(**self._start())
        except Exception as error:  # Ray raises many types, among them the plain one
            reason = " ".join(str(error).split())[:200]
            where = "on this machine" if self.address is None else f"at {self.address}"
            raise EngineError(
                f"There is no Ray cluster {where}: {reason.rstrip('.')}.",
                "Start one: ray start --head. Where one runs that wants a token, set RAY_AUTH_MODE=token.",
            ) from error
        try:
            with contextlib.redirect_stdout(sys.stderr):  # Ray prints what becomes of workers
                yield
        except ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[-300:]
            raise EngineError(f"The cluster failed: {reason}", "resume=true goes on from what was kept.") from error
        finally:
            ray.shutdown()

    def _knock(self) -> None:
        """Connect to the address at once and let go: Ray itself waits many minutes where nobody answers."""
        host, colon, port = (self.address or "").rpartition(":")
        if colon:
            socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()

    def _start(self) -> dict[str, Any]:
        shared: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
        if self.address is not None:
            return {"address": self.address, **shared}
        store = None if self.store_gb is None else int(self.store_gb * 1e9)
        return {"num_cpus": self.workers, "include_dashboard": False, "object_store_memory": store, **shared}

    def load(self, dataset: Dataset) -> Any:
        """Have a partitioned data set read by the workers; read any other one here."""
        if not hasattr(dataset, "parts"):
            return super().load(dataset)
        from mfx.engine import ray_parts

        return ray_parts.read(dataset.parts())

    def split(self, splitter: Splitter, ratings: Any) -> Any:
        """Divide the ratings, where they are."""
        if isinstance(ratings, Ratings):
            return super().split(splitter, ratings)
        from mfx.engine import ray_parts

        return ray_parts.split(splitter, ratings)

    def audit(self, split: Any) -> Mapping[str, float]:
        """Count what makes the split easier or harder than it looks."""
        return super().audit(split) if isinstance(split, Split) else split.audited

    def fit(self, model: Model, train: Ratings, on_epoch: OnEpoch | None) -> Model:
        """Fit the model with its rows in the memory of the cluster."""
        fitted: Any = model
        pairs = hasattr(type(model), "positives")
        name, makes = ("positives", functools.partial(self._positives, model)) if pairs else ("layouts", self._layouts)
        setattr(fitted, name, makes)
        self._times.take()
        try:
            return super().fit(model, train, on_epoch)
        finally:
            delattr(fitted, name)

    def evaluate(
        self, model: Model, seen: Any, held_out: Any, metrics: Mapping[str, Metric], settings: EvaluationSettings
    ) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """Score held-out ratings where they are."""
        if isinstance(held_out, Ratings):
            return super().evaluate(model, seen, held_out, metrics, settings)
        from mfx.engine import ray_parts

        return ray_parts.evaluate(model, seen, held_out, metrics, settings)

    def fold_in(self, model: FactorModel, ratings: Any, index: IndexArray, wanted: Wanted) -> FoldedUsers:
        """Take in the users of some ratings, by the workers."""
        from mfx.engine import ray_parts
        from mfx.engine.ray_tasks import put
        from mfx.solver.elsewhere import block_bounds

        if not isinstance(ratings, Ratings):
            return ray_parts.fold_in(model, ratings.parts, ratings.bounds, index, wanted)
        bounds = block_bounds(ratings.user_indptr, _ROW_COST, self.blocks)
        ends = itertools.pairwise(ratings.user_indptr[bounds].tolist())
        parts = [put((ratings.users[a:b], ratings.items[a:b], ratings.values[a:b], None)) for a, b in ends]
        return ray_parts.fold_in(model, parts, bounds, index, wanted)

    def _layouts(self, train: Any) -> tuple[Any, Any]:
        """Have both sides in the object store, in blocks."""
        from mfx.engine.ray_rows import RayRows
        from mfx.engine.ray_tasks import put
        from mfx.solver.elsewhere import block_bounds, block_of

        shared = (self.workers, self._times)
        if not isinstance(train, Ratings):
            from mfx.engine import ray_parts

            made = (
                (train.user_counts, *ray_parts.user_blocks(train)),
                (train.item_counts, *ray_parts.item_blocks(train, _ROW_COST, self.blocks)),
            )
            users, items = (RayRows(*one, *shared) for one in made)
            return users, items
        sides = []
        for rows in layouts(train):
            bounds = block_bounds(rows.indptr, _ROW_COST, self.blocks)
            blocks = []
            for start, stop in itertools.pairwise(bounds.tolist()):
                block = block_of(rows, start, stop)
                blocks.append(put((block.indptr, block.indices, block.values)))
            sides.append(RayRows(rows.counts, bounds, blocks, *shared))
        return sides[0], sides[1]

    def _positives(self, model: Any, train: Any) -> Any:
        """Have the positives of a model of pairs in the object store, in blocks of users."""
        from mfx.engine.ray_tasks import put
        from mfx.engine.ray_tiles import RayPositives
        from mfx.solver.elsewhere import block_bounds

        if not isinstance(train, Ratings):
            from mfx.engine import ray_parts

            blocks, counts, item_counts = ray_parts.positive_blocks(train, model.positive_threshold)
            return RayPositives(counts, item_counts, train.bounds, blocks, self.workers, self._times)
        here = type(model).positives(model, train)
        bounds = block_bounds(here.indptr, _ROW_COST, self.blocks)
        blocks = []
        for start, stop in itertools.pairwise(bounds.tolist()):
            pointers = here.indptr[start : stop + 1]
            blocks.append(put((pointers - pointers[0], here.indices[pointers[0] : pointers[-1]])))
        return RayPositives(here.counts, here.item_counts, bounds, blocks, self.workers, self._times)

    def spent(self) -> Mapping[str, float]:
        """Return where the seconds of the last epoch went, how many workers there were, and their speed."""
        return self._times.take()
