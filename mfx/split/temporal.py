"""The latest ratings of each user to test."""

from __future__ import annotations

from dataclasses import dataclass

from mfx.interfaces import Ratings, Split
from mfx.registry import register
from mfx.split.parts import require_timestamps
from mfx.split.settings import SharesSplitter
from mfx.split.shares import floor_share


@register("split", "temporal")
@dataclass(kw_only=True)
class TemporalSplit(SharesSplitter):
    """The latest ratings of each user, so that everybody's past predicts their own future.

    Users with too few ratings for a whole test rating stay in train. One user's test may precede another's train:
    `global_temporal` rules that out.
    """

    def split(self, ratings: Ratings) -> Split:
        """Sort each user's n ratings by timestamp and item id; test gets the last ⌊fraction·n⌋.

        Valid gets the last ⌊valid_fraction·rest⌋ of what remains of each user.

        Raises
        ------
        SplitError
            If a part would be empty, or timestamps are missing.
        """
        from mfx.solver.segments import label_tails

        timestamps = require_timestamps(ratings, "temporal")
        test = floor_share(self.fraction, ratings.user_counts)
        valid = floor_share(self.valid_fraction, ratings.user_counts - test)
        labels = label_tails(ratings.user_indptr, timestamps, test, valid)
        rule = (
            f"temporal per user: the last {self.fraction} of each user's ratings to test, the last "
            f"{self.valid_fraction} of the rest to valid, each rounded down; equal timestamps in order of item id"
        )
        return self._build(ratings, labels, rule)
