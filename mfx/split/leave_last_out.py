"""A fixed number of each user's latest ratings to test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mfx.interfaces import Ratings, Split
from mfx.registry import register
from mfx.settings import Component, setting
from mfx.split.parts import Emptiness, Labels, build, label_latest, require_timestamps


@register("split", "leave_last_out")
@dataclass(kw_only=True)
class LeaveLastOut(Component):
    """The last rating of each user to test, and the last but one to valid.

    A user gives to test, and then to valid, only while at least one rating stays in train.

    Parameters
    ----------
    count : int
        Ratings of each user in test.
    valid_count : int
        Ratings of each user in valid, taken from what remains; 0 for no valid part, hence no early stopping.
    """

    count: int = setting(1, ge=1)
    valid_count: int = setting(1, ge=0)

    divides: ClassVar[str] = "users"
    leak_free: ClassVar[str] = "user"

    def split(self, ratings: Ratings) -> Split:
        """Sort each user's ratings by timestamp and item id and cut them from the end.

        Raises
        ------
        SplitError
            If a part would be empty, or timestamps are missing.
        """
        splitter = "leave_last_out"
        return build(ratings, self.labels(ratings), self.rule(), splitter=splitter, **self.empty())

    def labels(self, ratings: Ratings) -> Labels:
        """Say of each rating in which part it is; other users' ratings make no difference."""
        timestamps = require_timestamps(ratings, "leave_last_out")
        spare = np.maximum(ratings.user_counts - 1, 0)
        test = np.minimum(self.count, spare)
        valid = np.minimum(self.valid_count, spare - test)
        return label_latest(ratings, timestamps, test, valid)

    def rule(self) -> str:
        """Say in a line how the parts are made."""
        return (
            f"leave last out: each user's last {self.count} to test and the {self.valid_count} before to valid, as far "
            "as one rating stays in train (test served first); equal timestamps in order of item id"
        )

    def empty(self) -> Emptiness:
        """Say what an empty part means, as `mfx.split.parts.refuse_empty` asks it."""
        return {
            "more_test": "No user has two ratings; use more data.",
            "more_valid": "No user has enough ratings; lower split.count, or set split.valid_count=0.",
            "no_valid": self.valid_count == 0,
        }
