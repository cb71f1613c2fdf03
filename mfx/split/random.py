"""Ratings to parts by chance."""

from __future__ import annotations

from dataclasses import dataclass

from mfx.interfaces import Ratings, Split
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

    def split(self, ratings: Ratings) -> Split:
        """Give test ⌊fraction·n⌋ ratings and valid ⌊valid_fraction·rest⌋ of the rest.

        Raises
        ------
        SplitError
            If a part would be empty.
        """
        require_ratings(ratings, "random")
        test = floor_share_of(self.fraction, len(ratings))
        valid = floor_share_of(self.valid_fraction, len(ratings) - test)
        labels = TEST - smallest(rating_hash(self.seed, ratings), [test, test + valid])
        rule = (
            f"random (seed {self.seed}): test {self.fraction} of all ratings, valid {self.valid_fraction} of the rest, "
            "by the smallest hash of seed, user and item; each count rounded down"
        )
        return self._build(ratings, labels, rule)
