"""Raw ids as they are written: which spellings are integers, and whether files mean the same ids."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfx.errors import MFXError

log = logging.getLogger("mfx")

INTEGER = r"(0|-?[1-9][0-9]{0,18})"
"""The one spelling of an integer that has no leading zeros, plus or decimals; it may be beyond 64 bits."""

WHOLE = rf"{INTEGER}(\.0)?"
"""Spellings of an integer of which no two differ in anything but ".0", which pandas adds beside missing values."""

ANY_WHOLE = r"[+-]?[0-9]+(\.0)?"
"""Spellings of an integer where ids are known to be integers."""

MATCHED_SHARE = 0.5
"""Of two files that belong together, the share of the smaller one's ids that the other must have; below, MFX warns."""

INT64 = range(-(2**63), 2**63)

_WHOLE = re.compile(WHOLE)


def is_whole(text: str) -> bool:
    """Whether an id is spelled as an integer of 64 bits, without leading zeros or a plus; ``.0`` may follow."""
    return _WHOLE.fullmatch(text) is not None and integer_of(text) in INT64


def integer_of(text: str) -> int:
    """Return the integer that an id of digits means, which `WHOLE` or `ANY_WHOLE` fits."""
    return int(text.removesuffix(".0"))


def are_whole(ids: list[str]) -> bool:
    """Whether all ids that are not missing are spelled as integers, so that their column is one of integers."""
    return all(is_whole(text) for text in ids if text)


def without_decimals(ids: list[str], setting: str) -> list[str]:
    """Return ids of a column that describes others as they are spelled there.

    Parameters
    ----------
    ids : list of str
        Ids as written; "" where they are missing.
    setting : {"auto", "integer", "text"}
        As for ids of ratings: a column of integers loses ``.0``, under "integer" also leading zeros and plus signs,
        and text stays what it is.
    """
    if setting == "text" or (setting == "auto" and not are_whole(ids)):
        return ids
    if setting == "auto":
        return [text.removesuffix(".0") for text in ids]
    return [_canonical(text) for text in ids]


def _canonical(text: str) -> str:
    return str(integer_of(text)) if re.fullmatch(ANY_WHOLE, text) else text


def look_up(find: Callable[[Any], Any], ids: Any, integer: bool) -> Any:
    """Look ids of another file up, whose column may be of another kind.

    Parameters
    ----------
    find : callable
        Returns the index of ids of the right kind, -1 for unknown ones.
    ids : array of int64 or str
        Ids of the other file.
    integer : bool
        Whether the right kind is integers. Text that is spelled as an integer is looked up as one, and an integer as
        its spelling; any other text is unknown among integers.

    Returns
    -------
    int32 array, shape of ids
        Index of each; -1 for unknown ones.
    """
    if integer == (ids.dtype.kind in "iu"):
        return find(ids)
    texts = [str(raw) for raw in ids.tolist()]
    if not integer:
        return find(np.array(texts, dtype=object))
    index = np.full(ids.size, -1, dtype=np.int32)
    whole = np.array([is_whole(text) for text in texts], dtype=np.bool_)
    if whole.any():
        numbers = [integer_of(text) for text in texts if is_whole(text)]
        index[whole] = find(np.array(numbers, dtype=np.int64))
    return index


@dataclass(frozen=True)
class IdsOfFile:
    """Distinct ids of one of two files that belong together.

    Attributes
    ----------
    where : str
        The file or data set, for messages.
    size : int
        How many distinct ids it has.
    example : object
        One of them, if possible one that the other file lacks.
    """

    where: str
    size: int
    example: object


def check_matched(matched: int, one: IdsOfFile, other: IdsOfFile, what: str, error: type[MFXError]) -> None:
    """Say how many ids two files have in common.

    The number is logged; it is a warning if the smaller file has less than `MATCHED_SHARE` of its ids in the other one.

    Parameters
    ----------
    matched : int
        Ids that both have.
    one, other : IdsOfFile
        The files; nothing is said if one of them has no ids.
    what : str
        What the ids are of: "item" or "user".
    error : type of MFXError
        Which error to raise.

    Raises
    ------
    MFXError
        If no id is in both, with an example of either side.
    """
    if not (one.size and other.size):
        return
    examples = f"ids look like {_shown(one.example)} in the former and {_shown(other.example)} in the latter"
    if not matched:
        raise error(f"No {what} of {one.where} is in {other.where}: {examples}.", "Give both the same ids.")
    found = f"{matched:,} of {one.size:,} {what}s of {one.where} are among the {other.size:,} of {other.where}"
    if matched < MATCHED_SHARE * min(one.size, other.size):
        log.warning("Only %s; %s.", found, examples)
    else:
        log.info("%s.", found)


def _shown(example: object) -> str:
    plain = example.item() if isinstance(example, np.generic) else example
    text = repr(plain)
    return text if len(text) <= 40 else text[:36] + "..."
