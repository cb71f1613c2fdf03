from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mfx.errors import ModelError
from mfx.solver.topk import EXCLUDED, FINE, INFINITE, NOT_A_NUMBER, check_scores, mask_seen, ranks, select, top_k

NO_ITEMS = np.zeros(0, np.int32)

# Few distinct values, so that ties are common, and -∞ for items that are excluded.
blocks = arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 150)),
    elements=st.sampled_from([-np.inf, -2.5, -1.0, 0.0, 0.5, 3.0]),
    fill=st.sampled_from([0.5, -np.inf]),
)


def by_sorting(row: np.ndarray[Any, Any], k: int, late: set[int]) -> list[int]:
    order = sorted((-score, item in late, item) for item, score in enumerate(row.tolist()) if score > -np.inf)
    return [item for _, _, item in order][:k]


@given(blocks, st.integers(1, 200), st.data())
@settings(deadline=None, max_examples=40)
def test_selection_agrees_with_sorting(scores: np.ndarray[Any, Any], k: int, data: st.DataObject) -> None:
    rows, n_items = scores.shape
    late = [sorted(data.draw(st.sets(st.integers(0, n_items - 1), max_size=5))) for _ in range(rows)]
    indptr = np.concatenate([[0], np.cumsum([len(part) for part in late])]).astype(np.int64)
    before = scores.copy()
    items, best = select(scores, k, indptr, np.array([i for part in late for i in part], dtype=np.int32))
    assert np.array_equal(scores, before)
    for row in range(rows):
        expected = by_sorting(scores[row], k, set(late[row]))
        assert items[row].tolist() == expected + [-1] * (k - len(expected))
        assert best[row].tolist() == scores[row, expected].tolist() + [-np.inf] * (k - len(expected))


def test_a_late_item_does_not_displace_an_equal_one_from_a_full_list() -> None:
    scores = np.array([[1, 1, 1, 0], [2, 1, 1, 1]], dtype=np.float32)
    items, _ = select(scores, 2, np.array([0, 1, 2]), np.array([0, 1], dtype=np.int32))
    assert items.tolist() == [[1, 2], [0, 2]]


@pytest.mark.parametrize("k", [1, 2, 10, 64, 299, 300])
@pytest.mark.parametrize("seed", range(4))
def test_distinct_scores_agree_with_argsort(k: int, seed: int) -> None:
    scores = np.random.default_rng(seed).permutation(900).reshape(3, 300).astype(np.float32) - 400
    items, _ = select(scores, k, np.zeros(4, np.int64), NO_ITEMS)
    assert np.array_equal(items, np.argsort(-scores, axis=1)[:, :k])


@given(blocks, st.data())
@settings(deadline=None, max_examples=30)
def test_ranks_agree_with_counting(scores: np.ndarray[Any, Any], data: st.DataObject) -> None:
    rows, n_items = scores.shape
    asked = [data.draw(st.lists(st.integers(0, n_items - 1), max_size=4)) for _ in range(rows)]
    indptr = np.concatenate([[0], np.cumsum([len(part) for part in asked])]).astype(np.int64)
    above, tied, candidates = ranks(scores, indptr, np.array([i for part in asked for i in part], dtype=np.int32))
    assert candidates.tolist() == (scores > -np.inf).sum(axis=1).tolist()
    place = 0
    for row, items in enumerate(asked):
        for item in items:
            score = scores[row, item]
            assert above[place] == np.count_nonzero(scores[row] > score)
            excluded = score == -np.inf
            assert tied[place] == (0 if excluded else np.count_nonzero(scores[row] == score) - 1)
            place += 1


def test_long_rows_count_exactly() -> None:
    scores = np.arange(20_000, dtype=np.float32)[None, :] // 2
    above, tied, candidates = ranks(scores, np.array([0, 2]), np.array([0, 19_999], dtype=np.int32))
    assert (above.tolist(), tied.tolist(), candidates.tolist()) == ([19_998, 0], [1, 1], [20_000])


def test_seen_items_never_appear() -> None:
    scores = np.array([[5, 4, 3, 2], [1, 2, 3, 4], [9, 9, 9, 9]], dtype=np.float32)
    indptr, seen = np.array([0, 0, 4, 5, 7]), np.array([0, 1, 2, 3, 3, 0, 2], dtype=np.int32)
    items, best = top_k(scores, indptr, seen, np.array([2, 1, 3], dtype=np.int32), 3)
    assert items.tolist() == [[0, 1, 2], [-1, -1, -1], [1, 3, -1]]
    assert best[2].tolist() == [9, 9, -np.inf]


def test_without_seen_items_everything_is_listed_and_excluded_items_are_not() -> None:
    scores = np.array([[1, -np.inf, 3]], dtype=np.float32)
    items, _ = top_k(scores, None, None, np.array([0], dtype=np.int32), 5)
    assert items.tolist() == [[2, 0, -1, -1, -1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_an_error(bad: float) -> None:
    scores = np.zeros((3, 200), dtype=np.float32)
    scores[1, 150] = bad
    with pytest.raises(ModelError, match="1 of 3 users are not finite, the first being user index 8"):
        top_k(scores, None, None, np.array([7, 8, 9], dtype=np.int32), 5)


def test_a_list_has_at_least_one_place() -> None:
    with pytest.raises(ModelError, match="0 items"):
        top_k(np.zeros((1, 3), np.float32), None, None, np.zeros(1, np.int32), 0)


def test_every_kind_of_score_is_told_apart() -> None:
    rows = [[1, -3e38], [-np.inf, 1], [np.inf, -np.inf], [np.inf, np.nan], [3e38, 3e38]]  # the last sum overflows
    assert check_scores(np.array(rows, dtype=np.float32)).tolist() == [FINE, EXCLUDED, INFINITE, NOT_A_NUMBER, FINE]


def test_masking_touches_only_seen_items() -> None:
    scores = np.ones((1, 4), dtype=np.float32)
    mask_seen(scores, np.array([0, 1, 3]), np.array([0, 1, 3], dtype=np.int32), np.array([1], dtype=np.int32))
    assert scores.tolist() == [[1, -np.inf, 1, -np.inf]]


def test_results_do_not_depend_on_threads() -> None:
    scores = np.random.default_rng(3).integers(0, 50, (64, 700)).astype(np.float32)
    asked = np.arange(0, 65, dtype=np.int64), np.arange(64, dtype=np.int32)
    threads = numba.get_num_threads()
    try:
        found = []
        for count in (1, threads):
            numba.set_num_threads(count)
            found.append([*select(scores, 12, np.zeros(65, np.int64), NO_ITEMS), *ranks(scores, *asked)])
    finally:
        numba.set_num_threads(threads)
    assert all(np.array_equal(one, many) for one, many in zip(*found, strict=True))
