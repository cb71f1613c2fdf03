"""Rows whose blocks lie in Ray's object store, solved by Ray's tasks.

Blocks are objects of the store, which processes of a machine share without copies, and so is the other side's table,
of which each machine gets one copy an update. Tasks have no state: those of a worker that dies are done by others.

A task with a result in the store costs some milliseconds of processor time, of the driver, the worker and Ray's own
processes. Where workers have all processors that time is missing in kernels, so several blocks go into one task.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.engine.dealing import dealt
from mfx.engine.ray_tasks import first_ended, get, processors, put, task
from mfx.engine.times import Stopwatch, Times
from mfx.engine.worker import Done, update_blocks
from mfx.interfaces import AnyArray, FloatArray, PointerArray
from mfx.solver.elsewhere import BlockTask, RowsElsewhere

if TYPE_CHECKING:
    import ray


class Tables:
    """The latest tables in the object store, of both sides."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, FloatArray]] = []

    def send(self, table: FloatArray) -> Any:
        """Put a table into the store; return its reference."""
        reference = put(table)
        self._kept = [*self._kept[-1:], (reference, get(reference))]
        return reference

    def send_once(self, table: FloatArray) -> Any:
        """Put a table into the store unless it is there, bit for bit.

        In alternating updates the rows that an update starts from were sent for the one before.
        """
        for reference, there in self._kept:
            if there.shape == table.shape and np.array_equal(there.view(np.int32), table.view(np.int32)):
                return reference
        return self.send(table)


class RayRows(RowsElsewhere):
    """Rows in blocks in the object store.

    Parameters
    ----------
    counts, bounds
        See `RowsElsewhere`.
    blocks : list of ray.ObjectRef
        ``indptr``, ``indices`` and ``values`` of each block.
    workers : int or None
        How many tasks may be under way; None for as many as the cluster takes.
    times : Times
        Told what each update took.
    tables : Tables
        Those in the store, of both sides.
    """

    def __init__(
        self,
        counts: PointerArray,
        bounds: PointerArray,
        blocks: list[ray.ObjectRef[Any]],
        workers: int | None,
        times: Times,
        tables: Tables,
    ) -> None:
        super().__init__(counts, bounds)
        self._blocks, self._workers, self._times, self._tables = blocks, workers, times, tables

    def each(
        self, other: FloatArray, own: FloatArray | None, offset: float, tasks: Sequence[BlockTask]
    ) -> Iterator[tuple[int, Any]]:
        """Do task b to block b; yield what they return as they end. See `RowsElsewhere.each`."""
        begin, moving = time.perf_counter(), Stopwatch()
        by_worker: dict[int, tuple[float, float]] = {}
        remote = task(_update)
        with moving:
            tables = [self._tables.send(other)] + ([] if own is None else [self._tables.send_once(own)])
        key = secrets.token_hex(8)
        there = processors()
        workers = min(self._workers or there, there)
        # What the cluster cannot take yet waits there, and starts without the driver when a worker is free.
        at_once = len(tasks) if workers == there else workers
        waiting = dealt(len(tasks), workers)[::-1]
        pending: dict[Any, range] = {}
        while waiting or pending:
            while waiting and len(pending) < at_once:
                part = waiting.pop()
                blocks = (self._blocks[block] for block in part)
                pending[remote(tables, key, offset, [tasks[block] for block in part], *blocks)] = part
            ended = first_ended(list(pending))
            with moving:
                done: Done = get(ended)
                yield from zip(pending.pop(ended), done.found, strict=True)
            kernels, fetching = by_worker.get(done.worker, (0.0, 0.0))
            by_worker[done.worker] = kernels + done.kernels, fetching + done.fetching
        wall = time.perf_counter() - begin
        self._times.add(wall, by_worker=by_worker, moved=moving.seconds, rows=self.n_rows)


def _update(
    tables: list[Any],
    key: str,
    offset: float,
    tasks: Sequence[BlockTask],
    *blocks: tuple[AnyArray, AnyArray, AnyArray],
) -> Done:
    """Do tasks to blocks. Ray brings the blocks; the tables are fetched once for all tasks of the worker."""
    return update_blocks(blocks, lambda: get(tables), key, offset, tasks)
