"""Bayesian personalised ranking by stochastic gradient steps, in an order that no number of threads can change.

Maximises (Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking from implicit
feedback", BPR-Opt and its stochastic gradient)

    Σ over (u, i, j)  ln σ(x_ui − x_uj) − (reg/2)·(‖u‖² + ‖vᵢ‖² + ‖vⱼ‖²) − (bias_reg/2)·(bᵢ² + bⱼ²),   x_ui = u·vᵢ + bᵢ

where i is an item that user u has and j one that u has not. An epoch visits each positive (u, i) once, with one j.

Rows of users have shape (users, factors + 1) and rows of items (items, factors + 1), the bias last, as in the rest of
the solver; the users' last column is left alone, since a user's bias cancels.

The cells of `mfx.solver.grid` set the order: those of one diagonal run in parallel, and a cell's negatives come from
its own items. Two items can meet as positive and negative in each epoch that deals them to one block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np

from mfx.interfaces import FloatArray, IndexArray, PointerArray
from mfx.solver.grid import default_blocks, group
from mfx.solver.hashing import NEGATIVES, key_of
from mfx.solver.pairwise_kernels import aligned, gather, scatter, width_of
from mfx.solver.tiles import StepArguments, Tile

_WORTH_THREADS = 1 << 25


def run_epoch(
    users: FloatArray,
    items: FloatArray,
    indptr: PointerArray,
    indices: IndexArray,
    *,
    learning_rate: float,
    reg: float,
    bias_reg: float,
    seed: int,
    epoch: int,
    popular: bool = False,
    hardest_of: int = 1,
    blocks: int | None = None,
) -> float:
    """Take one step for each positive, updating the rows of users and items in place.

    A negative is drawn from the items of its block that the user has not, uniformly or as often as items are positives
    of users: from all items of the block up to `TRIES` times, then directly, and uniformly, from the free ones.
    Positives of a user who has every item of a block are left out of this epoch, since there is nothing to compare them
    with.

    Parameters
    ----------
    users : float32 array, shape (users, factors + 1)
        Changed in place, the last column excepted.
    items : float32 array, shape (items, factors + 1)
        Changed in place; the last column is the bias.
    indptr : int64 array, shape (users + 1,)
        Row pointers of the positives.
    indices : int32 array, shape (positives,)
        Items of each user, strictly increasing inside a row.
    learning_rate : float
        Step length of this epoch.
    reg, bias_reg : float
        Pull of factors and of biases towards zero at each step.
    seed, epoch : int
        What the randomness depends on; different epochs of a seed differ.
    popular : bool
        Whether a negative is drawn by popularity: as any positive of the users who are visited together is.
    hardest_of : int
        Draw so many negatives for a step, and take the one that scores highest.
    blocks : int, optional
        Blocks on either side of the grid, by default `default_blocks`. Never derive it from the number of threads:
        the result depends on it.

    Returns
    -------
    float
        Mean of −ln σ(x_ui − x_uj) over the epoch's triples, each before its own step; 0 without triples, not finite
        when the steps diverge.
    """
    steps = Steps(learning_rate, reg, bias_reg, seed, epoch, popular, hardest_of)
    n_users, n_items, factors = users.shape[0], items.shape[0], users.shape[1] - 1
    with _threads_for(indices.size * factors):
        grid = group(indptr, indices, n_items, blocks or default_blocks(n_users, n_items), seed, epoch)
        user_work, item_work = aligned(n_users, width_of(factors)), aligned(n_items, width_of(factors))
        gather(users, grid.users, factors, user_work)
        gather(items, grid.items, factors, item_work)
        biases = items[grid.items, factors]
        diagonals = [
            np.array([(a, (a + diagonal) % grid.blocks) for a in range(grid.blocks)]) for diagonal in range(grid.blocks)
        ]
        losses, triples = Tile.of_grid(grid).run(user_work, item_work, biases, diagonals, steps.arguments())
        scatter(user_work, grid.users, factors, users)
        scatter(item_work, grid.items, factors, items)
        items[grid.items, factors] = biases
    return float(losses.sum() / max(triples.sum(), 1))


@dataclass(frozen=True)
class Steps:
    """How an epoch steps: arguments of `run_epoch`, by their names."""

    learning_rate: float
    reg: float
    bias_reg: float
    seed: int
    epoch: int
    popular: bool = False
    hardest_of: int = 1

    def arguments(self) -> StepArguments:
        """Return what kernels want of it."""
        keep, keep_bias = (np.float32(1.0 - self.learning_rate * reg) for reg in (self.reg, self.bias_reg))
        key = key_of(self.seed, self.epoch, NEGATIVES)
        return key, self.popular, self.hardest_of, self.learning_rate, keep, keep_bias


@dataclass(frozen=True, eq=False)
class Positives:
    """Items that users have, in this process.

    Attributes
    ----------
    indptr, indices
        As of `run_epoch`.
    n_items : int
        Number of items, those that nobody has among them.
    """

    indptr: PointerArray
    indices: IndexArray
    n_items: int

    @property
    def counts(self) -> PointerArray:
        """How many positives each user has."""
        return np.diff(self.indptr)

    @property
    def item_counts(self) -> PointerArray:
        """How many users have each item; int64, shape (items,)."""
        return np.bincount(self.indices, minlength=self.n_items).astype(np.int64)

    def run_epoch(self, users: FloatArray, items: FloatArray, steps: Steps) -> float:
        """Take one step for each of them; see `run_epoch`."""
        return run_epoch(users, items, self.indptr, self.indices, **vars(steps))


@contextlib.contextmanager
def _threads_for(work: int) -> Iterator[None]:
    """Use one thread inside the block when waking others would cost more than it saves; results are the same."""
    threads = numba.get_num_threads()
    if work < _WORTH_THREADS:
        numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(threads)
