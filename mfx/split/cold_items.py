"""Items without any rating in train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfx.interfaces import Ratings, Split
from mfx.registry import register
from mfx.settings import setting
from mfx.split.chance import item_hash, smallest
from mfx.split.parts import TEST, require_ratings
from mfx.split.settings import SharesSplitter
from mfx.split.shares import floor_share_of


@register("split", "cold_items")
@dataclass(kw_only=True)
class ColdItemsSplit(SharesSplitter):
    """All ratings of some items to test, so that a model meets them without having seen a rating of them.

    Here `fraction` and `valid_fraction` are shares of the rated items, not of the ratings.

    Parameters
    ----------
    seed : int
        Which random choice.
    """

    seed: int = setting(42, ge=0)

    def split(self, ratings: Ratings) -> Split:
        """Give test all ratings of ⌊fraction·m⌋ of the m rated items, valid those of ⌊valid_fraction·rest⌋ others.

        Raises
        ------
        SplitError
            If a part would be empty.
        """
        require_ratings(ratings, "cold_items")
        rated = np.flatnonzero(ratings.item_counts)
        test = floor_share_of(self.fraction, rated.size)
        valid = floor_share_of(self.valid_fraction, rated.size - test)
        item_labels = np.zeros(ratings.n_items, dtype=np.int8)
        item_labels[rated] = TEST - smallest(item_hash(self.seed, ratings.catalogue)[rated], [test, test + valid])
        rule = (
            f"cold items (seed {self.seed}): all ratings of {test} of {rated.size} rated items to test and of {valid} "
            f"others to valid ({self.fraction} and {self.valid_fraction} of the rest, rounded down) by hash of item id"
        )
        return self._build(ratings, item_labels[ratings.items], rule)
