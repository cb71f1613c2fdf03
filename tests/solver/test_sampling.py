"""Samples of free items against Floyd's algorithm in plain Python."""

import itertools

import numpy as np
import pytest

from mfx.solver.hashing import CANDIDATES, key_of, random_bits
from mfx.solver.sampling import sample_free


def drawn(user, item, taken, n_items, size, seed):
    """Draw ranks of free items as Bentley and Floyd 1987 do, and name the items; the rest of a row is empty."""
    key, free = key_of(seed, CANDIDATES, user, item), [i for i in range(n_items) if i not in taken]
    ranks = []
    for n in range(min(size, len(free))):
        last = len(free) - min(size, len(free)) + n
        rank = ((int(random_bits(key, np.uint64(n))) >> 32) * (last + 1)) >> 32
        ranks.append(last if rank in ranks else rank)
    return [free[rank] for rank in ranks] + [-1] * (size - len(ranks))


@pytest.mark.parametrize("size", [1, 6, 11])
def test_draws_are_those_of_floyds_algorithm_for_each_pair(size):
    taken = [[], [0], [3, 4, 9], list(range(10)), list(range(9)), [5, 7]]
    indptr = np.cumsum([0, *map(len, taken)])
    users, items = (index.ravel().astype(np.int32) for index in np.indices((6, 10)))
    flat = np.array(list(itertools.chain(*taken)), dtype=np.int32)
    found = sample_free(users, items, indptr, flat, n_items=10, size=size, seed=8)
    assert found.dtype == np.int32
    expected = [drawn(u, i, taken[u], 10, size, 8) for u, i in zip(users.tolist(), items.tolist(), strict=True)]
    assert found.tolist() == expected


def test_nobody_asks_for_nothing():
    found = sample_free(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, np.int32),
                        n_items=3, size=2, seed=1)  # fmt: skip
    assert found.shape == (0, 2)
