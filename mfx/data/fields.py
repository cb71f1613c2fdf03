"""One field of text to one value, or a few words on why not."""

from __future__ import annotations

import math

from mfx.interfaces import RatingScale
from mfx.timestamps import BadTime, parse

LARGEST = 3.4028234e38
"""The largest rating, that of float32."""
_INT64 = range(-(2**63), 2**63)


class BadField(ValueError):
    """Carries the reason why a field cannot be used."""


def parse_id(field: str, integer: bool, what: str = "id") -> int | str:
    """Return a raw id, without the blanks around it; an integer may be followed by ``.0``.

    Raises
    ------
    BadField
        If it is missing, or no integer where one is expected.
    """
    field = field.strip()
    if not field:
        raise BadField(f"missing {what}")
    return _integer(field.removesuffix(".0"), f"{what} is no integer") if integer else field


def parse_rating(field: str, scale: RatingScale | None) -> float:
    """Return a finite rating on the scale.

    Raises
    ------
    BadField
        If it is missing, no number, not finite, or off the scale.
    """
    field = field.strip()
    if not field:
        raise BadField("missing rating")
    try:
        value = float(field)
    except ValueError:
        raise BadField("rating is no number") from None
    if not _is_plain(field):
        raise BadField("rating is no number")
    check_rating(value, scale)
    return value


def check_rating(value: float, scale: RatingScale | None) -> None:
    """Refuse a rating that is not finite or off the scale.

    Raises
    ------
    BadField
        Naming which.
    """
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise BadField("rating is not finite")
    if scale is not None and not scale.low <= value <= scale.high:
        raise BadField(off_scale(scale))


def off_scale(scale: RatingScale) -> str:
    """Say that a rating lies outside the scale."""
    return f"rating outside {scale.low:g} to {scale.high:g}"


def parse_time(field: str, unit: str) -> tuple[int, int]:
    """Return whole seconds since 1970-01-01 UTC and nanoseconds beyond them; as `mfx.timestamps.parse`.

    Raises
    ------
    BadField
        If it is missing, not written in the unit, or a moment that no unit holds.
    """
    try:
        return parse(field, unit)
    except BadTime as problem:
        raise BadField(str(problem)) from None


def _integer(field: str, reason: str) -> int:
    try:
        value = int(field)
    except ValueError:
        raise BadField(reason) from None
    if not _is_plain(field) or value not in _INT64:
        raise BadField(reason)
    return value


def _is_plain(number: str) -> bool:
    # Python reads 1_0 as 10, and the digits of every script; other readers of the file do not.
    return "_" not in number and number.isascii()
