"""A new user, taken in after the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mfx.errors import ModelError
from mfx.interfaces import FloatArray, IndexArray
from mfx.models.lists import Seen, best_items, list_frame

if TYPE_CHECKING:
    import pandas as pd

    from mfx.models.base import Recommender


@dataclass(frozen=True, eq=False)
class Folded:
    """A new user, as `Recommender.fold_in` took them in.

    Attributes
    ----------
    model : Recommender
        Who took the user in.
    scores : float32 array, shape (items,)
        Score of every item, by which lists are ordered: the predicted rating before clipping, or the ranking score.
    items : int32 array
        Items that the user rated.
    row : float32 array, shape (factors + 1,), or None
        The user's factors and bias, for models that have them.

    Raises
    ------
    ModelError
        If a score is not finite.
    """

    model: Recommender
    scores: FloatArray
    items: IndexArray
    row: FloatArray | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.scores).all():
            raise ModelError("The new user's scores are not finite.", "Look for extreme ratings; fit with more reg.")

    def predict(self, item_ids: ArrayLike) -> FloatArray:
        """Predict ratings (or ranking scores) of raw item ids, clipped where the model has `clip` set; float32."""
        return self.model.predictions(self.scores[self.model.known_items(item_ids)])

    def recommend(
        self,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        min_ratings: int = 0,
        among: ArrayLike | None = None,
        bias_weight: float = 1.0,
    ) -> pd.DataFrame:
        """List the best items, as `Recommender.recommend` does; columns ``item_id, score, rank``."""
        k, bias_weight = self.model.checked_list(k, bias_weight)
        scores = self.model.reweighed(self.scores[None].copy(), bias_weight)
        allowed = self.model.allowed_items(min_ratings, among)
        seen = Seen(np.array([0, self.items.size], dtype=np.int64), self.items, self.model.seen_.item_counts)
        user = np.zeros(1, dtype=np.int32)
        items, values = best_items(scores, k, allowed, seen if exclude_seen else None, user)
        return list_frame(self.model.catalogue_, items, values)
