"""Blocks of rows as workers solve them: whole fits come to the same factors, whatever the blocks and their order."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mfx.engine import ray_rows
from mfx.engine.dealing import dealt
from mfx.engine.times import Times
from mfx.engine.worker import update_blocks, writable
from mfx.models.als import ALS
from mfx.models.bias import Bias
from mfx.models.genre_als import GenreALS
from mfx.models.layouts import layouts
from mfx.solver.elsewhere import BlockTask, RowsElsewhere, block_bounds, block_of
from mfx.solver.least_squares import Prior, Ridge, solve_rows
from mfx.solver.packed import PackedTable
from mfx.testing import planted_ratings

MODELS = [
    Bias(epochs=4),
    ALS(factors=5, reg=2.0, epochs=4),
    ALS(factors=5, reg=0.1, per_count=True, epochs=4),
    ALS(factors=5, reg=2.0, solver="cg", cg_steps=2, epochs=4),
    GenreALS(factors=4, genre_weight=20.0, item_features=["count", "genres"], user_features=["group"], epochs=4),
    GenreALS(factors=4, genre_weight=20.0, genre_update="factors", solver="cg", epochs=4),
    GenreALS(factors=4, item_features=["constant", "genres"], epochs=4),
]


class Blocks(RowsElsewhere):
    """Blocks of read-only memory in this process, the last solved first."""

    def __init__(self, rows, n_blocks):
        bounds = block_bounds(rows.indptr, 16.0, n_blocks)
        super().__init__(rows.counts, bounds)
        blocks = [block_of(rows, a, b) for a, b in itertools.pairwise(bounds)]
        self.blocks = [tuple(map(frozen, (block.indptr, block.indices, block.values))) for block in blocks]

    def each(self, other, tasks):
        packed = replace(other, rows=frozen(other.rows), shifts=frozen(other.shifts))
        for part in reversed(dealt(len(tasks), 2)):
            some = slice(part.start, part.stop)
            done = update_blocks(self.blocks[some], lambda: packed, tasks[some])
            yield from zip(part, done.found, strict=True)


def frozen(array):
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize("n_blocks", [1, 2, 7])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name}-{model.solver if model.rank else ''}")
def test_fits_on_blocks_come_to_the_same_factors(model, n_blocks):
    planted = planted_ratings()
    whole = replace(model).fit(planted)
    in_blocks = replace(model)
    in_blocks.layouts = lambda train: tuple(Blocks(rows, n_blocks) for rows in layouts(train))
    in_blocks.fit(planted)
    summed_otherwise = isinstance(model, GenreALS) and model.genre_update == "ratings"
    for name in model.state_names:
        expected, found = np.asarray(getattr(whole, name)), np.asarray(getattr(in_blocks, name))
        if summed_otherwise:
            assert np.abs(found - expected).max(initial=0.0) <= 1e-5 * np.abs(expected).max(initial=0.0)
        else:
            np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("here")
def test_an_update_sends_one_packed_table_and_workers_compute_on_that_very_memory(monkeypatch):
    train, sent, seen = planted_ratings(), [], []
    put = ray_rows.put
    rows, _ = layouts(train)
    blocks = [ray_rows.put(tuple(map(frozen, (rows.indptr, rows.indices, rows.values))))]
    there = ray_rows.RayRows(rows.counts, np.array([0, rows.n_rows]), blocks, None, Times())
    monkeypatch.setattr(ray_rows, "put", lambda value: sent.append(value) or put(value))

    def looking(rows, other, out, ridge, offset):
        seen.append(other)
        return solve_rows(rows, other, out, ridge, offset=offset)

    for starts in (False, True):
        table, out = np.ones((train.n_items, 4), np.float32), np.ones((rows.n_rows, 4), np.float32)
        shared = {"ridge": Ridge(2.0, 1.0), "offset": 3.0}
        there.run(looking, PackedTable.of(table, 3.0), out, starts=starts, by_row={}, shared=shared)
    assert [type(one) for one in sent] == [PackedTable, PackedTable]
    assert all(np.shares_memory(one.rows, other.rows) for one, other in zip(sent, seen, strict=True))


def test_shared_memory_looks_like_any_other_to_kernels():
    array = np.arange(6, dtype=np.float32)
    array.flags.writeable = False
    task = BlockTask(solve_rows, {"prior": Prior(array.reshape(2, 3), array), "steps": 3})
    seen = writable(task)
    for view in (writable(array), seen.settings["prior"].centres, seen.settings["prior"].weights):
        assert view.flags.writeable
        assert np.shares_memory(view, array)
    np.testing.assert_array_equal(seen.settings["prior"].centres, [[0, 1, 2], [3, 4, 5]])
    assert seen.settings["steps"] == 3
