"""Random choices that depend on a seed and on what is chosen, never on row order or threads.

Every row (or item) gets a number by hashing; the smallest are chosen. The hash is SplitMix64 applied to a counter,
the finaliser of Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfx.interfaces import PointerArray, Ratings

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
_CHUNK = 1 << 20


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _key(seed: int, stream: int) -> np.uint64:
    start = np.array([(seed * _GOLDEN + stream + 1) & _MASK], dtype=np.uint64)
    return np.uint64(_mix(start)[0])


def number_hash(seed: int, numbers: PointerArray, stream: int = 0) -> PointerArray:
    """Hash non-negative numbers, such as item indices, to random numbers from 0 to 2⁶³ - 1.

    Parameters
    ----------
    seed : int
        Which random choice.
    numbers : int64 array
        What to hash.
    stream : int
        Tells apart several choices made with one seed.

    Returns
    -------
    int64 array, same shape
    """
    mixed = _mix(_mix(numbers.astype(np.uint64) + _key(seed, stream)) + np.uint64(_GOLDEN))
    return (mixed >> np.uint64(1)).view(np.int64)


def rating_hash(seed: int, ratings: Ratings, stream: int = 0) -> PointerArray:
    """Hash the (user, item) pair of each rating; a repeated pair also hashes how many equal ones precede it.

    Returns
    -------
    int64 array, shape (n,)
        Random numbers from 0 to 2⁶³ - 1.
    """
    hashes = np.empty(len(ratings), dtype=np.int64)
    for start in range(0, len(ratings), _CHUNK):
        rows = slice(start, start + _CHUNK)
        pairs = ratings.users[rows].astype(np.int64) << 32 | ratings.items[rows]
        hashes[rows] = number_hash(seed, pairs, stream)
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
