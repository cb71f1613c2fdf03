"""Numbers that belong to raw ids however these are stored: hashes for random choices, and an order for ties.

The integer 7 as int32, as int64 and as the text "7" is one id here; "007", "+7" and "7.0" are others.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfx.raw_ids import INT64, INTEGER

_INTEGER = re.compile(INTEGER)


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Map 64-bit numbers one to one to numbers that look random.

    It is the finaliser of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
    2014.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def id_hashes(ids: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash raw ids; the hash of an id depends on nothing but the id, and is the same in every release.

    An integer of 64 bits is hashed by `mix`, which maps no two of them to one number; other text by BLAKE2b of its
    UTF-8.

    Parameters
    ----------
    ids : array of int or str, shape (n,)
        Raw ids.

    Returns
    -------
    uint64 array, shape (n,)
    """
    is_integer, integers = _integers(ids)
    hashes = mix(integers.astype(np.uint64))
    for place in np.flatnonzero(~is_integer).tolist():
        text = str(ids[place]).encode("utf-8", "surrogatepass")
        hashes[place] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return hashes


def id_ranks(ids: NDArray[Any]) -> NDArray[np.int64] | None:
    """Rank increasing raw ids so that integers, also those stored as text, come by value and before other text.

    Returns
    -------
    int64 array, shape (n,), or None
        None if the ids are in that order already.
    """
    is_integer, integers = _integers(ids)
    order = np.lexsort((integers, ~is_integer))  # stable, so that other text keeps its order
    if np.array_equal(order, np.arange(order.size)):
        return None
    ranks = np.empty(order.size, dtype=np.int64)
    ranks[order] = np.arange(order.size)
    return ranks


def _integers(ids: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Say which ids are integers of 64 bits in canonical notation, and return their values, 0 for the others."""
    if ids.dtype.kind in "iu" and (not ids.size or int(ids.max()) in INT64):
        return np.ones(ids.size, dtype=np.bool_), ids.astype(np.int64)
    matched = [_INTEGER.fullmatch(str(text)) for text in ids.tolist()]
    found = [0 if match is None else int(match[0]) for match in matched]
    fits = [match is not None and value in INT64 for match, value in zip(matched, found, strict=True)]
    values = [value if fit else 0 for value, fit in zip(found, fits, strict=True)]
    return np.array(fits, dtype=np.bool_), np.array(values, dtype=np.int64)
