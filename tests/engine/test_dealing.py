"""How blocks are dealt to workers: in few tasks, the last ones small."""

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


def test_two_workers_do_sixteen_blocks_in_six_tasks():
    assert [len(task) for task in dealt(16, 2)] == [6, 6, 1, 1, 1, 1]
