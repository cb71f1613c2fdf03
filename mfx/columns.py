"""Columns as people give them, in the form in which MFX holds them: ids and titles, and ratings.

Ids are int64, or Python's ``str`` in an object array like titles: numpy's own text is as wide in every row as in the
longest one, so a single long title among 60,000 would cost gigabytes. Ratings are float32.
"""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfx.errors import DataError

log = logging.getLogger("mfx")

_HINT = "Give integers or text."
_EXACT = 2**24
"""Up to this number float32 holds every integer."""


def raw_ids(values: ArrayLike, what: str) -> NDArray[Any]:
    """Return ids that a person gave, unchanged in value, as MFX holds them.

    Parameters
    ----------
    values : array-like
        Integers of any width, floats that are whole numbers, or text; arrays, lists, and columns of pandas (also
        categories and its own integers and text) or pyarrow.
    what : str
        What they are, for messages: "user ids".

    Returns
    -------
    int64 array, or object array of str
        In the shape of `values`. Whole floats are those integers; text is as it was given, spaces included.

    Raises
    ------
    DataError
        If an id is missing, a truth value, a fraction, beyond int64 or neither integer nor text, or if integers and
        text are mixed.
    """
    array = _array(values)
    kind = array.dtype.kind
    if kind in "OT":
        return _of_objects(array.astype(object, copy=False), what)
    if kind == "U":
        return array.astype(object)
    if kind in "iu":
        if kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise DataError(f"{what}: {int(array.max())} is beyond 64 bits with a sign.", "Give such ids as text.")
        return array.astype(np.int64, copy=False)
    if kind == "f":
        exact = 2.0 ** (np.finfo(array.dtype).nmant + 1)  # beyond it floats skip integers
        _refuse_floats(array[~((np.floor(array) == array) & (np.abs(array) < exact))], what)
        return array.astype(np.int64)
    raise DataError(f"{what}: {array.dtype} is neither integers nor text.", _HINT)


def texts(values: ArrayLike, what: str) -> NDArray[np.object_]:
    """Return text as an object array of str.

    Raises
    ------
    DataError
        If a value is no text, such as None.
    """
    array = _array(values).astype(object)
    found = array.ravel().tolist()
    for value in found:
        if not isinstance(value, str):
            raise DataError(f"{what}: {reprlib.repr(value)} is no text.", "Give text; write what is unknown as ''.")
    return array if set(map(type, found)) <= {str} else _reshaped(found, array.shape)


def distinct(ids: NDArray[Any]) -> NDArray[Any]:
    """Return the distinct ids of what `raw_ids` returned, increasing; text by code point."""
    if ids.dtype.kind == "O":
        # Python's sort knows text; numpy's compares objects, and takes twice as long.
        return np.array(sorted(set(ids.tolist())), dtype=object)
    return np.unique(ids)


def positions(sorted_ids: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.int32]:
    """Return the position of each id among distinct, increasing ids, both as `raw_ids` returns them; -1 for others."""
    if sorted_ids.size == 0 or ids.size == 0 or sorted_ids.dtype.kind != ids.dtype.kind:
        return np.full(ids.shape, -1, dtype=np.int32)  # 1 is not "1"
    if ids.dtype.kind == "O" and ids.size > sorted_ids.size // 32:
        position = {known: at for at, known in enumerate(sorted_ids.tolist())}
        found = np.fromiter((position.get(raw, -1) for raw in ids.ravel().tolist()), np.int32, ids.size)
        return found.reshape(ids.shape)
    place = np.minimum(np.searchsorted(sorted_ids, ids), sorted_ids.size - 1)
    return np.where(sorted_ids[place] == ids, place, -1).astype(np.int32)


def check_encodable(values: NDArray[Any], what: str) -> None:
    """Refuse text that cannot be written to a file.

    Raises
    ------
    DataError
        If a value holds half of a surrogate pair.
    """
    try:
        "".join(values.tolist()).encode()
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        wrong = next(text for text in values.tolist() if character in text)
        raise DataError(f"{what}: {reprlib.repr(wrong)} is no valid Unicode.", "Decode the text again.") from None


@dataclass
class Rounding:
    """Large ratings, such as play counts, that float32 rounds; counted over the pieces of a column, then reported.

    They are reported and not refused: they are off by less than one in ten million, as every decimal rating is.

    Attributes
    ----------
    rows : int
        How many there are.
    first : tuple of (line, value) or None
        The first one.
    """

    rows: int = 0
    first: tuple[int, float] | None = None

    def to_float32(self, values: NDArray[Any], line: Callable[[int], int]) -> NDArray[np.float32]:
        """Return numbers as float32; count those beyond 2**24 that change. `line` says where a row comes from."""
        narrow = values.astype(np.float32, copy=False)
        if values.size and narrow is not values and (values.max() > _EXACT or values.min() < -_EXACT):
            changed = np.flatnonzero((narrow != values) & (np.abs(narrow) >= _EXACT))
            self.rows += changed.size
            if changed.size and self.first is None:
                self.first = line(int(changed[0])), values[changed[0]].item()
        return narrow

    def report(self, where: str, unit: str) -> None:
        """Warn of what was counted, naming the file and the first line (or row, as `unit` says)."""
        if self.first is not None:
            line, value = self.first
            log.warning(
                "%s: float32 rounds %d ratings beyond %s; first at %s %d: %s becomes %s.",
                where,
                self.rows,
                f"{_EXACT:,}",
                unit,
                line,
                f"{value:,}",
                f"{np.float32(value).item():,.0f}",
            )


def _array(values: ArrayLike) -> NDArray[Any]:
    if hasattr(values, "__array__"):
        return np.asarray(values)
    array = np.array(values, dtype=object)  # of a list numpy would make text of fixed width, and text of mixed types
    return array if array.size else np.empty(array.shape, np.int64)


def _of_objects(array: NDArray[Any], what: str) -> NDArray[Any]:
    found = array.ravel().tolist()
    types = set(map(type, found))
    if types <= {str}:
        return array
    text, integer, floating = (
        {kind for kind in types if issubclass(kind, allowed)}
        for allowed in (str, (int, np.integer), (float, np.floating))
    )
    other = (types - text - integer - floating) | {bool} & types
    if other:
        wrong = next(value for value in found if type(value) in other)
        raise DataError(f"{what}: {reprlib.repr(wrong)} is neither an integer nor text.", _HINT)
    if floating:
        raw_ids(np.array([value for value in found if type(value) in floating], dtype=np.float64), what)
    if text and len(text) < len(types):
        examples = (next(value for value in found if isinstance(value, str) is is_text) for is_text in (False, True))
        raise DataError(f"{what} mix numbers and text: {' and '.join(map(reprlib.repr, examples))}.", _HINT)
    if text:
        return _reshaped(found, array.shape)
    try:
        return np.array(list(map(int, found)), dtype=np.int64).reshape(array.shape)
    except OverflowError:
        wrong = next(value for value in found if not -(2**63) <= value < 2**63)
        raise DataError(f"{what}: {wrong} is beyond 64 bits with a sign.", "Give such ids as text.") from None


def _refuse_floats(wrong: NDArray[Any], what: str) -> None:
    if wrong.size:
        whole = np.isfinite(wrong[0]) and np.floor(wrong[0]) == wrong[0]
        reason = "is missing" if np.isnan(wrong[0]) else "may be another integer, rounded" if whole else "is no integer"
        raise DataError(f"{what}: {wrong[0]} {reason} ({wrong.size} such ids).", _HINT)


def _reshaped(values: list[Any], shape: tuple[int, ...]) -> NDArray[np.object_]:
    return np.array(list(map(str, values)), dtype=object).reshape(shape)
