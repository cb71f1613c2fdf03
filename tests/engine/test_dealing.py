"""What is dealt to workers: blocks in few tasks, and tables that are sent once."""

import itertools

import numpy as np
import pytest

from mfx.engine import ray_rows
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


def test_a_table_that_was_sent_is_not_sent_again_unless_a_bit_of_it_has_changed(monkeypatch):
    sent = []
    monkeypatch.setattr(ray_rows, "put", lambda table: sent.append(table.copy()) or len(sent) - 1)
    monkeypatch.setattr(ray_rows, "get", lambda reference: sent[reference])
    tables, users, items = ray_rows.Tables(), np.zeros((4, 3), np.float32), np.ones((5, 3), np.float32)
    assert tables.send_once(items) == 0
    assert tables.send(users) == 1
    assert tables.send_once(items) == 0
    items[2, 1] = 7.0
    assert tables.send_once(items) == 2
    users[0, 0] = -0.0
    assert tables.send_once(users) == 3
    assert tables.send(users) == 4
    np.testing.assert_array_equal(sent[2], items)
