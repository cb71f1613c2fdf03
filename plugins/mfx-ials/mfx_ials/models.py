"""Implicit alternating least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

import mfx

if TYPE_CHECKING:
    from mfx.solver import Ridge, SparseRows


@mfx.register("model", "ials")
@dataclass(kw_only=True)
class IALS(mfx.FactorModel):
    """Matrix factorisation of who rated what: rated pairs pulled to 1, all pairs pulled to 0, by exact row solves.

    Minimises ``sum over rated pairs of c (1 - u.v)^2 + unobserved_weight * sum over all pairs of (u.v)^2
    + reg * (sum_u s_u |u|^2 + sum_i s_i |v|^2)`` with ``s_u = (ratings of u + unobserved_weight * items)^reg_exponent``
    and s_i likewise (Hu, Koren and Volinsky 2008; penalties as in Rendle, Krichene, Zhang and Koren 2021, "Revisiting
    the performance of iALS on item recommendation benchmarks").

    Parameters
    ----------
    factors : int
        Number of latent factors.
    epochs : int
        Passes over both sides; early stopping may end them before.
    unobserved_weight : float
        Weight of every pair, rated or not; that of a rated pair is 1 on top.
    reg : float
        Penalty of squared factors, before it is scaled.
    reg_exponent : float
        How much the penalty of a row grows with its ratings: 0 not at all, 1 in proportion.
    rating_confidence : float
        By how much a rating of 1 raises the confidence c of its pair above 1: c = 1 + rating_confidence * rating.
    positive_threshold : float, optional
        Lowest rating that counts; ratings below it count as no rating. By default all count.
    seed : int
        Seed of the random start.
    """

    factors: int = mfx.tunable(64, low=8, high=256, log=True, ge=1)
    epochs: int = mfx.setting(20, ge=1)
    unobserved_weight: float = mfx.tunable(0.3, low=0.01, high=3.0, log=True, gt=0.0)
    reg: float = mfx.tunable(0.01, low=0.0005, high=0.1, log=True, gt=0.0)
    reg_exponent: float = mfx.setting(1.0, ge=0.0, le=2.0)
    rating_confidence: float = mfx.setting(0.0, ge=0.0)
    positive_threshold: float | None = mfx.setting(None)
    seed: int = mfx.setting(1, ge=0)

    predicts: ClassVar[Literal["ratings", "ranking"]] = "ranking"
    objective: ClassVar[str] = "ndcg@10"

    def learn(self, train: mfx.Ratings, on_epoch: mfx.OnEpoch | None) -> None:
        """Alternate between items and users until the epochs are over or the callback stops the fit."""
        from mfx.solver import SparseRows, transpose

        kept = self._positives(train)
        users = SparseRows(kept.user_indptr, kept.items, np.ones(len(kept), dtype=np.float32))
        items = transpose(users, kept.n_items)
        confidence = self._confidence(kept.values)
        by_item = transpose(SparseRows(kept.user_indptr, kept.items, confidence), kept.n_items).values
        self._start(train.n_users, train.n_items)
        scales = self._scales(items.counts, train.n_users)
        for number in self.passes(self.epochs):
            self._solve(items, by_item, self.user_table_, self.item_table_)
            least = self._solve(users, confidence, self.item_table_, self.user_table_)
            squares = np.square(self.item_factors_, dtype=np.float64).sum(axis=1)
            objective = float(least.sum() + self.reg * (scales * squares).sum())
            if not np.isfinite(objective):
                raise mfx.ModelError(f"{self.name} diverged in epoch {number}.", "Raise reg, or lower the confidence.")
            if on_epoch is not None and on_epoch(self, mfx.Epoch(number, {"objective": objective})):
                break

    def fold_in_row(self, items: mfx.IndexArray, values: mfx.FloatArray) -> mfx.FloatArray:
        """Return the row of a new user by the very solve that gave the stored rows; float32, shape (factors + 1,)."""
        from mfx.solver import SparseRows

        keep = self._counts(values)
        items, values = items[keep], values[keep]
        row = np.zeros((1, self.factors + 1), dtype=np.float32)
        profile = SparseRows(np.array([0, items.size]), items, np.ones(items.size, dtype=np.float32))
        self._solve(profile, self._confidence(values), self.item_table_, row)
        folded: mfx.FloatArray = row[0]
        return folded

    def _solve(
        self, rows: SparseRows, confidence: mfx.FloatArray, other: mfx.FloatArray, out: mfx.FloatArray
    ) -> mfx.DoubleArray:
        from mfx.solver import gramian, solve_rows

        return solve_rows(
            rows,
            other,
            out,
            self._ridge(),
            confidence=confidence,
            base=gramian(other, self.unobserved_weight),
            scales=self._scales(rows.counts, len(other)),
        )

    def _ridge(self) -> Ridge:
        from mfx.solver import Ridge

        return Ridge(self.reg, 0.0, with_bias=False)

    def _scales(self, counts: mfx.PointerArray, n_other: int) -> mfx.FloatArray:
        return ((counts + self.unobserved_weight * n_other) ** self.reg_exponent).astype(np.float32)

    def _confidence(self, values: mfx.FloatArray) -> mfx.FloatArray:
        return np.float32(1.0) + np.float32(self.rating_confidence) * values

    def _counts(self, values: mfx.FloatArray) -> mfx.BoolArray:
        if self.positive_threshold is None:
            return np.ones(values.size, dtype=np.bool_)
        return values >= np.float32(self.positive_threshold)

    def _positives(self, train: mfx.Ratings) -> mfx.Ratings:
        """Return the ratings that count, of repeated pairs the latest."""
        keep = self._counts(train.values)
        repeated = (train.users[1:] == train.users[:-1]) & (train.items[1:] == train.items[:-1])
        keep[:-1] &= ~repeated
        kept = train.take(keep)
        if not len(kept):
            raise mfx.ModelError(
                f"{self.name} cannot be fitted: no rating reaches positive_threshold={self.positive_threshold:g}.",
                f"The highest rating is {train.values.max():g}.",
            )
        if self.rating_confidence and kept.values.min() < 0:
            raise mfx.ModelError(
                f"{self.name} cannot turn negative ratings into confidence.",
                "Set model.rating_confidence=0 or model.positive_threshold=0.",
            )
        return kept

    def _start(self, n_users: int, n_items: int) -> None:
        users = np.zeros((n_users, self.factors + 1), dtype=np.float32)
        spread = np.float32(0.1 / np.sqrt(self.factors))
        normal = np.random.default_rng(self.seed).standard_normal((n_users, self.factors), dtype=np.float32)
        users[:, :-1] = spread * normal
        self.set_tables(users, np.zeros((n_items, self.factors + 1), dtype=np.float32), 0.0)
