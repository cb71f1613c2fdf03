"""Popularity: the list that everybody gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from mfx.interfaces import FloatArray, IndexArray, OnEpoch, Ratings
from mfx.models.base import Recommender
from mfx.registry import register

if TYPE_CHECKING:
    from mfx.solver.retrieval import ScoreProduct


@register("model", "popularity")
@dataclass(kw_only=True)
class Popularity(Recommender):
    """Rank items by how many ratings they have in train: the baseline that a ranking has to beat."""

    predicts: ClassVar[Literal["ratings", "ranking"]] = "ranking"
    objective: ClassVar[str] = "ndcg@10"
    state_names: ClassVar[tuple[str, ...]] = ("scores_",)

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Count the ratings of each item."""
        self.scores_ = train.item_counts.astype(np.float32)

    def check_state(self) -> None:
        """Refuse counts that do not fit the catalogue."""
        from mfx.models.checks import array_of

        super().check_state()
        self.scores_ = array_of(self.scores_, "scores_", np.float32, (self.catalogue_.n_items,))

    def score_users(self, users: IndexArray) -> FloatArray:
        """Return the counts for each user; float32, shape (len(users), items)."""
        return np.tile(self.scores_, (users.size, 1))

    def score_product(self, users: IndexArray, bias_weight: float = 1.0) -> ScoreProduct | None:
        """Return the counts as a product of one factor, 1 for each user."""
        from mfx.solver.retrieval import ScoreProduct

        if bias_weight != 1.0:
            return None  # there is no bias to weigh, which `recommend` refuses
        ones = np.ones((users.size, 1), np.float32)
        return ScoreProduct(ones, self.scores_[:, None], np.zeros(users.size, np.float32))

    def score_pairs(self, users: IndexArray, items: IndexArray) -> FloatArray:
        """Return the counts of the items; float32."""
        return self.scores_[items]

    def fold_in_scores(self, items: IndexArray, values: FloatArray) -> FloatArray:
        """Return the counts: a new user's ratings change nothing."""
        return self.scores_.copy()
