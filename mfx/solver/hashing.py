"""Random numbers by counting: number n of a key is a hash of both, so that no order of work can change it.

The generator is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"), whose
state after n steps is ``key + n * GAMMA``: any of its numbers can be had directly.

Inside kernels every argument must be an ``np.uint64``: numba turns a sum of signed and unsigned integers to float.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mfx.interfaces import IndexArray
from mfx.solver.jit import kernel

# Labels that keep the numbers drawn for one purpose apart from those of another.
USERS, ITEMS, NEGATIVES, FOLD_IN, CANDIDATES = range(5)

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_HALF, _MANTISSA = np.uint64(32), np.uint64(11)
_TWO_TO_32, _LOWER = np.uint64(2**32), np.uint64(2**32 - 1)
_UNIT = 2.0**-53


@kernel()
def random_bits(key: np.uint64, n: np.uint64) -> np.uint64:
    """Return number n (from 0) of a key's sequence: 64 random bits, SplitMix64's output n of seed `key`."""
    z = key + (n + _ONE) * _GAMMA
    z = (z ^ (z >> _SHIFT_1)) * _MIX_1
    z = (z ^ (z >> _SHIFT_2)) * _MIX_2
    return z ^ (z >> _SHIFT_3)


@kernel()
def derive(key: np.uint64, label: np.uint64) -> np.uint64:
    """Return the key of sequence `label` of a key, apart from the key's own numbers and from other labels' keys."""
    return random_bits(~key, label)


@kernel()
def to_below(bits: np.uint64, n: np.uint64) -> np.int64:
    """Turn 64 random bits into an integer in [0, n), for 0 < n < 2**63.

    The bits are scaled (Lemire 2019, without his rejection step): their upper 32 for n up to 2**32, where no value's
    probability is off by more than 2**-32, and all 64 for larger n, where none is off by more than 2**-64.
    """
    if n <= _TWO_TO_32:
        return np.int64(((bits >> _HALF) * n) >> _HALF)
    # The upper 64 bits of the product of 128 bits, from products of halves.
    high, low, n_high, n_low = bits >> _HALF, bits & _LOWER, n >> _HALF, n & _LOWER
    upper = high * n_low + ((low * n_low) >> _HALF)
    lower = low * n_high + (upper & _LOWER)
    return np.int64(high * n_high + (upper >> _HALF) + (lower >> _HALF))


@kernel()
def to_unit(bits: np.uint64) -> float:
    """Turn 64 random bits into a float64 in [0, 1), a multiple of 2**-53."""
    return float(bits >> _MANTISSA) * _UNIT


@kernel()
def fill_bits(key: np.uint64, out: NDArray[np.uint64]) -> None:
    """Write the first ``out.size`` numbers of a key's sequence to a uint64 array."""
    for n in range(out.size):
        out[n] = random_bits(key, np.uint64(n))


def key_of(seed: int, *labels: int) -> np.uint64:
    """Return the key of a seed and a path of labels, such as (purpose, epoch).

    Parameters
    ----------
    seed : int
        Any integer; its lowest 64 bits count.
    *labels : int
        Non-negative integers.
    """
    key = np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
    for label in labels:
        key = np.uint64(derive(key, np.uint64(label)))  # numba hands plain integers back
    return key


def permutation(n: int, key: np.uint64) -> IndexArray:
    """Return a random order of 0..n-1 as int32: the indices by increasing random number of the key."""
    bits = np.empty(n, dtype=np.uint64)
    fill_bits(key, bits)
    return np.argsort(bits, kind="stable").astype(np.int32)
