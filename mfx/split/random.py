"""Ratings to parts by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mfx.interfaces import PointerArray, Ratings, Split
from mfx.registry import register
from mfx.settings import setting
from mfx.split.chance import rating_hash, smallest
from mfx.split.parts import TEST, require_ratings
from mfx.split.settings import SharesSplitter
from mfx.split.shares import floor_share_of


@register("split", "random")
@dataclass(kw_only=True)
class RandomSplit(SharesSplitter):
    """Ratings chosen at random, whoever gave them and whenever.

    Later ratings may be in train and earlier ones in test, so it measures filling in rather than foresight.

    Parameters
    ----------
    seed : int
        Which random choice.
    """

    seed: int = setting(42, ge=0)

    divides: ClassVar[str] = "keys"

    def split(self, ratings: Ratings) -> Split:
        """Give test ⌊fraction·n⌋ ratings and valid ⌊valid_fraction·rest⌋ of the rest.

        Raises
        ------
        SplitError
            If a part would be empty.
        """
        require_ratings(ratings, "random")
        labels = TEST - smallest(self.keys(ratings), self.ranks(len(ratings)))
        return self._build(ratings, labels, self.rule())

    def keys(self, ratings: Ratings) -> PointerArray:
        """Return the number by which each rating is drawn; other ratings make no difference to it."""
        return rating_hash(self.seed, ratings)

    def ranks(self, count: int) -> list[int]:
        """Return how many of so many ratings are in test, and in test or valid: those of the smallest keys."""
        test = floor_share_of(self.fraction, count)
        return [test, test + floor_share_of(self.valid_fraction, count - test)]

    def rule(self) -> str:
        """Say in a line how the parts are made."""
        return (
            f"random (seed {self.seed}): test {self.fraction} of all ratings, valid {self.valid_fraction} of the rest, "
            "by the smallest hash of seed, user and item; each count rounded down"
        )
