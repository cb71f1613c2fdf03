"""Models made of two tables, users and items, each row factors and a bias."""

from __future__ import annotations

import abc
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mfx.errors import ModelError
from mfx.interfaces import FloatArray, IndexArray, PointerArray
from mfx.models.base import Recommender
from mfx.models.folded import Folded
from mfx.models.lists import best_items, list_frame

if TYPE_CHECKING:
    import pandas as pd

    from mfx.solver.retrieval import ScoreProduct


@dataclass(kw_only=True)
class FactorModel(Recommender):
    """Base of models that score by ``offset + b_u + b_i + u . v``.

    Attributes
    ----------
    user_table_ : float32 array, shape (users, factors + 1)
        Factors, then bias, of each user.
    item_table_ : float32 array, shape (items, factors + 1)
        Factors, then bias, of each item.
    offset_ : float
        Constant part of every score.
    """

    state_names: ClassVar[tuple[str, ...]] = ("user_table_", "item_table_", "offset_")

    def set_tables(self, user_table: FloatArray, item_table: FloatArray, offset: float) -> None:
        """Take both tables and the offset as the fitted state; the arrays are kept, not copied."""
        self.user_table_ = user_table
        self.item_table_ = item_table
        self.offset_ = offset

    def check_state(self) -> None:
        """Refuse tables that do not fit the catalogue and each other, or are not finite."""
        from mfx.models.checks import array_of

        super().check_state()
        catalogue, width = self.catalogue_, self.item_table_.shape[-1] if np.ndim(self.item_table_) else 0
        self.user_table_ = array_of(self.user_table_, "user_table_", np.float32, (catalogue.n_users, width))
        self.item_table_ = array_of(self.item_table_, "item_table_", np.float32, (catalogue.n_items, width))
        if np.ndim(self.offset_):
            raise ModelError("offset_ is an array, not a number.")
        factors = self.table_factors
        if factors is None:
            factors = width - 1
        if width != factors + 1 or width < 1:
            raise ModelError(f"The tables have {width} columns, not {factors} factors and a bias.")
        longest = [np.linalg.norm(one.astype(np.float64), axis=1).max() for one in (self.user_table_, self.item_table_)]
        if longest[0] * longest[1] + sum(longest) + abs(self.offset_) > np.finfo(np.float32).max:
            raise ModelError("The tables hold numbers so large that scores overflow.")

    @property
    def table_factors(self) -> int | None:
        """Columns of the tables beside the bias: the factors, where a model has such a setting; None for any number."""
        return getattr(self, "factors", None)

    @property
    def user_factors_(self) -> FloatArray:
        """Factors of the users; float32, shape (users, factors)."""
        return self.user_table_[:, :-1]

    @property
    def item_factors_(self) -> FloatArray:
        """Factors of the items; float32, shape (items, factors)."""
        return self.item_table_[:, :-1]

    @property
    def user_bias_(self) -> FloatArray:
        """Biases of the users; float32, shape (users,)."""
        return self.user_table_[:, -1]

    @property
    def item_bias_(self) -> FloatArray:
        """Biases of the items; float32, shape (items,)."""
        return self.item_table_[:, -1]

    def score_users(self, users: IndexArray) -> FloatArray:
        """Score every item for each user index; float32, shape (len(users), items)."""
        return self.score_rows(self.user_table_[users])

    def score_rows(self, rows: FloatArray) -> FloatArray:
        """Score every item for rows like those of `user_table_`; float32, shape (len(rows), items)."""
        from mfx.solver.scores import score_rows

        return score_rows(rows, self.item_table_, self.offset_)

    def score_product(self, users: IndexArray, bias_weight: float = 1.0) -> ScoreProduct | None:
        """Return the scores of `score_users` as a product, unless a subclass scores in a way of its own."""
        if getattr(self.score_users, "__func__", None) is not FactorModel.score_users:
            return None
        return self.product_of(self.user_table_[users], bias_weight)

    def product_of(self, rows: FloatArray, bias_weight: float = 1.0) -> ScoreProduct | None:
        """Return the scores of `score_rows` as a product; None where a subclass has a `score_rows` of its own."""
        from mfx.solver.retrieval import ScoreProduct

        if getattr(self.score_rows, "__func__", None) is not FactorModel.score_rows:
            return None
        rows = rows.copy()
        shifts = rows[:, -1] + np.float32(self.offset_)
        rows[:, -1] = bias_weight
        return ScoreProduct(rows, self.item_table_, shifts)

    def score_pairs(self, users: IndexArray, items: IndexArray) -> FloatArray:
        """Score pairs of user and item indices; float32, shape of `users`."""
        from mfx.solver.scores import score_pairs

        return score_pairs(self.user_table_, self.item_table_, users, items, self.offset_)

    def predict_rows(self, user_ids: ArrayLike, item_rows: FloatArray) -> FloatArray:
        """Predict ratings of items that are not in the catalogue, given rows like those of `item_table_`.

        Returns
        -------
        float32 array, shape (users, rows)
            Predicted ratings, clipped to the scale where the model has `clip` set.
        """
        from mfx.solver.scores import score_rows

        return self.predictions(score_rows(self.user_table_[self.known_users(user_ids)], item_rows, self.offset_))

    def item_bias(self) -> FloatArray:
        """Return the bias of every item; float32, shape (items,)."""
        return self.item_bias_

    @abc.abstractmethod
    def fold_in_row(self, items: IndexArray, values: FloatArray) -> FloatArray:
        """Return the row of a new user with these ratings; float32, shape (factors + 1,)."""

    def fold_in_rows(self, indptr: PointerArray, items: IndexArray, values: FloatArray) -> FloatArray:
        """Return the rows of many new users, each that of `fold_in_row`; float32, shape (users, factors + 1).

        User u rated ``items[indptr[u]:indptr[u + 1]]``, in increasing order.
        """
        rows = np.empty((indptr.size - 1, self.item_table_.shape[1]), dtype=np.float32)
        for user, (start, stop) in enumerate(itertools.pairwise(indptr.tolist())):
            rows[user] = self.fold_in_row(items[start:stop], values[start:stop])
        return rows

    def fold_in(self, item_ids: ArrayLike, ratings: ArrayLike) -> Folded:
        """Take in a new user from some ratings, the items held fixed; see `Recommender.fold_in`."""
        items, values = self.checked_profile(item_ids, ratings)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # Folded refuses what is not finite
            row = self.fold_in_row(items, values)
            return Folded(self, self.score_rows(row[None])[0], items, row)

    def similar_items(self, item_id: Any, k: int = 10) -> pd.DataFrame:
        """List the items whose factors point the same way (cosine), the item itself left out.

        Parameters
        ----------
        item_id : raw id
            The item to compare with.
        k : int
            Length of the list.

        Returns
        -------
        pandas.DataFrame
            Columns ``item_id, score, rank``; scores are cosines, 0 for items without factors.

        Raises
        ------
        ModelError
            If the item is unknown or the model has no factors.
        """
        index = self.known_items(item_id)
        factors = self.item_factors_
        if not factors.shape[1]:
            return super().similar_items(item_id, k)
        factors = factors.astype(np.float64)  # squares of large factors overflow in single precision
        norms = np.linalg.norm(factors, axis=1)
        norms[norms == 0.0] = 1.0
        cosines = (factors @ factors[index[0]]) / (norms * norms[index[0]])
        others = np.ones(cosines.size, dtype=np.bool_)
        others[index] = False
        k, _ = self.checked_list(k, 1.0)
        best, scores = best_items(cosines[None].astype(np.float32), k, others, None, index)
        return list_frame(self.catalogue_, best, scores)
