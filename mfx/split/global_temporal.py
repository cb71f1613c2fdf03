"""Everything after one moment to test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mfx.errors import SplitError
from mfx.interfaces import PointerArray, Ratings, Split
from mfx.registry import register
from mfx.split.parts import TEST, TRAIN, VALID, require_timestamps
from mfx.split.settings import SharesSplitter
from mfx.split.shares import floor_share_of
from mfx.timestamps import shown


@register("split", "global_temporal")
@dataclass(kw_only=True)
class GlobalTemporalSplit(SharesSplitter):
    """One moment for everybody: what was rated later is test.

    Nothing in train is as late as anything in test, so there is no leak in time, but users and items that appear
    late are cold.
    """

    leak_free: ClassVar[str] = "global"

    def split(self, ratings: Ratings) -> Split:
        """Cut at the earliest moment that leaves at most ⌊fraction·n⌋ ratings after it; valid likewise.

        Ratings at the very moment of a cut stay before it, so equal timestamps are never divided and a part may be
        smaller than its share.

        Raises
        ------
        SplitError
            If a part would be empty, or timestamps are missing.
        """
        timestamps = require_timestamps(ratings, "global_temporal")
        test_after = last_moment_before(timestamps, floor_share_of(self.fraction, timestamps.size))
        early = timestamps[timestamps <= test_after]
        wanted = floor_share_of(self.valid_fraction, early.size)
        valid_after = last_moment_before(early, wanted) if wanted else test_after
        labels = np.where(timestamps > test_after, TEST, np.where(timestamps > valid_after, VALID, TRAIN))
        if not np.any(labels == TEST):
            raise SplitError(
                f"split 'global_temporal': more than {self.fraction} of the ratings share the last timestamp.",
                "Raise split.fraction, or choose split=temporal, which breaks ties by item id.",
            )
        rule = (
            f"global temporal: ratings after {shown(test_after, ratings.time_unit)} UTC to test (at most "
            f"{self.fraction} of all), those after {shown(valid_after, ratings.time_unit)} UTC to valid (at most "
            f"{self.valid_fraction} of the rest); equal timestamps stay together"
        )
        return self._build(ratings, labels, rule)


def last_moment_before(timestamps: PointerArray, count: int) -> int:
    """Return the earliest timestamp t such that at most `count` of the timestamps are later than t."""
    place = timestamps.size - count - 1
    return int(np.partition(timestamps, place)[place])
