"""Rows in blocks that others solve: how they are cut, and what they are given."""

import numpy as np
import pytest

from mfx.solver import SparseRows
from mfx.solver.elsewhere import RowsElsewhere, block_bounds
from mfx.solver.least_squares import Profiles, Ridge, solve_rows
from mfx.solver.packed import PackedTable


class Blocks(RowsElsewhere):
    """Blocks in this process."""

    def __init__(self, rows, n_blocks):
        super().__init__(rows.counts, block_bounds(rows.indptr, 16.0, n_blocks))

    def each(self, other, offset, tasks):
        raise AssertionError("nothing is to be solved")


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


def test_confidences_and_packed_tables_are_refused_where_rows_are_elsewhere():
    rows = SparseRows(np.array([0, 1]), np.zeros(1, np.int32), np.ones(1, np.float32))
    other, out = np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32)
    with pytest.raises(ValueError, match="Confidences"):
        solve_rows(Blocks(rows, 1), other, out, Ridge(1.0, 1.0), confidence=np.ones(1, np.float32))
    with pytest.raises(ValueError, match="packed where they are"):
        solve_rows(Blocks(rows, 1), PackedTable.of(other, 0.0), out, Ridge(1.0, 1.0))
    with pytest.raises(ValueError, match="offset"):
        solve_rows(rows, PackedTable.of(other, 0.5), out, Ridge(1.0, 1.0))
