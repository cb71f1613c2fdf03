"""From a label per rating to a checked `Split`."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from mfx.errors import SplitError
from mfx.interfaces import PointerArray, Ratings, Split

TRAIN, VALID, TEST = np.int8(0), np.int8(1), np.int8(2)
ASIDE = np.int8(3)

Labels = NDArray[np.int8]


class Emptiness(TypedDict):
    """What to do about empty parts."""

    more_test: str
    more_valid: str
    no_valid: bool


def build(
    ratings: Ratings, labels: Labels, rule: str, *, splitter: str, more_test: str, more_valid: str, no_valid: bool
) -> Split:
    """Make the split that the labels describe.

    Parameters
    ----------
    ratings : Ratings
        All ratings.
    labels : int8 array, shape (n,)
        `TRAIN`, `VALID`, `TEST` or `ASIDE` for each rating.
    rule : str
        One line for people.
    splitter : str
        Name of the component, for errors.
    more_test, more_valid : str
        What to change when test, or valid, is empty.
    no_valid : bool
        Whether an empty valid was asked for.

    Raises
    ------
    SplitError
        If a part is empty, and not on purpose.
    """
    train, valid, test = (ratings.take(labels == part) for part in (TRAIN, VALID, TEST))
    where = f"split '{splitter}' of {len(ratings):,} ratings of '{ratings.name}'"
    refuse_empty(
        len(train), len(valid), len(test), where, more_test=more_test, more_valid=more_valid, no_valid=no_valid
    )
    return Split(train, valid, test, rule, aside=len(ratings) - len(train) - len(valid) - len(test))


def refuse_empty(
    train: int, valid: int, test: int, where: str, *, more_test: str, more_valid: str, no_valid: bool
) -> None:
    """Refuse parts without ratings; `where` says of which split, the rest is as in `build`.

    Raises
    ------
    SplitError
        If a part is empty, and not on purpose.
    """
    if not test:
        raise SplitError(f"{where}: the test part is empty.", more_test)
    if not train:
        raise SplitError(f"{where}: the train part is empty.", "Lower the share of test and valid, or use more data.")
    if not valid and not no_valid:
        raise SplitError(f"{where}: the valid part is empty.", more_valid)


def require_ratings(ratings: Ratings, splitter: str) -> None:
    """Refuse to split nothing."""
    if not len(ratings):
        raise SplitError(f"split '{splitter}': the data set '{ratings.name}' has no ratings.", "Check dataset filters.")


def require_timestamps(ratings: Ratings, splitter: str) -> PointerArray:
    """Return the timestamps.

    Raises
    ------
    SplitError
        If the ratings have none.
    """
    require_ratings(ratings, splitter)
    if ratings.timestamps is None:
        raise SplitError(
            f"split '{splitter}' needs timestamps, which '{ratings.name}' lacks.",
            "Choose split=random or split=item_stratified, or map a timestamp column.",
        )
    return ratings.timestamps


def label_latest(ratings: Ratings, timestamps: PointerArray, test: PointerArray, valid: PointerArray) -> Labels:
    """Label the latest ratings of each user `TEST`, those just before them `VALID`, and the rest `TRAIN`.

    Of equal timestamps the larger item id counts as later: integers by value, and before other ids.

    Parameters
    ----------
    ratings : Ratings
        What to divide.
    timestamps : int64 array, shape (n,)
        Those of the ratings.
    test, valid : int64 arrays, shape (users,)
        How many ratings of each user get the label.
    """
    from mfx.solver.segments import label_tails

    ranks = ratings.catalogue.item_ranks
    if ranks is None:
        return label_tails(ratings.user_indptr, timestamps, test, valid)
    order = np.lexsort((ranks[ratings.items], ratings.users))
    labels = np.empty(len(ratings), dtype=np.int8)
    labels[order] = label_tails(ratings.user_indptr, timestamps[order], test, valid)
    return labels
