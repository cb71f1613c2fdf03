"""Pairwise epochs by tiles come to the rows of whole epochs, bit for bit, however many groups there are."""

import itertools

import numpy as np
import pytest

import mfx
from mfx.engine import ray_tiles
from mfx.engine.ray_engine import RayEngine
from mfx.engine.times import Times
from mfx.solver.grid import default_blocks
from mfx.solver.pairwise import Positives, Steps
from mfx.solver.tiles import rounds
from mfx.testing import planted_ratings

SIZES = 101, 600


def random_positives(n_users, n_items):
    """Draw positives; the first user has none, and the second every item."""
    there = np.random.default_rng(4).random((n_users, n_items)) < 0.05
    there[0], there[1] = False, True
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
    return Positives(indptr, np.nonzero(there)[1].astype(np.int32), n_items)


def tables():
    rng = np.random.default_rng(5)
    return [np.float32(0.1) * rng.standard_normal((rows, 6), dtype=np.float32) for rows in SIZES]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("draws", [{}, {"popular": True, "hardest_of": 3}])
def test_epochs_by_tiles_are_those_of_one_process(workers, draws):
    assert default_blocks(*SIZES) == 8
    whole, bounds, times, blocks = random_positives(*SIZES), np.array([0, 40, 41, 101]), Times(), []
    for a, b in itertools.pairwise(bounds):
        pointers = whole.indptr[a : b + 1]
        blocks.append(ray_tiles.put((pointers - pointers[0], whole.indices[pointers[0] : pointers[-1]])))
    parts = ray_tiles.RayPositives(whole.counts, whole.item_counts, bounds, blocks, workers, times)
    expected, found = tables(), tables()
    for epoch in (1, 2):
        steps = Steps(0.1, 0.02, 0.05, 7, epoch, **draws)
        assert parts.run_epoch(*found, steps) == whole.run_epoch(*expected, steps)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
        spent = times.take()
        assert spent["seconds/epoch_compute"] > 0
        assert spent["engine/workers"] == 1


@pytest.mark.parametrize(("blocks", "workers"), [(1, 4), (8, 1), (8, 2), (32, 3), (32, 20)])
def test_tiles_of_a_round_share_nothing_and_cells_that_conflict_go_by_diagonals(blocks, workers):
    groups = ray_tiles.divided(blocks, workers)
    assert [block for group in groups for block in group] == list(range(blocks))
    order = {}
    for number, tiles in enumerate(rounds(groups)):
        assert len({a for a, _, _ in tiles}) == len({b for _, b, _ in tiles}) == len(tiles)
        for a, b, differences in tiles:
            for difference, own in itertools.product(differences, groups[a]):
                item = groups[b].start + own - groups[a].start + difference
                if item in groups[b]:
                    assert (own, item) not in order
                    order[own, item] = number, difference
    assert len(order) == blocks * blocks
    for block in range(blocks):
        by_user = sorted((order[block, b], (b - block) % blocks) for b in range(blocks))
        by_item = sorted((order[a, block], (block - a) % blocks) for a in range(blocks))
        for met in (by_user, by_item):
            assert [diagonal for _, diagonal in met] == list(range(blocks))


@pytest.mark.usefixtures("here")
def test_ratings_without_positives_are_refused():
    with pytest.raises(mfx.ModelError, match="no rating reaches positive_threshold=99"):
        RayEngine().fit(mfx.BPR(positive_threshold=99.0), planted_ratings(), None)
