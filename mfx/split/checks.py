"""Whether what a splitter returned is a split of the ratings, and what a reader of its numbers has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mfx.errors import SplitError
from mfx.interfaces import AnyArray, FloatArray, IndexArray, PointerArray, Ratings, Split, Splitter

PARTS = ("train", "valid", "test")
NO_TIMES = np.zeros(0, dtype=np.int64)
_OLDER = {"none": None, "user": "user_history", "global": "history"}
"""What nothing held out may be older than, by what a splitter promises with `leak_free`."""


def divide(splitter: Splitter, ratings: Ratings) -> Split:
    """Divide ratings, and refuse a result that is no split of them: whatever the splitter is, nothing leaks unseen.

    Rows are compared as (user, item, value, timestamp). Each may be in the parts as often as it is in the ratings, so
    that a pair that the ratings repeat may have rows in several parts.

    Returns
    -------
    Split
        That of the splitter, with `aside` counted.

    Raises
    ------
    SplitError
        If a part has another catalogue or holds a row that is no rating, a rating is in two parts or twice in one, or
        one is in no part although the splitter does not say ``leaves_aside``.
    """
    split = splitter.split(ratings)
    name = name_of(splitter)
    owner = np.zeros(len(ratings), dtype=np.int8)
    for number, part in enumerate(PARTS, start=1):
        _claim(ratings, getattr(split, part), number, owner, f"split '{name}'")
    aside = int(np.count_nonzero(owner == 0))
    if aside:
        refuse_aside(splitter, aside, len(ratings), _example(ratings, int(np.argmin(owner))))
    return split if split.aside == aside else replace(split, aside=aside)


def name_of(splitter: Splitter) -> str:
    """Return the name under which a splitter is registered, or else that of its class."""
    return str(getattr(type(splitter), "name", type(splitter).__name__))


def refuse_aside(splitter: Splitter, aside: int, count: int, example: str) -> None:
    """Refuse ratings in no part, unless the splitter says that its rule leaves some aside.

    Raises
    ------
    SplitError
    """
    if not getattr(splitter, "leaves_aside", False):
        raise SplitError(
            f"split '{name_of(splitter)}': {aside:,} of {count:,} ratings are in no part{example}.",
            "If the rule leaves ratings aside, say leaves_aside = True in the class of the splitter.",
        )


def notes(splitter: Splitter, audited: Mapping[str, float]) -> list[str]:
    """Say in a line each what of a split a reader of its numbers has to know.

    Parameters
    ----------
    splitter : Splitter
        The rule.
    audited : mapping of str to float
        What `mfx.audit` found in the split.

    Returns
    -------
    list of str
        Ratings that are in no part; held-out ratings of pairs that the history has too; and, under a rule by time,
        held-out ratings that are older than what is learned from.
    """
    name, lines = name_of(splitter), []
    total = sum(int(audited[f"ratings_{part}"]) for part in PARTS)
    if audited["ratings_aside"]:
        aside = int(audited["ratings_aside"])
        lines.append(f"{aside:,} of {total + aside:,} ratings are in no part of split '{name}'.")
    older = _OLDER[getattr(splitter, "leak_free", "none")]
    for part in PARTS[1:]:
        count, repeated = int(audited[f"ratings_{part}"]), int(audited[f"{part}_pairs_in_history"])
        if repeated:
            lines.append(
                f"{repeated:,} of {count:,} ratings of {part} are of a user and item that the history has too: the "
                "data repeat them."
            )
        late = 0 if older is None else round(audited.get(f"{part}_older_than_{older}", 0.0) * count)
        if late:
            whose = "the same user's history" if older == "user_history" else "the history"
            lines.append(
                f"{late:,} of {count:,} ratings of {part} are older than {whose}, though '{name}' goes by time."
            )
    return lines


def _claim(ratings: Ratings, part: Ratings, number: int, owner: AnyArray, where: str) -> None:
    """Note in `owner` which ratings a part has, and refuse rows that it may not have."""
    from mfx.split.rows import claim

    name = PARTS[number - 1]
    if part.catalogue is not ratings.catalogue:
        raise SplitError(f"{where}: {name} has another catalogue than the ratings.", "Make parts with Ratings.take.")
    if (part.timestamps is None) != (ratings.timestamps is None):
        raise SplitError(
            f"{where}: {name} and the ratings do not both have timestamps.", "Make parts with Ratings.take."
        )
    foreign, first_foreign, again, first_again = claim(*_columns(ratings), *_columns(part), number, owner)
    if foreign:
        raise SplitError(
            f"{where}: {foreign:,} rows of {name} are none of the ratings{_example(part, first_foreign)}.",
            "Make parts with Ratings.take.",
        )
    if again:
        raise SplitError(
            f"{where}: {again:,} ratings of {name} are in another part too, or twice in it"
            f"{_example(part, first_again)}.",
            "A model would be scored on what it has learned: each rating belongs to one part.",
        )


def _columns(ratings: Ratings) -> tuple[IndexArray, IndexArray, PointerArray, FloatArray]:
    times: PointerArray = NO_TIMES if ratings.timestamps is None else ratings.timestamps
    return ratings.users, ratings.items, times, ratings.values


def _example(ratings: Ratings, row: int) -> str:
    ids = ratings.catalogue
    user, item = ids.user_ids[ratings.users[row]], ids.item_ids[ratings.items[row]]
    return f", the first being user {user}, item {item}"
