"""Timestamps: how moments become int64 counts since 1970-01-01 UTC, and counts become text for people.

Counts are in seconds, or in the coarsest of ms, us and ns that loses nothing of what was given. On the way there a
moment is a pair of whole seconds and of nanoseconds from 0 to 999,999,999, which no unit has to hold.
"""

from __future__ import annotations

import datetime
import decimal
import re
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from mfx.errors import DataError

TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns"]
Counts: TypeAlias = NDArray[np.int64]
Problems: TypeAlias = list[tuple[str, NDArray[np.bool_]]]
"""Reasons why rows cannot be used, each with the rows that it holds for."""

UNITS: tuple[TimeUnit, ...] = get_args(TimeUnit)
PER_SECOND: dict[str, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
EARLIEST, LATEST = -30_610_224_000, 253_402_300_799
"""Seconds at the beginning of the year 1000 and the end of 9999: Python and matplotlib show no later dates, and the
year 1 is what .NET writes for a missing date."""
NS_EARLIEST, NS_LATEST = -9_214_560_000, 9_214_646_399
"""Seconds at the beginning of the year 1678 and the end of 2261, between which int64 counts nanoseconds."""
TOO_LATE = "timestamp beyond the year 9999: is it in ms, us or ns?"
TOO_EARLY = "timestamp before the year 1000: does it stand for a missing one?"
TOO_FINE = "timestamp finer than a nanosecond"
TOO_FAR = "timestamp in nanoseconds outside the years 1678 to 2261"
MISSING = "missing timestamp"
NO_NUMBER, NO_ISO = "timestamp is no number", "timestamp is not ISO 8601"

_NANO = PER_SECOND["ns"]
_SAMPLE = 1_000
_INTEGER = r"^[+-]?[0-9]{1,18}$"
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FRACTION = re.compile(r"(.{8,10}.[\d:]+)[.,](\d+)((?:Z|[+-][\d:]+)?)", re.ASCII)
"""A date, a time of day, a fraction of its second, and an offset."""


class BadTime(ValueError):
    """Carries the reason why a field is no timestamp."""


def coarsened(counts: Counts, unit: TimeUnit) -> tuple[Counts, TimeUnit]:
    """Return counts in the coarsest unit that loses nothing of them, and that unit."""
    for coarser in UNITS[: UNITS.index(unit)]:
        factor = PER_SECOND[unit] // PER_SECOND[coarser]
        if np.any(counts[:_SAMPLE] % factor):
            continue
        whole = counts // factor
        if np.array_equal(whole * factor, counts):
            return whole, coarser
    return counts, unit


def finest(units: list[TimeUnit]) -> TimeUnit:
    """Return the finest of some units; seconds if there are none."""
    return max(units, key=UNITS.index, default="s")


def divided(counts: Counts, unit: str) -> tuple[Counts, Counts]:
    """Divide counts into whole seconds and nanoseconds."""
    per = PER_SECOND[unit]
    if per == 1:
        return counts, np.zeros_like(counts)
    seconds = counts // per
    return seconds, (counts - seconds * per) * (_NANO // per)


def unrepresentable(seconds: Counts, nanoseconds: Counts) -> Problems:
    """Find the moments that no unit holds, or that no date can show."""
    far = (seconds < NS_EARLIEST) | (seconds > NS_LATEST)
    return [
        (TOO_LATE, seconds > LATEST),
        (TOO_EARLY, seconds < EARLIEST),
        (TOO_FAR, far & (nanoseconds % 1_000 != 0) if far.any() else far),
    ]


def beyond(counts: Counts, unit: str, finer: str) -> NDArray[np.bool_]:
    """Return which counts do not fit in the same or a finer unit; all lie in the years 1000 to 9999."""
    per = PER_SECOND[unit]
    if finer != "ns":
        return np.zeros(counts.size, np.bool_)
    return (counts < NS_EARLIEST * per) | (counts >= (NS_LATEST + 1) * per)


def in_unit(counts: Counts, unit: str, finer: str) -> Counts:
    """Return counts in the same or in a finer unit, none of them `beyond` it."""
    return counts * np.int64(PER_SECOND[finer] // PER_SECOND[unit])


def joined(seconds: Counts, nanoseconds: Counts) -> tuple[Counts, TimeUnit]:
    """Return moments as counts of the coarsest unit that loses nothing of them, and that unit.

    The counts mean nothing where the seconds are `beyond` the unit.
    """
    parts, unit = coarsened(nanoseconds, "ns")
    return in_unit(seconds, "s", unit) + parts, unit


def shown(count: int, unit: str) -> str:
    """Write a moment for people, such as ``2005-04-02 23:53:47.5`` (UTC)."""
    moment = str(as_datetimes(np.array([count]), unit)[0]).replace("T", " ")
    return moment.rstrip("0").rstrip(".") if "." in moment else moment


def as_datetimes(counts: Counts, unit: str) -> NDArray[np.datetime64]:
    """Return counts as numpy's datetimes of their unit."""
    return counts.astype(f"datetime64[{unit}]")


# Text


def parse(field: str, unit: str) -> tuple[int, int]:
    """Return the seconds since 1970-01-01 UTC that a field says, and the nanoseconds beyond them, exactly.

    Parameters
    ----------
    field : str
        A decimal number or, if the unit is "iso", ISO 8601 text, which is UTC where it names no offset.
    unit : {"s", "ms", "us", "ns", "iso"}
        What the number counts.

    Raises
    ------
    BadTime
        If it is missing, not written in the unit, finer than a nanosecond, or outside the years 1000 to 9999 (1678 to
        2261 if it is finer than a microsecond).
    """
    field = field.strip()
    if not field:
        raise BadTime(MISSING)
    seconds, nanoseconds = divmod(_iso_nanoseconds(field) if unit == "iso" else _nanoseconds(field, unit), _NANO)
    if seconds > LATEST:
        raise BadTime(TOO_LATE)
    if seconds < EARLIEST:
        raise BadTime(TOO_EARLY)
    if nanoseconds % 1_000 and not NS_EARLIEST <= seconds <= NS_LATEST:
        raise BadTime(TOO_FAR)
    return seconds, nanoseconds


def _nanoseconds(field: str, unit: str) -> int:
    # Python reads 1_0 as 10, and the digits of every script; other readers of the file do not.
    if "_" in field or not field.isascii():
        raise BadTime(NO_NUMBER)
    per = _NANO // PER_SECOND[unit]
    try:
        return int(field) * per
    except ValueError:
        pass
    try:
        number = decimal.Decimal(field)
    except decimal.InvalidOperation:
        raise BadTime(NO_NUMBER) from None
    if not number.is_finite():
        raise BadTime(NO_NUMBER)
    if not number:
        return 0
    if number.adjusted() > 30:  # before numbers of any length are made of it
        raise BadTime(TOO_LATE if number > 0 else TOO_EARLY)
    if number.adjusted() < -30:
        raise BadTime(TOO_FINE)
    exact = Fraction(number) * per
    if exact.denominator != 1:
        raise BadTime(TOO_FINE)
    return exact.numerator


def _iso_nanoseconds(field: str) -> int:
    # Python drops the digits of a fraction after the sixth.
    parts = _FRACTION.fullmatch(field)
    digits = parts[2].rstrip("0") if parts else ""
    try:
        moment = datetime.datetime.fromisoformat(f"{parts[1]}.0{parts[3]}" if parts else field)
    except ValueError:
        raise BadTime(NO_ISO) from None
    offset = moment.utcoffset()
    if offset is not None and offset.microseconds:
        raise BadTime(NO_ISO)
    if len(digits) > 9:
        raise BadTime(TOO_FINE)
    return _of_datetime(moment) + int(digits.ljust(9, "0"))


def _of_datetime(moment: datetime.datetime) -> int:
    """Return nanoseconds since 1970-01-01 UTC."""
    since = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def of_texts(fields: list[Any], unit: str) -> tuple[Counts, Counts, Problems]:
    """Parse fields of text; None is a missing one, for which no problem is returned."""
    seconds, nanoseconds = np.zeros(len(fields), np.int64), np.zeros(len(fields), np.int64)
    reasons: dict[str, NDArray[np.bool_]] = {}
    for row, field in enumerate(fields):
        try:
            if field is not None:
                seconds[row], nanoseconds[row] = parse(str(field), unit)
        except BadTime as problem:
            reasons.setdefault(str(problem), np.zeros(len(fields), np.bool_))[row] = True
    return seconds, nanoseconds, list(reasons.items())


# Arrow


def of_arrow(column: Any, unit: str) -> tuple[Counts, Counts, Problems]:
    """Read a column of a table.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Timestamps and dates, which know their unit; numbers; or text. A binary float means the shortest decimal number
        that names it, which is how it would be written as text.
    unit : {"s", "ms", "us", "ns", "iso"}
        What numbers count, or ISO 8601 text.

    Returns
    -------
    seconds, nanoseconds : int64 arrays
        Whole seconds since 1970-01-01 UTC, and what is beyond them; without meaning where there is a problem.
    problems : list of (str, bool array)
        Reasons why rows cannot be used.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    problems: Problems = [(MISSING, np.asarray(column.is_null()))]
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(column.type):
        column, unit = column.cast(pa.int64()), column.type.unit
    if pa.types.is_integer(column.type) and unit != "iso":
        numbers = np.asarray(column.fill_null(0))
        if numbers.dtype == np.uint64:
            problems.append((NO_NUMBER, numbers > np.uint64(2**63 - 1)))
        seconds, nanoseconds = divided(numbers.astype(np.int64, copy=False), unit)
    elif pa.types.is_floating(column.type) and unit != "iso":
        seconds, nanoseconds, found = of_floats(np.asarray(column.cast(pa.float64()).fill_null(0.0)), unit)
        problems += found
    else:
        text = pa.types.is_string(column.type) and unit != "iso"
        if text and pc.all(pc.match_substring_regex(column, _INTEGER)).as_py() and not column.null_count:
            seconds, nanoseconds = divided(np.asarray(pc.utf8_ltrim(column, "+").cast(pa.int64())), unit)
        else:
            seconds, nanoseconds, found = of_texts(column.to_pylist(), unit)
            problems += found
    return seconds, nanoseconds, problems + unrepresentable(seconds, nanoseconds)


def of_decimals(column: Any) -> Counts:
    """Return the digits of an Arrow array of decimal128 as int64.

    Raises
    ------
    BadTime
        If a number has more digits than that.
    """
    words = np.frombuffer(column.buffers()[1], np.int64).reshape(-1, 2)[column.offset : column.offset + len(column)]
    if np.any(words[:, 1] != words[:, 0] >> 63):  # the upper half is no more than the sign
        raise BadTime(TOO_FAR)
    return np.ascontiguousarray(words[:, 0])


def of_floats(numbers: NDArray[np.float64], unit: str) -> tuple[Counts, Counts, Problems]:
    """Read binary floats, each as the shortest decimal number that names it."""
    base = "ns" if unit == "ns" else "us"
    factor = PER_SECOND[base] // PER_SECOND[unit]
    with np.errstate(invalid="ignore", over="ignore"):
        counts = np.rint(numbers * factor)
        # Below 2^53 a count names one float only, so if it gives the number back, it is the shortest that does.
        plain = (np.abs(counts) < 2**53) & (counts / factor == numbers)
    seconds, nanoseconds = divided(np.where(plain, counts, 0).astype(np.int64), base)
    others = np.flatnonzero(~plain)
    seconds[others], nanoseconds[others], found = of_texts([repr(float(numbers[row])) for row in others], unit)
    problems = []
    for reason, bad in found:
        mask = np.zeros(numbers.size, np.bool_)
        mask[others[bad]] = True
        problems.append((reason, mask))
    return seconds, nanoseconds, problems


# Python


def of_python(values: Any, unit: TimeUnit | None) -> tuple[Counts, TimeUnit]:
    """Return timestamps that a caller hands over as counts of the coarsest unit that loses nothing, and that unit.

    Parameters
    ----------
    values : array-like, shape (n,)
        Datetimes of numpy, pandas or Python (UTC where they name no zone), or numbers.
    unit : {"s", "ms", "us", "ns"} or None
        What numbers count; None means seconds. Datetimes need none.

    Raises
    ------
    DataError
        Naming the first row that is no timestamp, or whose moment no unit holds.
    """
    if unit not in (None, *UNITS):
        raise DataError(f"Ratings: time_unit={unit!r} is none of {', '.join(UNITS)}.")
    kind = getattr(values, "dtype", None)
    if getattr(kind, "tz", None) is not None:  # pandas keeps UTC and the name of a zone
        values = np.asarray(values, dtype=f"datetime64[{getattr(kind, 'unit', 'ns')}]")
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError("Ratings: timestamps must be a column.")
    if array.dtype.kind == "O" and all(isinstance(value, (int, np.integer)) for value in array):
        array = np.array(array.tolist())
    dated = array.dtype.kind in "MO" and array.size > 0
    if dated and unit is not None:
        raise DataError("Ratings: timestamps are datetimes, which know their unit.", "Leave time_unit out.")
    if array.dtype.kind == "M":
        seconds, nanoseconds, problems = _of_datetime64(array)
    elif dated:
        seconds, nanoseconds, problems = _of_objects(array)
    elif array.dtype.kind in "iu":
        large = array > np.uint64(2**63 - 1) if array.dtype == np.uint64 else np.zeros(array.size, np.bool_)
        seconds, nanoseconds = divided(array.astype(np.int64), unit or "s")
        problems = [(NO_NUMBER, large)]
    elif array.dtype.kind == "f" or not array.size:
        seconds, nanoseconds, problems = of_floats(array.astype(np.float64), unit or "s")
    else:
        raise DataError(f"Ratings: timestamps are {array.dtype}.", "Give datetimes, or numbers and time_unit.")
    for reason, rows in problems + unrepresentable(seconds, nanoseconds):
        if rows.any():
            raise DataError(f"Ratings: {reason} (row {int(np.argmax(rows))}, counted from 0).")
    counts, common = joined(seconds, nanoseconds)
    outside = beyond(seconds, "s", common)
    if outside.any():
        raise DataError(f"Ratings: {no_room(int(np.argmax(outside)), seconds[outside][0], 's', 'row')}.")
    return counts, common


def no_room(line: int, count: int, unit: str, what: str) -> str:
    """Say that a moment does not fit beside moments in nanoseconds."""
    return (
        f"the timestamp of {what} {line}, {shown(count, unit)}, does not fit beside timestamps in nanoseconds, "
        "which reach from the year 1678 to 2261"
    )


def _of_datetime64(array: NDArray[np.datetime64]) -> tuple[Counts, Counts, Problems]:
    name, step = np.datetime_data(array.dtype)
    nat = np.isnat(array)
    array = np.where(nat, np.zeros(1, array.dtype), array)
    if name in UNITS and step == 1:
        seconds, nanoseconds = divided(array.astype(np.int64), name)
        return seconds, nanoseconds, [(MISSING, nat)]
    whole = array.astype("datetime64[s]")
    if name in ("Y", "M", "W", "D", "h", "m", "s"):
        return whole.astype(np.int64), np.zeros(array.size, np.int64), [(MISSING, nat)]
    fine = array - whole
    nanoseconds = fine.astype("timedelta64[ns]")
    return whole.astype(np.int64), nanoseconds.astype(np.int64), [(MISSING, nat), (TOO_FINE, nanoseconds != fine)]


def _of_objects(array: NDArray[np.object_]) -> tuple[Counts, Counts, Problems]:
    moments = np.zeros((2, array.size), np.int64)
    missing = np.zeros(array.size, np.bool_)
    for row, value in enumerate(array.tolist()):
        if isinstance(value, datetime.datetime) and value == value:  # pandas' NaT is a datetime that equals nothing
            beyond_microseconds = getattr(value, "nanosecond", 0)  # of pandas
            moments[:, row] = divmod(_of_datetime(value) + beyond_microseconds, _NANO)
        elif isinstance(value, datetime.date) and value == value:
            moments[0, row] = (value - _EPOCH.date()).days * 86_400
        else:
            missing[row] = True
    return moments[0], moments[1], [("a timestamp is missing or no datetime", missing)]
