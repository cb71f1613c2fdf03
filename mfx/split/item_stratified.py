"""The same share of every item's ratings to test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfx.interfaces import Ratings, Split
from mfx.registry import register
from mfx.settings import setting
from mfx.split.chance import rating_hash
from mfx.split.parts import require_ratings
from mfx.split.settings import SharesSplitter
from mfx.split.shares import floor_share


@register("split", "item_stratified")
@dataclass(kw_only=True)
class ItemStratifiedSplit(SharesSplitter):
    """The same share of each item's ratings, chosen at random, so that popular and rare items are tested alike.

    An item with too few ratings for a whole test rating stays in train; no item of test is cold.

    Parameters
    ----------
    seed : int
        Which random choice.
    """

    seed: int = setting(42, ge=0)

    def split(self, ratings: Ratings) -> Split:
        """Give test ⌊fraction·n⌋ of the n ratings of each item, and valid ⌊valid_fraction·rest⌋ of the rest.

        Raises
        ------
        SplitError
            If a part would be empty.
        """
        from mfx.solver.segments import group_rows, label_tails

        require_ratings(ratings, "item_stratified")
        indptr, rows = group_rows(ratings.items, ratings.n_items)
        test = floor_share(self.fraction, ratings.item_counts)
        valid = floor_share(self.valid_fraction, ratings.item_counts - test)
        labels = np.empty(len(ratings), dtype=np.int8)
        labels[rows] = label_tails(indptr, rating_hash(self.seed, ratings)[rows], test, valid)
        rule = (
            f"item stratified (seed {self.seed}): {self.fraction} of each item's ratings to test, "
            f"{self.valid_fraction} of the rest to valid, each rounded down, by the largest hash of seed, user and item"
        )
        return self._build(ratings, labels, rule)
