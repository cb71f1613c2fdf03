import logging

import numpy as np
import pytest

from mfx.data import ordering
from mfx.data.canonical import Repeats, Rows, put_in_order

RNG = np.random.default_rng(3)
ROWS = 500
USERS, ITEMS = (RNG.integers(0, 20, ROWS).astype(np.int32) for _ in range(2))
VALUES, TIMES = RNG.permutation(ROWS).astype(np.float32), RNG.integers(0, 5, ROWS)


@pytest.mark.parametrize(("rows", "dtype"), [(2**31 - 1, np.int32), (2**31, np.int64)])
def test_row_numbers_are_wide_where_int32_would_wrap(rows, dtype, monkeypatch):
    made = []
    monkeypatch.setattr(ordering.np, "arange", lambda n, dtype: made.append((n, dtype)))
    ordering.row_numbers(rows)
    assert made == [(rows, dtype)]


@pytest.mark.parametrize("duplicates", ["keep_last", "mean"])
def test_wide_row_numbers_put_rows_in_the_same_order(duplicates, monkeypatch, caplog):
    caplog.set_level(logging.ERROR)
    found = []
    for narrow in (2**31, ROWS):
        monkeypatch.setattr(ordering, "_NARROW", narrow)
        order = ordering.canonical_order(USERS, ITEMS, 20, 20)
        assert order.dtype == (np.int32 if narrow > ROWS else np.int64)
        assert np.array_equal(order, np.lexsort((ITEMS, USERS)))
        rows = Rows(USERS.copy(), ITEMS.copy(), VALUES.copy(), TIMES.copy())
        put_in_order(rows, range(20), 20, lambda row: row, duplicates, Repeats())
        found.append(rows)
    for name in ("users", "items", "values", "timestamps"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_the_largest_row_numbers_keep_their_place():
    """Rows as they would be numbered in the last of more than 2**31, of which a test cannot hold the others."""
    order = np.arange(4, dtype=np.int64)
    assert ordering.counting_order(np.array([1, 0, 1, 0], np.int32), 2, order).dtype == np.int64
    marked, values = np.zeros(3, np.bool_), np.zeros(3, np.float32)
    settled = ordering.settle_ties(np.array([2**31 + 5, 2**32, 7]), marked, values, None, np.zeros(0, np.int64))
    assert settled.tolist() == [2**31 + 5, 2**32, 7]
