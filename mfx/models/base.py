"""What every recommender has in common: raw ids in and out, lists without seen items, saving and loading."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from mfx.columns import raw_ids
from mfx.errors import ModelError
from mfx.interfaces import (
    AnyArray,
    BoolArray,
    Catalogue,
    FloatArray,
    IndexArray,
    OnEpoch,
    Ratings,
    RatingScale,
)
from mfx.models.folded import Folded
from mfx.models.lists import Seen, best_items, best_of_product, list_frame
from mfx.settings import Component

if TYPE_CHECKING:
    import pandas as pd

    from mfx.solver.retrieval import ScoreProduct

_BLOCK = 1024
"""Users scored at a time by `Recommender.recommend`."""


@dataclass(kw_only=True)
class Recommender(Component, abc.ABC):
    """Base of models.

    A subclass implements `learn`, `score_users` and, where it is cheaper than whole rows, `score_pairs`; names its
    fitted arrays in `state_names`; and inherits everything that people call. `predict`, `recommend` and the like
    take and return raw ids; methods that start with ``score`` work on indices.

    Attributes
    ----------
    catalogue_ : Catalogue
        Users and items of the ratings that the model was fitted on.
    scale_ : RatingScale
        Their rating scale.
    seen_ : Seen
        Which items each user rated.
    """

    predicts: ClassVar[Literal["ratings", "ranking"]]
    objective: ClassVar[str]
    name: ClassVar[str]
    state_names: ClassVar[tuple[str, ...]] = ()
    """Names of the fitted arrays (each ends in an underscore) that `state`, `save` and `load` carry."""
    _left_off = None

    def fit(self, train: Ratings, *, on_epoch: OnEpoch | None = None) -> Self:
        """Learn from ratings.

        Parameters
        ----------
        train : Ratings
            What to learn from. Users and items of its catalogue without ratings are allowed.
        on_epoch : callable, optional
            Called after each epoch with the model and an `Epoch`; returning True stops the fit.

        Returns
        -------
        Self

        Raises
        ------
        ModelError
            If there are no ratings, the model needs features that the catalogue lacks, the fit diverges, or `learn`
            does not set what `state_names` promises.
        """
        if not len(train):
            raise ModelError(f"{self.name} cannot be fitted: there are no ratings.")
        self.set_context(train.catalogue, train.scale, Seen.of_ratings(train))
        self.learn(train, on_epoch)
        self._left_off = None
        self._check_state()
        return self

    def set_context(self, catalogue: Catalogue, scale: RatingScale, seen: Seen) -> None:
        """Take what the model knows of its train ratings beside the fitted arrays."""
        self.catalogue_ = catalogue
        self.scale_ = scale
        self.seen_ = seen

    @abc.abstractmethod
    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Set the fitted arrays from ratings; `catalogue_`, `scale_` and `seen_` are there already.

        A model that iterates counts its epochs with `passes`, so that a fit that was cut off can go on.
        """

    @abc.abstractmethod
    def score_users(self, users: IndexArray) -> FloatArray:
        """Score every item for each user index; float32, shape (len(users), items)."""

    def score_product(self, users: IndexArray, bias_weight: float = 1.0) -> ScoreProduct | None:
        """Return the scores of `score_users`, with this weight of the item bias, as a product of two matrices.

        Lists are then found without writing all scores down. By default there is none; a model that scores by a
        product (`mfx.solver.ScoreProduct`) returns it, with the users in this order.
        """
        return None

    def score_pairs(self, users: IndexArray, items: IndexArray) -> FloatArray:
        """Score pairs of user and item indices; float32, shape of `users`."""
        scores = np.empty(users.size, dtype=np.float32)
        distinct, place = np.unique(users, return_inverse=True)
        for start in range(0, distinct.size, _BLOCK):
            inside = (place >= start) & (place < start + _BLOCK)
            block = self.score_users(distinct[start : start + _BLOCK])
            scores[inside] = block[place[inside] - start, items[inside]]
        return scores

    def predict(self, user_ids: ArrayLike, item_ids: ArrayLike) -> FloatArray:
        """Predict the ratings (or ranking scores) of pairs.

        Parameters
        ----------
        user_ids, item_ids : array-like of raw ids
            Pairs; one id on either side is repeated to the length of the other.

        Returns
        -------
        float32 array
            One score a pair.

        Raises
        ------
        ModelError
            If the model is not fitted or an id is unknown.
        """
        users = self.known_users(user_ids)
        items = self.known_items(item_ids)
        users, items = (np.ascontiguousarray(side) for side in np.broadcast_arrays(users, items))
        return self.score_pairs(users, items)

    def recommend(
        self,
        users: ArrayLike | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        min_ratings: int = 0,
        among: ArrayLike | None = None,
        bias_weight: float = 1.0,
    ) -> pd.DataFrame:
        """List the best items of each user.

        Parameters
        ----------
        users : array-like of raw ids, optional
            Whom to recommend to; by default every user of the catalogue.
        k : int
            Length of the lists.
        exclude_seen : bool
            Whether items that the user rated in train are left out.
        min_ratings : int
            Leave out items with fewer ratings in train.
        among : array-like of raw ids, optional
            The only items to choose from; by default all.
        bias_weight : float
            Weight of the item bias, for models that have one: rank by ``u . v + bias_weight * b_i``.

        Returns
        -------
        pandas.DataFrame
            Columns ``user_id, item_id, score, rank``; ranks start at 1, equal scores are ordered by item id. A
            user's list is shorter than `k` if fewer items are allowed.

        Raises
        ------
        ModelError
            If the model is not fitted, an id is unknown, it has no item bias to weigh, or the weight is not finite.
        """
        self._check_fitted()
        k, bias_weight = self.checked_list(k, bias_weight)
        index = np.arange(self.catalogue_.n_users, dtype=np.int32) if users is None else self.known_users(users)
        allowed = self.allowed_items(min_ratings, among)
        seen = self.seen_ if exclude_seen else None
        if seen is not None and not seen.kept:
            raise ModelError(
                f"This {self.name} was fitted on a partitioned data set, with which lies what users rated.",
                "Fold in the user's ratings (mfx recommend ratings=...), or use exclude_seen=False.",
            )
        product = self.score_product(index, bias_weight)
        if product is not None and product.is_finite():
            items, scores = best_of_product(product, k, allowed, seen, index)
        else:
            items, scores = np.empty((index.size, k), np.int32), np.empty((index.size, k), np.float32)
            for start in range(0, index.size, _BLOCK):
                rows = slice(start, start + _BLOCK)
                block = self.reweighed(self.score_users(index[rows]), bias_weight)
                items[rows], scores[rows] = best_items(block, k, allowed, seen, index[rows])
        return list_frame(self.catalogue_, items, scores, user_ids=self.catalogue_.user_ids[index])

    def similar_items(self, item_id: Any, k: int = 10) -> pd.DataFrame:
        """List the items most like a given one.

        Returns
        -------
        pandas.DataFrame
            Columns ``item_id, score, rank``.

        Raises
        ------
        ModelError
            Always, for models without item factors.
        """
        raise ModelError(
            f"{self.name} has no item factors, so it cannot say which items are alike.", "Try als, genre_als or bpr."
        )

    def fold_in(self, item_ids: ArrayLike, ratings: ArrayLike) -> Folded:
        """Take in a new user from some ratings, the items held fixed.

        Parameters
        ----------
        item_ids : array-like of raw ids
            Items that the new user rated, each once.
        ratings : array-like of float
            Their ratings.

        Returns
        -------
        Folded
            The user, who can be recommended to and predicted for.

        Raises
        ------
        ModelError
            If the model cannot do it, an item is unknown or repeated, or a rating is not finite.
        """
        items, values = self.checked_profile(item_ids, ratings)
        return Folded(self, self.fold_in_scores(items, values), items)

    def fold_in_scores(self, items: IndexArray, values: FloatArray) -> FloatArray:
        """Score every item for a new user with these ratings; float32, shape (items,)."""
        raise ModelError(f"{self.name} cannot fold in new users.")

    def item_bias(self) -> FloatArray:
        """Return the bias of every item; float32, shape (items,).

        Raises
        ------
        ModelError
            If the model has none.
        """
        raise ModelError(f"{self.name} has no item bias.", "Leave bias_weight out.")

    def state(self) -> dict[str, AnyArray]:
        """Return copies of the fitted arrays by name, enough to `restore` the model as it is now."""
        self._check_fitted()
        self._check_state()
        return {name: np.array(getattr(self, name)) for name in self.state_names}

    def restore(self, state: Mapping[str, AnyArray]) -> None:
        """Put fitted arrays back that `state` returned.

        Raises
        ------
        ModelError
            If an array is missing or was not asked for.
        """
        if set(state) != set(self.state_names):
            raise ModelError(f"{self.name} keeps {sorted(self.state_names)}, but was given {sorted(state)}.")
        for name, array in state.items():
            setattr(self, name, array.item() if array.ndim == 0 else array)

    def check_state(self) -> None:
        """Refuse fitted arrays, as `restore` took them from a file, that do not fit the catalogue or are not numbers.

        Raises
        ------
        ModelError
            If an array holds a number that is not finite; in subclasses, if one has another dtype or shape.
        """
        from mfx.models.checks import finite

        for name, array in self.state().items():
            if array.dtype.kind not in "biuf":
                raise ModelError(f"{name} is {array.dtype}, not numbers.")
            finite(array, name)

    def continue_after(self, epoch: int, state: Mapping[str, AnyArray], *, over: bool = False) -> None:
        """Let the next `fit` go on where another one, with the same settings and ratings, was cut off.

        Parameters
        ----------
        epoch : int
            The last epoch that was done.
        state : mapping of str to array
            What `state` returned after it; copied.
        over : bool
            Whether that was the last epoch: the next `fit` does no other.
        """
        copied = {name: np.array(array) for name, array in state.items()}
        self._left_off = (epoch, copied, over)

    def passes(self, epochs: int) -> Iterator[int]:
        """Count the epochs of a fit, for `learn` to loop over once the arrays have their start: 1 to `epochs`.

        After `continue_after` the arrays are put back first, and the count begins behind the epoch that was done. The
        result is that of an uninterrupted fit where an epoch depends on settings, ratings, the arrays of `state_names`
        and its number alone; so random numbers are drawn by the number of the epoch (`mfx.solver.hashing`).
        """
        left_off, self._left_off = self._left_off, None
        if left_off is None:
            yield from range(1, epochs + 1)
            return
        done, state, over = left_off
        self.restore(state)
        yield from range(done + 1, done + 1 if over else epochs + 1)

    def save(self, folder: Path | str) -> Path:
        """Write the fitted model to a folder (JSON and npz, no pickle) and return the folder.

        Raises
        ------
        ModelError
            If the model is not fitted or the folder holds something else.
        """
        from mfx.models.storage import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        ModelError
            If the folder holds no model of this class, a newer format, or damaged files.
        """
        from mfx.models.storage import load

        model = load(Path(folder))
        if not isinstance(model, cls):
            raise ModelError(f"{folder} holds a model of class {type(model).__name__}, not {cls.__name__}.")
        return model

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `load` has been called."""
        return hasattr(self, "catalogue_")

    def _check_fitted(self) -> None:
        if not self.fitted:
            raise ModelError(f"{self.name} is not fitted yet.", "Call fit(train) first.")

    def _check_state(self) -> None:
        for name in self.state_names:
            if not hasattr(self, name):
                raise ModelError(
                    f"{type(self).__name__}.learn did not set '{name}', which state_names promises.",
                    "Set it, or correct state_names.",
                )

    def known_users(self, user_ids: ArrayLike) -> IndexArray:
        """Translate raw user ids into indices; ModelError if one is unknown."""
        self._check_fitted()
        return _known("user", user_ids, self.catalogue_.user_index(user_ids), "Use fold_in for new users.")

    def known_items(self, item_ids: ArrayLike) -> IndexArray:
        """Translate raw item ids into indices; ModelError if one is unknown."""
        self._check_fitted()
        return _known("item", item_ids, self.catalogue_.item_index(item_ids), "")

    def checked_profile(self, item_ids: ArrayLike, ratings: ArrayLike) -> tuple[IndexArray, FloatArray]:
        """Translate a new user's ratings into item indices, increasing, and float32 values."""
        items = self.known_items(item_ids)
        values = np.atleast_1d(np.asarray(ratings, dtype=np.float32))
        if values.shape != items.shape:
            raise ModelError(f"fold_in needs one rating an item: {items.size} items, {values.size} ratings.")
        if not np.isfinite(values).all():
            raise ModelError("fold_in needs finite ratings.")
        order = np.argsort(items, kind="stable")
        items, values = items[order], values[order]
        if np.any(items[1:] == items[:-1]):
            raise ModelError("fold_in needs each item once.")
        return items, values

    def checked_list(self, k: int, bias_weight: float) -> tuple[int, float]:
        """Return the length of a list, which is never longer than there are items, and the weight of the bias.

        Raises
        ------
        ModelError
            If the weight is not finite in float32.
        """
        if not abs(bias_weight) <= float(np.finfo(np.float32).max):
            raise ModelError(f"bias_weight={bias_weight} is not finite in single precision.", "Choose one around 1.")
        return min(k, self.catalogue_.n_items), bias_weight

    def reweighed(self, scores: FloatArray, bias_weight: float) -> FloatArray:
        """Give the item bias in scores another weight, in place; float32, last axis the items."""
        if bias_weight != 1.0:
            scores += np.float32(bias_weight - 1.0) * self.item_bias()
        return scores

    def allowed_items(self, min_ratings: int, among: ArrayLike | None) -> BoolArray | None:
        """Return a mask of the items that a list may hold; None if it may hold all."""
        most = int(np.iinfo(np.int64).max)
        allowed = None if min_ratings <= 0 else self.seen_.item_counts >= min(min_ratings, most)
        if among is not None:
            chosen = np.zeros(self.catalogue_.n_items, dtype=np.bool_)
            chosen[self.known_items(among)] = True
            allowed = chosen if allowed is None else allowed & chosen
        return allowed


def _known(what: str, ids: ArrayLike, index: IndexArray, hint: str) -> IndexArray:
    if index.size and index.min() < 0:
        unknown = np.atleast_1d(raw_ids(ids, f"{what} ids"))[index < 0]
        raise ModelError(f"{unknown.size} unknown {what} ids, the first is {unknown[0]}.", hint)
    return index
