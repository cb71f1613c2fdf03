"""Whether the arrays of a saved model fit together: kernels do not look, so a reader has to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mfx.errors import ModelError
from mfx.interfaces import AnyArray, Catalogue, Features, RatingScale
from mfx.models.lists import Seen


def array_of(array: AnyArray, name: str, dtype: Any, shape: tuple[int | None, ...]) -> AnyArray:
    """Return an array in C order, of this dtype and shape (None: any length).

    Raises
    ------
    ModelError
        If it has others.
    """
    array = np.asarray(array)
    fits = len(array.shape) == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if array.dtype != np.dtype(dtype) or not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ModelError(f"{name} is {array.dtype} of shape {array.shape}, not {np.dtype(dtype)} of shape ({wanted}).")
    return np.ascontiguousarray(array)


def finite(array: AnyArray, name: str) -> None:
    """Refuse an array with a number that is not finite.

    Raises
    ------
    ModelError
        If there is one.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelError(f"{name} holds {int((~np.isfinite(array)).sum())} numbers that are not finite.")


def rows_of(indptr: AnyArray, entries: int, rows: int, name: str) -> AnyArray:
    """Return row pointers that divide so many entries into so many rows.

    Raises
    ------
    ModelError
        If they do not.
    """
    checked = array_of(indptr, f"{name}/indptr", np.int64, (rows + 1,))
    if checked[0] != 0 or checked[-1] != entries or np.any(np.diff(checked) < 0):
        raise ModelError(f"{name}/indptr does not divide {entries} entries into rows.")
    return checked


def inside(index: AnyArray, size: int, name: str) -> AnyArray:
    """Return int32 indices below `size`.

    Raises
    ------
    ModelError
        If one is not.
    """
    checked = array_of(index, name, np.int32, (None,))
    if checked.size and (checked.min() < 0 or checked.max() >= size):
        raise ModelError(f"{name} holds an index outside 0 to {size - 1}.")
    return checked


def seen_of(catalogue: Catalogue, indptr: AnyArray, items: AnyArray, counts: AnyArray) -> Seen:
    """Put together which items each user rated.

    Raises
    ------
    ModelError
        If the arrays do not fit each other and the catalogue.
    """
    index = inside(items, catalogue.n_items, "seen/items")
    times = array_of(counts, "seen/item_counts", np.int64, (catalogue.n_items,))
    elsewhere = not index.size and times.any()  # with the parts of a data set
    pointers = rows_of(indptr, int(times.sum()) if elsewhere else index.size, catalogue.n_users, "seen")
    if elsewhere:
        if times.min() < 0:
            raise ModelError("seen/item_counts hold a negative number.")
        return Seen(pointers, index, times)
    # Each row is in increasing order; a step down is allowed where a new row starts.
    falls = np.flatnonzero(np.diff(index) < 0) + 1
    if not np.isin(falls, pointers).all():
        raise ModelError("seen/items are not in order.")
    if not np.array_equal(np.bincount(index, minlength=catalogue.n_items), times):
        raise ModelError("seen/item_counts do not count seen/items.")
    return Seen(pointers, index, times)


def features_of(
    names: AnyArray, indptr: AnyArray, indices: AnyArray, weights: AnyArray | None, rows: int, what: str
) -> Features:
    """Put together the features of the rows of a catalogue.

    Raises
    ------
    ModelError
        If the arrays do not fit each other.
    """
    index = inside(indices, names.size, f"{what}/indices")
    if weights is not None:
        weights = array_of(weights, f"{what}/weights", np.float32, (index.size,))
        finite(weights, f"{what}/weights")
    return Features(tuple(names.tolist()), rows_of(indptr, index.size, rows, what), index, weights)


def scale_of(written: Any) -> RatingScale:
    """Read a rating scale.

    Raises
    ------
    ModelError
        If it is not two finite numbers, the lower one first.
    """
    numbers = written if isinstance(written, list) else []
    plain = [
        one for one in numbers if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
    ]
    if len(plain) != 2 or len(numbers) != 2 or plain[0] > plain[1]:
        raise ModelError(f"The rating scale {written!r} is not two numbers, the lower one first.")
    return RatingScale(float(plain[0]), float(plain[1]))


def texts_of(data: AnyArray, ends: AnyArray, name: str) -> AnyArray:
    """Unpack texts that were written as one run of UTF-8 bytes and their ends.

    Raises
    ------
    ModelError
        If the ends do not divide the bytes, or they are no UTF-8.
    """
    run = array_of(data, f"{name}/text", np.uint8, (None,)).tobytes()
    stops = array_of(ends, f"{name}/ends", np.int64, (None,))
    if np.any(np.diff(stops, prepend=0) < 0) or (int(stops[-1]) if stops.size else 0) != len(run):
        raise ModelError(f"{name}/ends do not divide the text.")
    places = stops.tolist()
    try:
        return np.array([run[a:b].decode() for a, b in zip([0, *places], places, strict=False)], dtype=object)
    except UnicodeDecodeError as error:
        raise ModelError(f"{name}/text is not UTF-8 ({error.reason}).") from error
