"""The alternating least squares family: one loop, one objective, settings by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from mfx.errors import ModelError
from mfx.interfaces import DoubleArray, Epoch, FloatArray, IndexArray, OnEpoch, PointerArray, Ratings
from mfx.models.factors import FactorModel
from mfx.models.folded import Folded
from mfx.models.layouts import layouts
from mfx.settings import setting, tunable

if TYPE_CHECKING:
    from mfx.solver.layout import SparseRows
    from mfx.solver.least_squares import Prior, Ridge

LARGEST_PENALTY = 1e30
"""What is far above every rating's weight, and far below where single precision ends."""


@dataclass(kw_only=True)
class LeastSquaresModel(FactorModel):
    """Base of models that minimise squared error plus quadratic penalties by exact steps.

    Each epoch updates items, then what a subclass adds, then users, so a stored user row is the fold-in of the
    user's ratings. Each step solves factors and bias of a row together.

    Parameters
    ----------
    epochs : int
        Passes over both sides.
    bias_reg : float
        Penalty of squared biases.
    per_count : bool
        Multiply a row's penalties by its number of ratings (ALS-WR, Zhou et al. 2008).
    mean : bool
        Whether predictions contain the mean of train; Koto's equations 5 to 11 do without.
    clip : bool
        Whether predicted ratings are clipped to the rating scale. Lists are ordered before clipping.
    seed : int
        Seed of the random start.
    """

    epochs: int = setting(30, ge=1)
    bias_reg: float = tunable(3.0, low=0.3, high=30.0, log=True, ge=0.0, le=LARGEST_PENALTY)
    per_count: bool = setting(False)
    mean: bool = setting(True)
    clip: bool = setting(False)
    seed: int = setting(42, ge=0)

    predicts: ClassVar[Literal["ratings", "ranking"]] = "ratings"
    objective: ClassVar[str] = "rmse"
    rows_elsewhere: ClassVar[bool] = False
    """Whether a fit may get rows that lie with the workers of an engine. Each class answers for itself alone."""

    @property
    def rank(self) -> int:
        """Number of factors; none here."""
        return 0

    def user_ridge(self, *, with_bias: bool = True) -> Ridge:
        """Return the penalty of user rows."""
        return self.ridge(0.0, with_bias=with_bias)

    def item_ridge(self) -> Ridge:
        """Return the penalty of item rows."""
        return self.ridge(0.0)

    def ridge(self, factors: float, *, with_bias: bool = True) -> Ridge:
        """Return a penalty with this weight of squared factors and the model's own of biases."""
        from mfx.solver.least_squares import Ridge

        return Ridge(factors, self.bias_reg, self.per_count, with_bias)

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Alternate between the sides until the epochs are over or the callback stops the fit."""
        by_user, by_item = self.layouts(train)
        self.start(train)
        for number in self.passes(self.epochs):
            on_the_way = self.update_items(by_item) or {}
            tables, last = (self.item_table_, self.user_table_), number == self.epochs
            minima = self.update_rows(by_user, *tables, self.user_ridge(), self.user_prior(), exact=last)
            losses = {**on_the_way, **self._losses(minima, by_user.counts, by_item.counts)}
            if not all(np.isfinite(loss) for loss in losses.values()):
                raise ModelError(
                    f"{self.name} diverged in epoch {number}: the objective is not finite.",
                    "Bring penalties nearer to their defaults, or look for extreme ratings.",
                )
            if on_epoch is not None and on_epoch(self, Epoch(number, losses)):
                break

    def layouts(self, train: Ratings) -> tuple[Any, Any]:
        """Return the rows of users and of items; an engine puts a function of its own in this place for a fit."""
        return layouts(train)

    def start(self, train: Ratings) -> None:
        """Set the tables before the first epoch: small random user factors, everything else zero."""
        users = np.zeros((train.n_users, self.rank + 1), dtype=np.float32)
        normal = np.random.default_rng(self.seed).standard_normal((train.n_users, self.rank), dtype=np.float32)
        users[:, :-1] = np.float32(0.1) * normal
        items = np.zeros((train.n_items, self.rank + 1), dtype=np.float32)
        self.set_tables(users, items, train.mean if self.mean else 0.0)

    def update_items(self, by_item: SparseRows) -> Mapping[str, float] | None:
        """Replace the item table by its minimiser given the users.

        Returns
        -------
        dict or None
            The objective after each step before that of the users, such as ``objective_after_items``, in the order
            of the steps; None where it is not known.
        """
        minima = self.update_rows(by_item, self.user_table_, self.item_table_, self.item_ridge())
        return {"objective_after_items": float(minima.sum()) + self.user_penalty()}

    def update_rows(
        self,
        rows: SparseRows,
        other: FloatArray,
        out: FloatArray,
        ridge: Ridge,
        prior: Prior | None = None,
        *,
        exact: bool = False,
    ) -> DoubleArray:
        """Replace one side's table by its minimiser given the other's; return each row's objective there.

        A subclass may do with less than the minimiser unless `exact` asks for it, as the last step of a fit does.
        """
        from mfx.solver.least_squares import solve_rows

        return solve_rows(rows, other, out, ridge, offset=self.offset_, prior=prior)

    def user_prior(self) -> Prior | None:
        """Return where users are pulled; None for nowhere."""
        return None

    def new_user_prior(self, n_ratings: int, known: Mapping[str, Sequence[str]], *, with_bias: bool) -> Prior | None:
        """Return where a new user is pulled, of whom `known` says the features by block; None for nowhere."""
        if known:
            raise ModelError(f"{self.name} makes no use of what is known of users.", "Leave the features out.")
        return None

    def user_penalty(self) -> float:
        """Return the part of the objective that each user's own minimum holds beside squared errors."""
        return self.table_penalty(self.user_table_, self.user_ridge(), np.diff(self.seen_.indptr))

    def item_penalty(self, counts: PointerArray) -> float:
        """Return the part of the objective that no user's minimum holds; `counts` are the ratings of each item."""
        return self.table_penalty(self.item_table_, self.item_ridge(), counts)

    @staticmethod
    def table_penalty(table: FloatArray, ridge: Ridge, counts: PointerArray) -> float:
        """Return the ridge penalty of a table, summed in float64."""
        return float(_row_penalties(table, ridge, counts).sum())

    def _losses(self, minima: DoubleArray, user_counts: PointerArray, item_counts: PointerArray) -> dict[str, float]:
        # The user step was last: each row's minimum is its squared error plus its own penalty.
        squared = minima.sum() - self.user_penalty()
        n_ratings = float(user_counts.sum())
        return {
            "objective": float(minima.sum()) + self.item_penalty(item_counts),
            "rmse": float(np.sqrt(max(squared, 0.0) / n_ratings)),
        }

    def fold_in(
        self,
        item_ids: ArrayLike,
        ratings: ArrayLike,
        *,
        bias: bool = True,
        features: Mapping[str, Sequence[str]] | None = None,
    ) -> Folded:
        """Take in a new user from some ratings, the items held fixed.

        Parameters
        ----------
        item_ids, ratings : array-like
            As in `Recommender.fold_in`.
        bias : bool
            Whether the user gets a bias; without one this is Fokam's equation 6.
        features : mapping of str to sequence of str, optional
            What is known of the user, by block, for a model that learns from it: ``{"gender": ["F"]}``.
        """
        items, values = self.checked_profile(item_ids, ratings)
        row = self.fold_in_row(items, values, bias=bias, features=features)
        with np.errstate(over="ignore", invalid="ignore"):  # Folded refuses what is not finite
            return Folded(self, self.score_rows(row[None])[0], items, row)

    def fold_in_row(
        self,
        items: IndexArray,
        values: FloatArray,
        *,
        bias: bool = True,
        features: Mapping[str, Sequence[str]] | None = None,
    ) -> FloatArray:
        """Return the row of a new user: the very solve that gave the stored rows; float32, shape (factors + 1,)."""
        from mfx.solver.layout import SparseRows
        from mfx.solver.least_squares import solve_rows

        row = np.empty((1, self.rank + 1), dtype=np.float32)
        profile = SparseRows(np.array([0, items.size], dtype=np.int64), items, values)
        prior = self.new_user_prior(items.size, features or {}, with_bias=bias)
        solve_rows(profile, self.item_table_, row, self.user_ridge(with_bias=bias), offset=self.offset_, prior=prior)
        folded: FloatArray = row[0]
        return folded

    def fold_in_rows(self, indptr: PointerArray, items: IndexArray, values: FloatArray) -> FloatArray:
        """Return the rows of many new users, of whom no features are known, by the solves of `fold_in_row`."""
        from mfx.solver.layout import SparseRows
        from mfx.solver.least_squares import Prior, solve_rows

        rows = np.empty((indptr.size - 1, self.rank + 1), dtype=np.float32)
        counts, place = np.unique(np.diff(indptr), return_inverse=True)
        priors = [self.new_user_prior(int(count), {}, with_bias=True) for count in counts]
        pulled = [prior for prior in priors if prior is not None]
        prior = Prior(np.concatenate([one.centres for one in pulled])[place], pulled[0].weights) if pulled else None
        profiles = SparseRows(indptr, items, values)
        solve_rows(profiles, self.item_table_, rows, self.user_ridge(), offset=self.offset_, prior=prior)
        return rows


def _row_penalties(table: FloatArray, ridge: Ridge, counts: PointerArray) -> DoubleArray:
    squares = np.einsum("ij,ij->i", table[:, :-1], table[:, :-1], dtype=np.float64)
    penalties: DoubleArray = ridge.factors * squares + ridge.bias * np.square(table[:, -1], dtype=np.float64)
    if ridge.per_count:
        penalties *= np.maximum(counts, 1)
    return penalties
