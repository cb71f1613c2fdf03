"""The latest ratings of each user to test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mfx.interfaces import Ratings, Split
from mfx.registry import register
from mfx.split.parts import Labels, label_latest, require_timestamps
from mfx.split.settings import SharesSplitter
from mfx.split.shares import floor_share


@register("split", "temporal")
@dataclass(kw_only=True)
class TemporalSplit(SharesSplitter):
    """The latest ratings of each user, so that everybody's past predicts their own future.

    Users with too few ratings for a whole test rating stay in train. One user's test may precede another's train:
    `global_temporal` rules that out.
    """

    divides: ClassVar[str] = "users"
    leak_free: ClassVar[str] = "user"

    def split(self, ratings: Ratings) -> Split:
        """Sort each user's n ratings by timestamp and item id; test gets the last ⌊fraction·n⌋.

        Valid gets the last ⌊valid_fraction·rest⌋ of what remains of each user.

        Raises
        ------
        SplitError
            If a part would be empty, or timestamps are missing.
        """
        return self._build(ratings, self.labels(ratings), self.rule())

    def labels(self, ratings: Ratings) -> Labels:
        """Say of each rating in which part it is; other users' ratings make no difference."""
        timestamps = require_timestamps(ratings, "temporal")
        test = floor_share(self.fraction, ratings.user_counts)
        valid = floor_share(self.valid_fraction, ratings.user_counts - test)
        return label_latest(ratings, timestamps, test, valid)

    def rule(self) -> str:
        """Say in a line how the parts are made."""
        return (
            f"temporal per user: the last {self.fraction} of each user's ratings to test, the last "
            f"{self.valid_fraction} of the rest to valid, each rounded down; equal timestamps in order of item id"
        )
