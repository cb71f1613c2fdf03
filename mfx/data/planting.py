"""Kernels that draw synthetic ratings; imported inside functions because they need numba.

Every number is a hash of the seed, the user and a counter, so results depend neither on threads nor on order.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.hashing import random_bits, to_unit
from mfx.solver.jit import kernel

_USERS_PER_BLOCK = 256


@kernel()
def hashed(key: Any, counter: Any) -> Any:
    """Return number `counter` of a key's random bits, for integers of any type."""
    return random_bits(np.uint64(key), np.uint64(counter))


@kernel()
def uniform(key: Any, counter: Any) -> float:
    """Return a number in [0, 1) with 53 random bits."""
    return to_unit(hashed(key, counter))


@kernel()
def alias_table(weights: DoubleArray) -> tuple[FloatArray, IndexArray]:
    """Prepare drawing from a discrete distribution in constant time (Vose 1991).

    Parameters
    ----------
    weights : float64 array, shape (n,)
        Positive weights.

    Returns
    -------
    keep : float32 array, shape (n,)
        Probability of keeping a slot.
    other : int32 array, shape (n,)
        What the slot gives otherwise.
    """
    n = weights.size
    scaled = weights * (n / weights.sum())
    keep, other = np.ones(n, np.float32), np.arange(n).astype(np.int32)
    small, large = np.empty(n, np.int64), np.empty(n, np.int64)
    smalls, larges = 0, 0
    for i in range(n):
        if scaled[i] < 1.0:
            small[smalls] = i
            smalls += 1
        else:
            large[larges] = i
            larges += 1
    while smalls and larges:
        smalls -= 1
        less, more = small[smalls], large[larges - 1]
        keep[less] = scaled[less]
        other[less] = more
        scaled[more] -= 1.0 - scaled[less]
        if scaled[more] < 1.0:
            larges -= 1
            small[smalls] = more
            smalls += 1
    return keep, other


@kernel(parallel=True)
def draw_pairs(
    indptr: PointerArray,
    keep: FloatArray,
    other: IndexArray,
    user_factors: FloatArray,
    item_factors: FloatArray,
    taste: float,
    key: int,
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Choose distinct items for each user: by popularity, and by taste.

    A candidate drawn by popularity is taken with probability 1 / (1 + exp(-taste · u·v)), all if `taste` is 0. A user
    for whom too many candidates fail takes the next items that are free.

    Parameters
    ----------
    indptr : int64 array, shape (users + 1,)
        User u rates ``indptr[u + 1] - indptr[u]`` items.
    keep, other : array, shape (items,)
        Alias table of popularity.
    user_factors, item_factors : float32 array, shape (users, factors), (items, factors)
        Planted factors.
    taste : float
        How strongly taste decides.
    key : int
        Random key.

    Returns
    -------
    users, items : int32 array, shape (ratings,)
        By user, then item.
    turn : int32 array, shape (ratings,)
        When the user came to the item: 0 for the first.
    """
    n_users, n_items, total = indptr.size - 1, keep.size, indptr[-1]
    users, items = np.empty(total, np.int32), np.empty(total, np.int32)
    turn = np.empty(total, np.int32)
    blocks = (n_users + _USERS_PER_BLOCK - 1) // _USERS_PER_BLOCK
    for block in numba.prange(blocks):
        taken = np.full(n_items, -1, np.int32)
        for user in range(block * _USERS_PER_BLOCK, min((block + 1) * _USERS_PER_BLOCK, n_users)):
            start, count = indptr[user], indptr[user + 1] - indptr[user]
            chosen = np.empty(count, np.int64)
            own = hashed(key, user)
            found, tries = 0, 0
            while found < count and tries < 40 * count + 200:
                bits = hashed(own, tries)
                slot = np.int64(((bits >> np.uint64(32)) * np.uint64(n_items)) >> np.uint64(32))
                fraction = float(bits & np.uint64(0xFFFFFFFF)) / 4294967296.0
                item = slot if fraction < keep[slot] else np.int64(other[slot])
                tries += 1
                if taken[item] == user:
                    continue
                if taste != 0.0:
                    liking = 0.0
                    for f in range(user_factors.shape[1]):
                        liking += user_factors[user, f] * item_factors[item, f]
                    if uniform(own ^ np.uint64(0x5DEECE66D), tries) * (1.0 + math.exp(-taste * liking)) > 1.0:
                        continue
                taken[item] = user
                chosen[found] = (item << 32) | found
                found += 1
            item = np.int64(hashed(own, -1) >> np.uint64(33)) % n_items
            while found < count:
                item = (item + 1) % n_items
                if taken[item] != user:
                    taken[item] = user
                    chosen[found] = (item << 32) | found
                    found += 1
            chosen.sort()
            for j in range(count):
                users[start + j] = user
                items[start + j] = chosen[j] >> 32
                turn[start + j] = chosen[j] & 0xFFFFFFFF
    return users, items, turn


@kernel(parallel=True)
def draw_times(indptr: PointerArray, turn: IndexArray, begin: int, seconds: int, key: int) -> PointerArray:
    """Give each rating a time: users arrive at any time and rate in turn, most within days, some over years."""
    times = np.empty(turn.size, np.int64)
    for user in numba.prange(indptr.size - 1):
        own = hashed(key, user)
        arrival = 0.98 * uniform(own, 0)
        stay = (1.0 - arrival) * uniform(own, 1) ** 6
        count = indptr[user + 1] - indptr[user]
        for row in range(indptr[user], indptr[user + 1]):
            share = (turn[row] + uniform(own, turn[row] + 2)) / count
            times[row] = begin + np.int64((arrival + stay * share) * seconds)
    return times


@kernel(parallel=True)
def expected(
    users: IndexArray,
    items: IndexArray,
    moments: FloatArray,
    mean: float,
    user_bias: FloatArray,
    item_bias: FloatArray,
    item_drift: FloatArray,
    user_factors: FloatArray,
    item_factors: FloatArray,
) -> FloatArray:
    """Return μ + b_u + b_i + d_i·m + u·v for each pair at its moment m in [-1, 1]; float32, shape (n,)."""
    values = np.empty(users.size, np.float32)
    for row in numba.prange(users.size):
        user, item = users[row], items[row]
        value = mean + user_bias[user] + item_bias[item] + item_drift[item] * moments[row]
        for f in range(user_factors.shape[1]):
            value += user_factors[user, f] * item_factors[item, f]
        values[row] = value
    return values


@kernel(parallel=True)
def add_noise(values: FloatArray, noise: float, step: float, low: float, high: float, key: int) -> None:
    """Add Gaussian noise in place; with a step above 0, round to multiples of it and clip to the scale."""
    for row in numba.prange(values.size):
        radius = math.sqrt(-2.0 * math.log(1.0 - uniform(key, 2 * row)))
        value = values[row] + noise * radius * math.cos(2.0 * math.pi * uniform(key, 2 * row + 1))
        if step > 0.0:
            value = min(max(np.floor(value / step + 0.5) * step, low), high)
        values[row] = value
