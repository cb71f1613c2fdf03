import numpy as np
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from mfx.solver.layout import SparseRows, balanced_blocks, transpose


def random_rows(n_rows: int, n_columns: int, density: float, seed: int) -> scipy.sparse.csr_array:
    rng = np.random.default_rng(seed)
    matrix = scipy.sparse.random_array((n_rows, n_columns), density=density, rng=rng, dtype=np.float32, format="csr")
    matrix.sort_indices()
    return matrix


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1), st.integers(0, 99))
def test_transpose_agrees_with_scipy(n_rows, n_columns, density, seed):
    matrix = random_rows(n_rows, n_columns, density, seed)
    rows = SparseRows(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)
    expected = matrix.T.tocsr()
    expected.sort_indices()
    found = transpose(rows, n_columns)
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.values, expected.data)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 20))
def test_blocks_cover_every_row_once(counts, n_blocks):
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    bounds = balanced_blocks(indptr, n_blocks, row_cost=1.0)
    assert bounds.size == n_blocks + 1
    assert bounds[0] == 0
    assert bounds[-1] == len(counts)
    assert (np.diff(bounds) >= 0).all()


def test_blocks_end_where_their_share_of_the_work_does():
    even = np.arange(9)
    assert balanced_blocks(even, 4, row_cost=1.0).tolist() == [0, 2, 4, 6, 8]
    # Work up to each row: 0, 6, 7, 8, 13, 105, 107; a third of it is 35.7.
    uneven = np.array([0, 5, 5, 5, 9, 100, 101])
    assert balanced_blocks(uneven, 3, row_cost=1.0).tolist() == [0, 5, 5, 6]
    assert balanced_blocks(uneven, 2, row_cost=50.0).tolist() == [0, 4, 6]  # half of 401; four rows and their 9 are 209


def test_blocks_share_the_work_evenly():
    counts = np.random.default_rng(0).zipf(1.6, size=5000).clip(max=500)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    bounds = balanced_blocks(indptr, 8, row_cost=2.0)
    work = np.diff(indptr[bounds] + 2.0 * bounds)
    assert work.max() <= work.mean() + 502
