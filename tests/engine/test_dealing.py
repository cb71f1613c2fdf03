"""How blocks are dealt to workers: in few tasks, the last ones small."""

import heapq
import itertools

import pytest

from mfx.engine.dealing import dealt


@pytest.mark.parametrize(("n_blocks", "n_workers"), list(itertools.product([1, 2, 15, 16, 100], [1, 2, 3, 16, 40])))
def test_every_block_is_in_one_task_and_the_last_tasks_are_small(n_blocks, n_workers):
    tasks = dealt(n_blocks, n_workers)
    assert [block for task in tasks for block in task] == list(range(n_blocks))
    sizes = [len(task) for task in tasks]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    assert len(tasks) >= min(n_blocks, n_workers)
    # Whoever takes one of the largest tasks has no more than a fair share in it.
    assert sizes[0] <= max(1, n_blocks / n_workers)


def test_two_workers_do_sixteen_blocks_in_eight_tasks():
    assert [len(task) for task in dealt(16, 2)] == [4, 4, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("n_workers", [2, 4, 8])
@pytest.mark.parametrize(("slowness", "longer"), [(2, 1.2), (4, 1.9)])
def test_a_slow_worker_does_not_hold_up_the_others(n_workers, slowness, longer):
    free = [(0.0, worker) for worker in range(n_workers)]  # who is free when; the first one is slow
    n_blocks = 8 * n_workers
    for task in dealt(n_blocks, n_workers):
        when, worker = heapq.heappop(free)
        heapq.heappush(free, (when + len(task) * (slowness if worker == 0 else 1), worker))
    together = n_blocks / (n_workers - 1 + 1 / slowness)
    assert max(when for when, _ in free) <= longer * together
