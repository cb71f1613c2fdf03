from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.solver.segments import group_rows, label_tails


@given(st.lists(st.integers(0, 5), max_size=40))
@settings(deadline=None, max_examples=30)
def test_grouping_is_a_stable_sort(keys: list[int]) -> None:
    array = np.array(keys, dtype=np.int32)
    indptr, rows = group_rows(array, 6)
    assert rows.tolist() == np.argsort(array, kind="stable").tolist()
    assert np.diff(indptr).tolist() == np.bincount(array, minlength=6).tolist()


@given(st.lists(st.lists(st.integers(0, 4), max_size=8), min_size=1, max_size=6), st.data())
@settings(deadline=None, max_examples=30)
def test_tails_are_the_largest_keys(segments: list[list[int]], data: st.DataObject) -> None:
    last = [data.draw(st.integers(0, len(s))) for s in segments]
    before = [data.draw(st.integers(0, len(s) - n)) for s, n in zip(segments, last, strict=True)]
    expected: list[int] = []
    for keys, n, m in zip(segments, last, before, strict=True):
        labels = np.zeros(len(keys), int)
        order = np.argsort(keys, kind="stable")[::-1]
        labels[order[:n]] = 2
        labels[order[n : n + m]] = 1
        expected += labels.tolist()
    indptr = np.concatenate([[0], np.cumsum([len(s) for s in segments])]).astype(np.int64)
    flat = np.array([key for s in segments for key in s], dtype=np.int64)
    assert label_tails(indptr, flat, np.array(last), np.array(before)).tolist() == expected


def test_equal_keys_of_a_long_segment_go_by_position() -> None:
    keys = np.arange(2000, dtype=np.int64) % 3
    labels = label_tails(np.array([0, 2000]), keys, np.array([400]), np.array([500]))
    order = np.argsort(keys, kind="stable")
    expected = np.zeros(2000, int)
    expected[order[-400:]] = 2
    expected[order[-900:-400]] = 1
    assert labels.tolist() == expected.tolist()
