"""Rows whose blocks lie in Ray's object store, solved by Ray's tasks.

Blocks are objects of the store, which processes of a machine share without copies, and so is the other side's table,
of which each machine gets one copy an update. Tasks have no state: those of a worker that dies are done by others.

A task with a result in the store costs some milliseconds of processor time, of the driver, the worker and Ray's own
processes. Where workers have all processors that time is missing in kernels, so several blocks go into one task.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mfx.engine.dealing import dealt
from mfx.engine.ray_tasks import first_ended, get, processors, put, task
from mfx.engine.times import Stopwatch, Times
from mfx.engine.worker import Done, update_blocks
from mfx.interfaces import AnyArray, PointerArray
from mfx.solver.elsewhere import BlockTask, RowsElsewhere
from mfx.solver.packed import PackedTable

if TYPE_CHECKING:
    import ray


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
    """

    def __init__(
        self,
        counts: PointerArray,
        bounds: PointerArray,
        blocks: list[ray.ObjectRef[Any]],
        workers: int | None,
        times: Times,
    ) -> None:
        super().__init__(counts, bounds)
        self._blocks, self._workers, self._times = blocks, workers, times

    def each(self, other: PackedTable, tasks: Sequence[BlockTask]) -> Iterator[tuple[int, Any]]:
        """Do task b to block b; yield what they return as they end. See `RowsElsewhere.each`."""
        begin, moving = time.perf_counter(), Stopwatch()
        by_worker: dict[int, tuple[float, float]] = {}
        remote = task(_update)
        with moving:
            table = [put(other)]
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
                pending[remote(table, [tasks[block] for block in part], *blocks)] = part
            ended = first_ended(list(pending))
            with moving:
                done: Done = get(ended)
                yield from zip(pending.pop(ended), done.found, strict=True)
            kernels, fetching = by_worker.get(done.worker, (0.0, 0.0))
            by_worker[done.worker] = kernels + done.kernels, fetching + done.fetching
        wall = time.perf_counter() - begin
        self._times.add(wall, by_worker=by_worker, moved=moving.seconds, rows=self.n_rows)


def _update(table: list[Any], tasks: Sequence[BlockTask], *blocks: tuple[AnyArray, AnyArray, AnyArray]) -> Done:
    """Do tasks to blocks. Ray brings the blocks before it starts the task, which itself waits for the table."""
    return update_blocks(blocks, lambda: get(table)[0], tasks)
