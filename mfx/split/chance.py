"""Random choices that depend on a seed and on what is chosen, never on row order, other ratings or threads.

Every rating (or item) gets a number by hashing its raw ids; the smallest are chosen. Equal numbers, which two of 32
million ratings have with a chance of 1 in 18,000, go by the order of the catalogue.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfx.id_hashes import mix
from mfx.interfaces import Catalogue, PointerArray, Ratings

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
_CHUNK = 1 << 20


def _key(seed: int, stream: int) -> np.uint64:
    start = np.array([(seed * _GOLDEN + stream + 1) & _MASK], dtype=np.uint64)
    return np.uint64(mix(start)[0])


def _as_positive(hashes: NDArray[np.uint64]) -> PointerArray:
    return (hashes >> np.uint64(1)).view(np.int64)


def number_hash(seed: int, numbers: NDArray[np.integer[Any]], stream: int = 0) -> PointerArray:
    """Hash numbers of 64 bits to random numbers from 0 to 2⁶³ - 1.

    Parameters
    ----------
    seed : int
        Which random choice.
    numbers : int64 or uint64 array
        What to hash.
    stream : int
        Tells apart several choices made with one seed.

    Returns
    -------
    int64 array, same shape
    """
    return _as_positive(mix(mix(numbers.astype(np.uint64) + _key(seed, stream)) + np.uint64(_GOLDEN)))


def item_hash(seed: int, catalogue: Catalogue, stream: int = 0) -> PointerArray:
    """Hash the raw id of each item of a catalogue; nothing else makes a difference.

    Parameters
    ----------
    seed : int
        Which random choice.
    catalogue : Catalogue
        Whose items.
    stream : int
        Tells apart several choices made with one seed.

    Returns
    -------
    int64 array, shape (items,)
        Random numbers from 0 to 2⁶³ - 1.
    """
    return number_hash(seed, catalogue.item_hashes, stream)


def rating_hash(seed: int, ratings: Ratings, stream: int = 0) -> PointerArray:
    """Hash the raw ids of user and item of each rating; a repeated pair also hashes its place among the equal ones.

    Neither other ratings, nor unrated users and items, nor the way in which ids are stored make a difference.

    Parameters
    ----------
    seed : int
        Which random choice.
    ratings : Ratings
        What to draw from.
    stream : int
        Tells apart several choices made with one seed.

    Returns
    -------
    int64 array, shape (n,)
        Random numbers from 0 to 2⁶³ - 1.
    """
    of_users = mix(ratings.catalogue.user_hashes + _key(seed, stream))
    of_items = ratings.catalogue.item_hashes
    hashes = np.empty(len(ratings), dtype=np.int64)
    for start in range(0, len(ratings), _CHUNK):
        rows = slice(start, start + _CHUNK)
        hashes[rows] = _as_positive(mix(of_users[ratings.users[rows]] + of_items[ratings.items[rows]]))
    same = (ratings.users[1:] == ratings.users[:-1]) & (ratings.items[1:] == ratings.items[:-1])
    repeats = np.flatnonzero(same) + 1
    if repeats.size:
        starts = np.flatnonzero(np.diff(repeats, prepend=-1) != 1)
        first = np.repeat(repeats[starts], np.diff(np.append(starts, repeats.size)))
        occurrence = repeats - first + 1
        hashes[repeats] = number_hash(seed, hashes[repeats] + occurrence, stream + 1)
    return hashes


def smallest(keys: PointerArray, bounds: list[int]) -> NDArray[np.int8]:
    """Say between which of the given ranks each key lies, counting the smallest key as rank 0.

    Parameters
    ----------
    keys : int64 array, shape (n,)
        Numbers to rank; equal ones rank by position.
    bounds : list of int
        Ranks in increasing order, each from 0 to n.

    Returns
    -------
    int8 array, shape (n,)
        How many of the bounds are at most the key's rank: 0 for the first ``bounds[0]`` keys, and so on.
    """
    inner = sorted({bound for bound in bounds if 0 < bound < keys.size})
    ordered = np.partition(keys, inner) if inner else keys
    place = np.zeros(keys.size, dtype=np.int8)
    for bound in bounds:
        if bound >= keys.size:
            continue
        if bound == 0:
            place += np.int8(1)
            continue
        cut = ordered[bound]
        place += keys > cut
        equal = np.flatnonzero(keys == cut)
        below = np.count_nonzero(keys < cut)
        place[equal[bound - below :]] += np.int8(1)
    return place
