import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.errors import ModelError
from mfx.solver.retrieval import ScoreProduct, best_of_product
from mfx.solver.topk import mask_seen, select


def _csr(rng, n_rows, n_columns, most):
    rows = [np.sort(rng.choice(n_columns, rng.integers(0, min(most, n_columns) + 1), False)) for _ in range(n_rows)]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return indptr, np.concatenate([*rows, []]).astype(np.int32)


def _whole_numbers(rng, n_users, n_items, p):
    """Make a product whose scores are exact in float32, with many ties."""
    users = rng.integers(-2, 3, (n_users, p)).astype(np.float32)
    items = rng.integers(-2, 3, (n_items, p)).astype(np.float32)
    return ScoreProduct(users, items, rng.integers(-3, 4, n_users).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 30),
    st.sampled_from([1, 7, 31, 511, 512, 513, 1100]),
    st.integers(1, 20),
    st.sampled_from([1, 3, 10, 40]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_lists_are_those_of_the_whole_matrix(seed, n_users, n_items, p, k, with_seen, with_late, with_allowed):
    rng = np.random.default_rng(seed)
    product = _whole_numbers(rng, n_users, n_items, p)
    users = rng.permutation(n_users + 5)[:n_users].astype(np.int32)
    seen = _csr(rng, n_users + 5, n_items, 40) if with_seen else None
    late = _csr(rng, n_users, n_items, 40) if with_late else None
    allowed = rng.random(n_items) < 0.5 if with_allowed else None
    items, best = best_of_product(product, users, k, seen=seen, late=late, allowed=allowed)

    scores = product.users @ product.items.T + product.shifts[:, None]
    if seen is not None:
        mask_seen(scores, *seen, users)
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    late_indptr, late_items = (np.zeros(n_users + 1, np.int64), np.zeros(0, np.int32)) if late is None else late
    expected_items, expected_best = select(scores, k, late_indptr, late_items)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(best, expected_best)


def test_many_users_on_one_thread_and_on_all():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(3000, 9)).astype(np.float32), rng.normal(size=(700, 9)).astype(np.float32)
    product = ScoreProduct(*factors, np.zeros(3000, np.float32))
    users = np.arange(3000, dtype=np.int32)
    lists = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        lists.append(best_of_product(product, users, 10))
    np.testing.assert_array_equal(lists[0][0], lists[1][0])
    np.testing.assert_array_equal(lists[0][1], lists[1][1])
    exact = factors[0].astype(np.float64) @ factors[1].T
    np.testing.assert_array_equal(lists[0][0], np.argsort(-exact, axis=1)[:, :10])
    some = best_of_product(ScoreProduct(factors[0][7:9], factors[1], product.shifts[:2]), users[7:9], 10)
    np.testing.assert_array_equal(some[1], lists[0][1][7:9])


@pytest.mark.parametrize(
    ("user", "item", "shift", "finite"),
    [
        (1.0, 1.0, 1.0, True),
        (np.nan, 1.0, 0.0, False),
        (1.0, np.inf, 0.0, False),
        (1.0, 1.0, np.nan, False),
        (1e20, 1e20, 0.0, False),
        (1e18, 1e18, 0.0, True),
    ],
)
def test_what_cannot_be_trusted_to_be_finite_is_seen(user, item, shift, finite):
    users, items = np.ones((3, 2), np.float32), np.ones((4, 2), np.float32)
    users[1, 1], items[2, 0] = user, item
    assert ScoreProduct(users, items, np.array([0.0, shift, 0.0], np.float32)).is_finite() is finite


def test_a_list_of_nothing_is_refused():
    with pytest.raises(ModelError, match="list of 0 items"):
        best_of_product(_whole_numbers(np.random.default_rng(0), 2, 3, 1), np.arange(2, dtype=np.int32), 0)


def test_users_that_do_not_match_the_scores_are_refused():
    with pytest.raises(ValueError, match="3 users were given for 2 rows"):
        best_of_product(_whole_numbers(np.random.default_rng(0), 2, 3, 1), np.arange(3, dtype=np.int32), 1)


def test_more_blocks_than_are_done_in_one_call_and_one_item_that_anybody_has_seen():
    n_users = 64 * 512 + 5
    users = np.linspace(1.0, 2.0, n_users, dtype=np.float32)[:, None]
    product = ScoreProduct(users, np.array([[3.0], [1.0], [2.0]], np.float32), np.zeros(n_users, np.float32))
    seen = np.concatenate([np.zeros(n_users, np.int64), [1]]), np.zeros(1, np.int32)  # the last user has seen item 0
    items, best = best_of_product(product, np.arange(n_users, dtype=np.int32), 1, seen=seen)
    assert items.ravel().tolist() == [0] * (n_users - 1) + [2]
    np.testing.assert_array_equal(best[:-1], 3 * users[:-1])


def test_lists_longer_than_a_tile_of_items():
    items = np.linspace(2.0, 1.0, 1100, dtype=np.float32)[:, None]  # each tile has nothing but lower scores
    product = ScoreProduct(np.ones((9, 1), np.float32), items, np.zeros(9, np.float32))
    found, best = best_of_product(product, np.arange(9, dtype=np.int32), 1090)
    np.testing.assert_array_equal(found, np.tile(np.arange(1090), (9, 1)))
    np.testing.assert_array_equal(best, np.tile(items[:1090, 0], (9, 1)))
