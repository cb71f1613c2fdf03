"""One fold of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

from mfx.errors import SettingError
from mfx.interfaces import Ratings, Split
from mfx.registry import register
from mfx.settings import Component, setting
from mfx.split.chance import rating_hash, smallest
from mfx.split.parts import TEST, TRAIN, VALID, build, require_ratings
from mfx.split.settings import MORE_VALID
from mfx.split.shares import floor_share_of

_VALID_STREAM = 2


@register("split", "kfold")
@dataclass(kw_only=True)
class KFold(Component):
    """One of several random folds to test; every rating is in the test of exactly one fold.

    Parameters
    ----------
    folds : int
        Number of folds; their sizes differ by at most one rating.
    fold : int
        Which fold is test, from 0.
    valid_fraction : float
        Share of valid in the other folds, chosen at random and rounded down; 0 for none, hence no early stopping.
    seed : int
        Which random choice.
    """

    folds: int = setting(5, ge=2)
    fold: int = setting(0, ge=0)
    valid_fraction: float = setting(0.1, ge=0, lt=1)
    seed: int = setting(42, ge=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fold >= self.folds:
            raise SettingError(
                f"KFold.fold={self.fold} is not one of {self.folds} folds.",
                f"Folds count from 0: use split.fold=0 to {self.folds - 1}.",
            )

    def split(self, ratings: Ratings) -> Split:
        """Rank the ratings by hash; fold f holds the ranks from ⌊f·n/folds⌋ up to ⌊(f+1)·n/folds⌋.

        Raises
        ------
        SplitError
            If a part would be empty.
        """
        require_ratings(ratings, "kfold")
        n = len(ratings)
        place = smallest(
            rating_hash(self.seed, ratings), [self.fold * n // self.folds, (self.fold + 1) * n // self.folds]
        )
        outside = place != 1
        rest = rating_hash(self.seed, ratings, stream=_VALID_STREAM)[outside]
        labels = place
        labels[:] = TEST
        labels[outside] = VALID - smallest(rest, [floor_share_of(self.valid_fraction, rest.size)])
        assert TRAIN == 0
        rule = (
            f"fold {self.fold} of {self.folds} (seed {self.seed}): ranks of the hash of seed, user and item; valid "
            f"{self.valid_fraction} of the other folds at random, rounded down"
        )
        return build(
            ratings,
            labels,
            rule,
            splitter="kfold",
            more_test="Use at most as many folds as ratings.",
            more_valid=MORE_VALID,
            no_valid=self.valid_fraction == 0,
        )
