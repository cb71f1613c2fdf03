"""Rows whose blocks lie in Ray's object store, solved by Ray's tasks.

Blocks are objects of the store, which processes of a machine share without copies, and so is the other side's table,
of which each machine gets one copy an update. Tasks have no state: those of a worker that dies are done by others.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mfx.engine.ray_tasks import first_ended, get, put, task
from mfx.engine.times import Stopwatch, Times
from mfx.engine.worker import Done, update_block
from mfx.interfaces import AnyArray, FloatArray, PointerArray
from mfx.solver.elsewhere import BlockTask, RowsElsewhere

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
    at_once : int or None
        How many tasks may be under way; None for as many as the cluster takes.
    times : Times
        Told what each update took.
    """

    def __init__(
        self,
        counts: PointerArray,
        bounds: PointerArray,
        blocks: list[ray.ObjectRef[Any]],
        at_once: int | None,
        times: Times,
    ) -> None:
        super().__init__(counts, bounds)
        self._blocks, self._at_once, self._times = blocks, at_once, times

    def each(self, other: FloatArray, offset: float, tasks: Sequence[BlockTask]) -> Iterator[tuple[int, Any]]:
        """Do task b to block b; yield what they return as they end. See `RowsElsewhere.each`."""
        begin, moving = time.perf_counter(), Stopwatch()
        by_worker: dict[int, tuple[float, float]] = {}
        remote = task(_update)
        with moving:
            table = put(other)
        key = secrets.token_hex(8)
        waiting = list(range(len(tasks)))[::-1]
        pending: dict[Any, int] = {}
        while waiting or pending:
            while waiting and (self._at_once is None or len(pending) < self._at_once):
                block = waiting.pop()
                pending[remote(self._blocks[block], [table], key, offset, tasks[block])] = block
            ended = first_ended(list(pending))
            with moving:
                done: Done = get(ended)
                yield pending.pop(ended), (done.rows, done.result)
            kernels, fetching = by_worker.get(done.worker, (0.0, 0.0))
            by_worker[done.worker] = kernels + done.kernels, fetching + done.fetching
        wall = time.perf_counter() - begin
        self._times.add(wall, by_worker=by_worker, moved=moving.seconds, rows=self.n_rows)


def _update(
    block: tuple[AnyArray, AnyArray, AnyArray],
    table: list[ray.ObjectRef[FloatArray]],
    key: str,
    offset: float,
    task: BlockTask,
) -> Done:
    """Do a task to a block. Ray brings the block; the table is fetched once for all blocks of the worker."""
    return update_block(block, lambda: get(table[0]), key, offset, task)
