"""The leakage audit: what of valid and test a model may already know, or cannot know."""

from __future__ import annotations

import numpy as np

from mfx.interfaces import PointerArray, Ratings, Split


def audit(split: Split) -> dict[str, float]:
    """Count what makes a split easier or harder than it looks.

    The history of `test` is train and valid together (what the final model is fitted on), that of `valid` is train.

    Parameters
    ----------
    split : Split
        The parts; any may be empty.

    Returns
    -------
    dict of str to float
        ``ratings_P``, ``users_P``, ``items_P``, ``duplicate_pairs_P``
            For each part P: its ratings, users and items with ratings, and ratings that repeat a user and item of
            the same part.
        ``ratings_aside``
            Ratings that are in no part.
        ``P_cold_users``, ``P_cold_user_ratings``, ``P_cold_user_share``
            For P in valid and test: users without a rating in the history, their ratings, and the share of P that
            these are. Likewise ``P_cold_item...`` for items.
        ``P_pairs_in_history``
            Ratings of P whose user and item have a rating in the history.
        ``P_older_than_user_history``, ``P_older_than_history``
            Share of P given earlier than the newest rating in the history of the same user, or of anybody. Absent
            without timestamps.

        Shares of an empty part are absent.
    """
    numbers: dict[str, float] = {"ratings_aside": float(split.aside)}
    for name, part in (("train", split.train), ("valid", split.valid), ("test", split.test)):
        numbers[f"ratings_{name}"] = float(len(part))
        numbers[f"users_{name}"] = float(np.count_nonzero(part.user_counts))
        numbers[f"items_{name}"] = float(np.count_nonzero(part.item_counts))
        keys = _pairs(part)
        numbers[f"duplicate_pairs_{name}"] = float(np.count_nonzero(keys[1:] == keys[:-1]))
    numbers |= _against("valid", split.valid, (split.train,))
    numbers |= _against("test", split.test, (split.train, split.valid))
    return numbers


def _pairs(part: Ratings) -> PointerArray:
    keys: PointerArray = part.users * np.int64(part.n_items) + part.items
    return keys


def _against(name: str, part: Ratings, history: tuple[Ratings, ...]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    size = len(part)
    for what, index, known_counts in (
        ("user", part.users, [h.user_counts for h in history]),
        ("item", part.items, [h.item_counts for h in history]),
    ):
        cold = np.sum(known_counts, axis=0)[index] == 0
        affected = np.count_nonzero(cold)
        numbers[f"{name}_cold_{what}s"] = float(np.unique(index[cold]).size)
        numbers[f"{name}_cold_{what}_ratings"] = float(affected)
        if size:
            numbers[f"{name}_cold_{what}_share"] = affected / size
    keys = _pairs(part)
    known = np.zeros(size, dtype=np.bool_)
    for earlier in map(_pairs, history):
        if earlier.size and size:
            known |= earlier[np.minimum(np.searchsorted(earlier, keys), earlier.size - 1)] == keys
    numbers[f"{name}_pairs_in_history"] = float(np.count_nonzero(known))
    if part.timestamps is None or not size:
        return numbers
    oldest = np.iinfo(np.int64).min
    newest = np.full(part.n_users, oldest, dtype=np.int64)
    for other in history:
        if other.timestamps is not None and len(other):
            rated = np.flatnonzero(other.user_counts)
            newest[rated] = np.maximum(newest[rated], np.maximum.reduceat(other.timestamps, other.user_indptr[rated]))
    numbers[f"{name}_older_than_user_history"] = float(np.mean(part.timestamps < newest[part.users]))
    numbers[f"{name}_older_than_history"] = float(np.mean(part.timestamps < newest.max()))
    return numbers
