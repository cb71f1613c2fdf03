"""Rows in blocks that others solve: how they are cut, and what they are given."""

import numpy as np
import pytest

from mfx.solver import SparseRows
from mfx.solver.elsewhere import ENTRIES_PER_BLOCK, RowsElsewhere, block_bounds, block_of
from mfx.solver.least_squares import Prior, Profiles, Ridge, descend_rows, solve_rows, solve_rows_and_accumulate
from mfx.solver.packed import PackedTable


class Blocks(RowsElsewhere):
    """Blocks in this process, done last to first."""

    def __init__(self, rows, n_blocks):
        super().__init__(rows.counts, block_bounds(rows.indptr, 16.0, n_blocks))
        self.rows = rows

    def each(self, other, tasks):
        assert len(tasks) == self.bounds.size - 1
        assert all((task.begin is not None) == (task.function is descend_rows) for task in tasks), "rows move in vain"
        for number in range(len(tasks) - 1, -1, -1):
            rows = block_of(self.rows, *self.bounds[number : number + 2].tolist())
            yield number, tasks[number](rows, other)


@pytest.fixture
def case():
    """Rows, the other side's table, where rows start, and what each row has of its own."""
    rng = np.random.default_rng(6)
    there = rng.random((23, 40)) < 0.4
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    rows = SparseRows(indptr, np.nonzero(there)[1].astype(np.int32), rng.normal(3, 1, indptr[-1]).astype(np.float32))
    other, begin = (rng.normal(size=(n, 6)).astype(np.float32) for n in (40, 23))
    own = {
        "prior": Prior(rng.normal(size=(23, 6)).astype(np.float32), rng.uniform(1, 3, (23, 6)).astype(np.float32)),
        "scales": rng.uniform(0.5, 2, 23).astype(np.float32),
    }
    return rows, other, begin, own


@pytest.mark.parametrize("n_blocks", [1, 5, 23])
def test_rows_elsewhere_are_solved_like_rows_here(case, n_blocks):
    rows, other, begin, own = case
    base = np.diag(np.arange(6)).astype(np.float32)
    noise = np.random.default_rng(7).normal(size=begin.shape).astype(np.float32)
    blocks = Blocks(rows, n_blocks)
    for function, more in ((solve_rows, {"noise": noise}), (descend_rows, {"steps": 2})):
        here, there = begin.copy(), begin.copy()
        expected = function(rows, other, here, Ridge(2.0, 1.0), offset=3.0, base=base, **own, **more)
        found = function(blocks, other, there, Ridge(2.0, 1.0), offset=3.0, base=base, **own, **more)
        np.testing.assert_array_equal(there, here)
        np.testing.assert_array_equal(found, expected)


def test_curvatures_of_blocks_elsewhere_add_up(case):
    from scipy import sparse

    rows, other, begin, own = case
    profiles = Profiles.of(sparse.csr_array(np.random.default_rng(8).integers(0, 2, (23, 3)) * 1.0), own=[1])
    here, there = begin.copy(), begin.copy()
    options = {"offset": 3.0, "prior": own["prior"]}
    minima, curvature = solve_rows_and_accumulate(rows, other, here, Ridge(2.0, 1.0), profiles, **options)
    found, summed = solve_rows_and_accumulate(Blocks(rows, 5), other, there, Ridge(2.0, 1.0), profiles, **options)
    np.testing.assert_array_equal(there, here)
    np.testing.assert_array_equal(found, minima)
    np.testing.assert_allclose(summed, curvature, rtol=1e-10)


def test_many_ratings_are_cut_into_more_blocks():
    rows = 40 * np.arange(1001)
    assert block_bounds(rows, 0.0).size - 1 == 16
    many = rows * (ENTRIES_PER_BLOCK // 1000)
    assert block_bounds(many, 0.0).size - 1 == many[-1] // ENTRIES_PER_BLOCK == 39


def test_blocks_depend_on_the_data_alone_and_cover_every_row():
    indptr = np.array([0, 5, 5, 5, 9, 100, 101], dtype=np.int64)
    for wanted in (None, 1, 3, 6, 50):
        bounds = block_bounds(indptr, 1.0, wanted)
        assert (bounds[0], bounds[-1]) == (0, 6)
        assert np.all(np.diff(bounds) > 0)
        assert len(bounds) - 1 <= (wanted or 16)


def test_profiles_of_some_rows_are_those_of_their_features():
    from scipy import sparse

    rng = np.random.default_rng(0)
    features = sparse.csr_array((rng.random((12, 4)) < 0.4).astype(float))
    some, alone = Profiles.of(features).of_rows(3, 9), Profiles.of(sparse.csr_array(features[3:9]))

    def dense(profiles):
        full = np.zeros((len(profiles.of_row), profiles.n_features))
        for row, profile in enumerate(profiles.of_row):
            entries = slice(profiles.indptr[profile], profiles.indptr[profile + 1])
            full[row, profiles.indices[entries]] = profiles.weights[entries]
        return full

    np.testing.assert_array_equal(dense(some), dense(alone))
    assert sorted(some.order) == list(range(6))
    assert np.all(np.diff(some.of_row[some.order]) >= 0)


def test_confidences_are_refused_where_rows_are_elsewhere_and_offsets_of_other_tables_everywhere():
    rows = SparseRows(np.array([0, 1]), np.zeros(1, np.int32), np.ones(1, np.float32))
    other, out = np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32)
    with pytest.raises(ValueError, match="Confidences"):
        solve_rows(Blocks(rows, 1), other, out, Ridge(1.0, 1.0), confidence=np.ones(1, np.float32))
    for matrix in (rows, Blocks(rows, 1)):
        with pytest.raises(ValueError, match="offset"):
            solve_rows(matrix, PackedTable.of(other, 0.5), out, Ridge(1.0, 1.0))
