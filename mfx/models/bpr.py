"""Bayesian personalised ranking."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from mfx.errors import ModelError
from mfx.interfaces import Epoch, FloatArray, IndexArray, OnEpoch, PointerArray, Ratings
from mfx.models.factors import FactorModel
from mfx.models.positives import is_positive
from mfx.registry import register
from mfx.settings import setting, tunable


@register("model", "bpr")
@dataclass(kw_only=True)
class BPR(FactorModel):
    """Matrix factorisation that learns to rank what a user has above what the user has not.

    Maximises the log-likelihood of pairs ``sum ln sigma(x_ui - x_uj)``, ``x_ui = u.v + b_i``, minus penalties, by
    stochastic gradient steps over positives i with random negatives j (Rendle et al. 2009). The loss of an epoch is
    the mean of ``-ln sigma(x_ui - x_uj)`` over its steps. Items without ratings take part as negatives; a user without
    positives, or with every item, gets a row of zeros and so the list of the biases.

    Parameters
    ----------
    factors : int
        Number of latent factors.
    epochs : int
        Passes over the positives; early stopping may end them before.
    learning_rate : float
        Step length of the first epoch.
    learning_rate_decay : float
        How steps shorten: by ``1 / (1 + learning_rate_decay * n)`` after n epochs.
    reg : float
        Pull of factors towards zero at each step.
    bias_reg : float
        Pull of item biases towards zero at each step.
    negatives : {"uniform", "popularity"}
        Draw the negatives from all items alike, or as often as they are positives: then what everybody has explains
        nothing, and taste has to. New users are folded in with negatives drawn alike.
    hardest_of : int
        Draw so many negatives for each step and take the one that scores highest (Zhang, Chen, Wang and Yu 2013,
        "Optimizing top-n collaborative filtering via dynamic negative item sampling"): steps are spent on what
        stands at the top of the list. 1 is plain BPR, whose epochs are quicker.
    positive_threshold : float, optional
        Lowest rating that counts as positive; ratings below it count as no rating. By default all are positive.
    seed : int
        Seed of the random start, of the order of the steps and of the negatives.

    Attributes
    ----------
    positive_counts_ : int64 array, shape (items,)
        How many users have each item as a positive.
    """

    factors: int = tunable(64, low=8, high=128, log=True, ge=1)
    epochs: int = setting(100, ge=1)
    learning_rate: float = tunable(0.02, low=0.005, high=0.1, log=True, gt=0.0)
    learning_rate_decay: float = setting(0.0, ge=0.0)
    reg: float = tunable(0.03, low=0.001, high=0.1, log=True, ge=0.0)
    bias_reg: float = tunable(0.05, low=0.001, high=0.1, log=True, ge=0.0)
    negatives: str = setting("uniform", choices=("uniform", "popularity"))
    hardest_of: int = tunable(4, low=1, high=20, log=True, ge=1)
    positive_threshold: float | None = setting(None)
    seed: int = setting(42, ge=0)

    predicts: ClassVar[Literal["ratings", "ranking"]] = "ranking"
    objective: ClassVar[str] = "ndcg@10"
    rows_elsewhere: ClassVar[bool] = True
    state_names: ClassVar[tuple[str, ...]] = (*FactorModel.state_names, "positive_counts_")

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Take one step per positive and epoch until the epochs are over or the callback stops the fit."""
        from mfx.solver.pairwise import Steps

        positives = self.positives(train)
        if not positives.counts.any():
            raise ModelError(
                f"{self.name} cannot be fitted: no rating reaches positive_threshold={self.positive_threshold:g}.",
                f"Ratings are from {train.scale.low:g} to {train.scale.high:g}.",
            )
        self._start(positives.counts, train.n_items)
        self.positive_counts_: PointerArray = positives.item_counts
        for number in self.passes(self.epochs):
            steps = Steps(
                learning_rate=self.learning_rate / (1.0 + self.learning_rate_decay * (number - 1)),
                reg=self.reg,
                bias_reg=self.bias_reg,
                seed=self.seed,
                epoch=number,
                popular=self.negatives == "popularity",
                hardest_of=self.hardest_of,
            )
            loss = positives.run_epoch(self.user_table_, self.item_table_, steps)
            if not math.isfinite(loss):
                raise ModelError(
                    f"{self.name} diverged in epoch {number}: the loss is not finite.",
                    "Lower learning_rate, or reg and bias_reg if they are large.",
                )
            if on_epoch is not None and on_epoch(self, Epoch(number, {"loss": loss})):
                break

    def positives(self, train: Ratings) -> Any:
        """Return the positives; an engine puts a function of its own in this place for a fit."""
        from mfx.models.positives import positives
        from mfx.solver.pairwise import Positives

        rows = positives(train.users, train.items, train.values, train.n_users, self.positive_threshold)
        return Positives(*rows, train.n_items)

    def _start(self, counts: PointerArray, n_items: int) -> None:
        """Set small random factors and zero biases; users with nothing to compare get zeros, and keep them."""
        rng = np.random.default_rng(self.seed)
        user_table, item_table = (
            np.float32(0.1) * rng.standard_normal((rows, self.factors + 1), dtype=np.float32)
            for rows in (counts.size, n_items)
        )
        user_table[:, -1] = item_table[:, -1] = 0.0
        user_table[(counts == 0) | (counts == n_items)] = 0.0
        self.set_tables(user_table, item_table, 0.0)

    def check_state(self) -> None:
        """Refuse counts of positives that do not fit the catalogue, or of which there are none."""
        from mfx.models.checks import array_of

        super().check_state()
        counts = array_of(self.positive_counts_, "positive_counts_", np.int64, (self.catalogue_.n_items,))
        if counts.min() < 0 or not counts.any():
            raise ModelError("positive_counts_ holds a negative number, or zeros alone.")
        self.positive_counts_ = counts

    def fold_in_row(self, items: IndexArray, values: FloatArray) -> FloatArray:
        """Return the row of a new user by as many passes of steps as a fit has; float32, shape (factors + 1,)."""
        row: FloatArray = self.fold_in_rows(np.array([0, items.size], dtype=np.int64), items, values)[0]
        return row

    def fold_in_rows(self, indptr: PointerArray, items: IndexArray, values: FloatArray) -> FloatArray:
        """Return the rows of many new users; float32, shape (users, factors + 1)."""
        from mfx.solver.pairwise_fold import fold_in

        kept = is_positive(values, self.positive_threshold)
        return fold_in(
            self.item_table_,
            np.concatenate([np.zeros(1, np.int64), np.cumsum(kept, dtype=np.int64)])[indptr],
            items[kept],
            learning_rate=self.learning_rate,
            reg=self.reg,
            epochs=self.epochs,
            seed=self.seed,
            counts=self.positive_counts_ if self.negatives == "popularity" else None,
            hardest_of=self.hardest_of,
        )
