"""Epochs of pairwise steps as tasks of Ray: tiles of the grid are handed out, and rows go from task to task.

Rows of a group of users or items are objects of the store. The task of a tile takes both and returns both, so that
nothing but these objects says what has to wait for what, and the driver sees rows at the ends of an epoch only.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from mfx.engine import tile_tasks
from mfx.engine.dealing import dealt
from mfx.engine.ray_tasks import first_ended, get, processors, put, task
from mfx.engine.times import Times
from mfx.engine.worker import worker_number
from mfx.interfaces import FloatArray, PointerArray
from mfx.solver.grid import Dealing, default_blocks
from mfx.solver.pairwise import Steps
from mfx.solver.pairwise_kernels import aligned, gather, scatter, width_of
from mfx.solver.tiles import rounds

GROUPS_A_WORKER = 2
"""More tiles a round than workers, so that a slow one does not hold up the others."""


class RayPositives:
    """Positives that lie in the object store, in blocks of users; stands in for `mfx.solver.pairwise.Positives`.

    Parameters
    ----------
    counts, item_counts : int64 arrays, shape (users,) and (items,)
        How many positives each user has, and how many users have each item as one.
    bounds : int64 array, shape (blocks + 1,)
        Block b has those of the users ``bounds[b]:bounds[b + 1]``.
    blocks : list of ray.ObjectRef
        Row pointers and items of each block.
    workers : int or None
        How many tasks may be under way; None for as many as the cluster takes.
    times : Times
        Told what each epoch took.
    """

    def __init__(
        self,
        counts: PointerArray,
        item_counts: PointerArray,
        bounds: PointerArray,
        blocks: Sequence[Any],
        workers: int | None,
        times: Times,
    ) -> None:
        self.counts, self.item_counts, self._bounds, self._blocks = counts, item_counts, bounds, blocks
        self._workers, self._times = workers, times

    def run_epoch(self, users: FloatArray, items: FloatArray, steps: Steps) -> float:
        """Take one step for each positive, in place; see `mfx.solver.pairwise.run_epoch`, whose rows it comes to."""
        begin = time.perf_counter()
        n_users, n_items, factors = len(users), len(items), users.shape[1] - 1
        blocks = default_blocks(n_users, n_items)
        dealing = Dealing.of(n_users, n_items, blocks, steps.seed, steps.epoch)
        there = processors()
        workers = min(self._workers or there, there)
        groups = divided(blocks, workers)
        handed = _Handed(None if workers == there else workers)
        tiles = self._tiles(dealing, groups, workers, handed)

        moved = time.perf_counter()
        user_work, item_work = aligned(n_users, width_of(factors)), aligned(n_items, width_of(factors))
        gather(users, dealing.users, factors, user_work)
        gather(items, dealing.items, factors, item_work)
        biases = items[dealing.items, factors]
        own, other = ([_span(starts, one) for one in groups] for starts in (dealing.user_starts, dealing.item_starts))
        user_rows = [put(user_work[span]) for span in own]
        item_rows = [put(tile_tasks.ItemRows(item_work[span], biases[span])) for span in other]
        moving = time.perf_counter() - moved
        every, done = np.arange(blocks + 1), []
        for tiles_of_round in rounds(groups):
            for a, b, differences in tiles_of_round:
                rows = (tiles[a][b], user_rows[a], item_rows[b])
                user_rows[a], item_rows[b], stepped = handed.out(_step, 3, *rows, differences, steps.arguments())
                done.append((_span(every, groups[a]), _span(every, groups[b]), stepped))
        handed.wait()

        moved = time.perf_counter()
        for span, rows in zip(own, get(user_rows), strict=True):
            user_work[span] = rows
        for span, rows in zip(other, get(item_rows), strict=True):
            item_work[span], biases[span] = rows.factors, rows.biases
        scatter(user_work, dealing.users, factors, users)
        scatter(item_work, dealing.items, factors, items)
        items[dealing.items, factors] = biases
        losses, triples = np.zeros((2, blocks, blocks))
        for *cells, stepped in done:
            one = get(stepped)
            losses[tuple(cells)] += one.losses
            triples[tuple(cells)] += one.triples
        moving += time.perf_counter() - moved
        wall = time.perf_counter() - begin
        self._times.add(wall, by_worker=handed.by_worker, moved=moving, rows=n_users + n_items)
        return float(losses.sum() / max(triples.sum(), 1))

    def _tiles(self, dealing: Dealing, groups: list[range], workers: int, handed: _Handed) -> list[list[Any]]:
        """Have the positives dealt to tiles; return a reference to each, by group of users and group of items."""
        starts = np.array([dealing.user_starts[one.start] for one in groups] + [len(self.counts)])
        visit_of = np.empty(len(self.counts), dtype=np.int32)
        visit_of[dealing.users] = np.arange(len(self.counts), dtype=np.int32)
        visits, shared = [put(visit_of)], [put(dealing)]
        pieces = []
        for part in dealt(len(self._blocks), workers):
            firsts, blocks = self._bounds[part.start : part.stop].tolist(), self._blocks[part.start : part.stop]
            pieces.append(handed.out(_cut, len(groups), firsts, visits, starts, *blocks))
        before = np.concatenate([[0], np.cumsum(self.counts[dealing.users])])
        return [
            handed.out(
                _tiles,
                len(groups),
                shared,
                own,
                groups,
                int(before[starts[a]]),
                int(before[-1]),
                *(piece[a] for piece in pieces),
            )
            for a, own in enumerate(groups)
        ]


class _Handed:
    """Tasks that were handed out; their last result is who did them, and the seconds of fetching and of kernels."""

    def __init__(self, at_once: int | None) -> None:
        self.by_worker: dict[int, tuple[float, float]] = {}
        self._at_once, self._pending = at_once, list[Any]()

    def out(self, function: Callable[..., Any], returns: int, *arguments: Any) -> list[Any]:
        """Hand one out, once fewer than what may be under way are; return references to its other results."""
        while self._at_once is not None and len(self._pending) >= self._at_once:
            self._end_one()
        results: list[Any]
        *results, seconds = task(function, returns=returns + 1)(*arguments)
        self._pending.append(seconds)
        return results

    def wait(self) -> None:
        """Wait for all."""
        while self._pending:
            self._end_one()

    def _end_one(self) -> None:
        ended = first_ended(self._pending)
        self._pending.remove(ended)
        worker, fetching, kernels = get(ended)
        before = self.by_worker.get(worker, (0.0, 0.0))
        self.by_worker[worker] = before[0] + kernels, before[1] + fetching


def divided(blocks: int, workers: int) -> list[range]:
    """Divide the blocks of a grid into groups: results do not depend on how many there are."""
    count = min(blocks, GROUPS_A_WORKER * workers) if workers > 1 else 1
    ends = [number * blocks // count for number in range(count + 1)]
    return [range(a, b) for a, b in itertools.pairwise(ends)]


def _span(starts: PointerArray, blocks: range) -> slice:
    return slice(int(starts[blocks.start]), int(starts[blocks.stop]))


Seconds = tuple[int, float, float]
"""The worker's number, and what it took for fetching and for kernels."""


def _cut(firsts: list[int], visit_of: list[Any], starts: PointerArray, *blocks: Any) -> tuple[Any, ...]:
    """Cut blocks of positives by group. References in lists are the same for all tasks of a worker."""
    begin = time.perf_counter()
    visits = get(visit_of)[0]
    found = [tile_tasks.cut(rows, first, visits, starts) for first, rows in zip(firsts, blocks, strict=True)]
    return (*zip(*found, strict=True), (worker_number(), time.perf_counter() - begin, 0.0))


def _tiles(
    dealing: list[Any], own: range, groups: Sequence[range], before: int, stride: int, *pieces: Any
) -> tuple[Any, ...]:
    """Put a group of users together, in tiles."""
    begin = time.perf_counter()
    numba.set_num_threads(1)
    tiles = tile_tasks.tiles(get(dealing)[0], own, groups, before, stride, list(itertools.chain(*pieces)))
    return (*tiles, (worker_number(), time.perf_counter() - begin, 0.0))


def _step(tile: Any, users: Any, items: Any, differences: range, steps: Any) -> tuple[Any, Any, Any, Seconds]:
    """Take the steps of a tile."""
    begin = time.perf_counter()
    numba.set_num_threads(1)
    found = tile_tasks.step(tile, users, items, differences, steps)
    return (*found, (worker_number(), 0.0, time.perf_counter() - begin))
