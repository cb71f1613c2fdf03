"""EASE^R: a linear item-item model in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

import mfx

if TYPE_CHECKING:
    import scipy.sparse


@mfx.register("model", "ease")
@dataclass(kw_only=True)
class EASE(mfx.Recommender):
    """Score items by what else the user rated, with the item-item weights of least squares, none for an item itself.

    Minimises ``|X - X B|^2 + reg |B|^2`` over B with a zero diagonal, X being 1 where a user rated an item. With
    ``P = (X^T X + reg I)^-1`` the solution is ``B = I - P / diag(P)``, column by column (Steck 2019, "Embarrassingly
    shallow autoencoders for sparse data", eq. 8). Where users are fewer than items, P is never formed:
    ``reg P = I - X^T (X X^T + reg I)^-1 X``, and a matrix of users times users is inverted instead.

    Parameters
    ----------
    reg : float
        Penalty of squared weights.
    positive_threshold : float, optional
        Lowest rating that counts; ratings below it count as no rating. By default all count.
    max_side : int
        Refuse data in which users and items both outnumber this. Memory grows with the square of the smaller number
        (20,000 take some 10 GB while fitting), time with its cube.

    Attributes
    ----------
    inverse_ : float32 array, shape (side, side)
        ``(X X^T + reg I)^-1`` if users are fewer than items, else B.
    diagonal_ : float32 array, shape (items,)
        Diagonal of P.
    indptr_, items_ : int64 array of shape (users + 1,), int32 array
        Rows of X.
    """

    reg: float = mfx.tunable(200.0, low=10.0, high=3000.0, log=True, gt=0.0)
    positive_threshold: float | None = mfx.setting(None)
    max_side: int = mfx.setting(20_000, ge=1)

    predicts: ClassVar[Literal["ratings", "ranking"]] = "ranking"
    objective: ClassVar[str] = "ndcg@10"
    state_names: ClassVar[tuple[str, ...]] = ("inverse_", "diagonal_", "indptr_", "items_")

    def learn(self, train: mfx.Ratings, on_epoch: mfx.OnEpoch | None) -> None:
        """Invert one matrix; there are no epochs."""
        side = min(train.n_users, train.n_items)
        if side > self.max_side:
            raise mfx.ModelError(
                f"{self.name} cannot be fitted: it needs a dense matrix of {side:,} x {side:,} "
                f"({train.n_users:,} users, {train.n_items:,} items), and model.max_side is {self.max_side:,}.",
                "Choose another model, such as ials, or raise model.max_side if there is memory for it.",
            )
        self._remember(train)
        x = self._matrix(np.float64)
        if train.n_users < train.n_items:
            inverse = _inverse(x @ x.T, self.reg)
            self.diagonal_ = ((1.0 - _quadratic(x, inverse)) / self.reg).astype(np.float32)
        else:
            inverse = _inverse(x.T @ x, self.reg)
            diagonal = inverse.diagonal().copy()
            inverse /= -diagonal
            np.fill_diagonal(inverse, 0.0)
            self.diagonal_ = diagonal.astype(np.float32)
        self.inverse_ = inverse.astype(np.float32)

    def score_users(self, users: mfx.IndexArray) -> mfx.FloatArray:
        """Score every item for each user index; float32, shape (len(users), items)."""
        return self._scores(self._matrix(np.float32)[users])

    def fold_in_scores(self, items: mfx.IndexArray, values: mfx.FloatArray) -> mfx.FloatArray:
        """Score every item for a new user: their ratings times B; float32, shape (items,)."""
        import scipy.sparse

        items = items[self._counts(values)]
        data, starts = np.ones(items.size, dtype=np.float32), np.array([0, items.size])
        row = scipy.sparse.csr_array((data, items, starts), shape=(1, self.catalogue_.n_items))
        scores: mfx.FloatArray = self._scores(row)[0]
        return scores

    def _scores(self, rows: scipy.sparse.csr_array) -> mfx.FloatArray:
        """Return ``rows B``: directly, or by way of the users, in which case the zero diagonal is put in at the end."""
        if len(self.inverse_) == rows.shape[1] and not self._by_users:
            return np.asarray(rows @ self.inverse_, dtype=np.float32)
        x = self._matrix(np.float32)
        through_users = (rows @ x.T).toarray() @ self.inverse_
        scores = (x.T @ through_users.T).T / (np.float32(self.reg) * self.diagonal_)
        # (I - P / diag(P)) on the diagonal is 0, which leaves x (1 - 1 / (reg diag)) of the identity in reg P.
        user, place = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), rows.indices
        scores[user, place] += np.float32(1.0) - np.float32(1.0) / (np.float32(self.reg) * self.diagonal_[place])
        return np.ascontiguousarray(scores, dtype=np.float32)

    @property
    def _by_users(self) -> bool:
        return self.catalogue_.n_users < self.catalogue_.n_items

    def _counts(self, values: mfx.FloatArray) -> mfx.BoolArray:
        if self.positive_threshold is None:
            return np.ones(values.size, dtype=np.bool_)
        return values >= np.float32(self.positive_threshold)

    def _remember(self, train: mfx.Ratings) -> None:
        """Keep which items each user rated; a pair rated twice counts once, by its latest rating."""
        keep = self._counts(train.values)
        keep[:-1] &= (train.users[1:] != train.users[:-1]) | (train.items[1:] != train.items[:-1])
        kept = train.take(keep)
        if not len(kept):
            raise mfx.ModelError(
                f"{self.name} cannot be fitted: no rating reaches positive_threshold={self.positive_threshold:g}.",
                f"The highest rating is {train.values.max():g}.",
            )
        self.indptr_, self.items_ = kept.user_indptr, kept.items

    def _matrix(self, dtype: type) -> scipy.sparse.csr_array:
        import scipy.sparse

        shape = (self.catalogue_.n_users, self.catalogue_.n_items)
        return scipy.sparse.csr_array((np.ones(self.items_.size, dtype=dtype), self.items_, self.indptr_), shape=shape)


def _inverse(products: scipy.sparse.csr_array, reg: float) -> mfx.DoubleArray:
    """Return ``(products + reg I)^-1``, dense."""
    dense = products.toarray()
    dense[np.diag_indices_from(dense)] += reg
    return np.linalg.inv(dense)


def _quadratic(x: scipy.sparse.csr_array, middle: mfx.DoubleArray) -> mfx.DoubleArray:
    """Return ``x_i^T middle x_i`` for every column x_i of a sparse matrix, a block of columns at a time."""
    columns = x.tocsc()
    found = np.empty(x.shape[1])
    for start in range(0, x.shape[1], 1024):
        block = columns[:, start : start + 1024]
        found[start : start + 1024] = np.asarray(block.multiply(middle @ block).sum(axis=0)).ravel()
    return found
