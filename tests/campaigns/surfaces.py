"""Where input comes in from outside, what bad input looks like there, and how to tell whether it was dealt with.

Each surface has a hypothesis strategy and a function that tries one input in a folder of its own. It returns
``"refused"`` (an error of MFX's, one line) or ``"right"`` (a result that an independent reading of the same input
confirms), and raises anything else.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mfx import registry
from mfx.errors import MFXError

SECONDS = 30
"""After so long an input counts as a hang."""


@dataclass(frozen=True)
class Surface:
    """A door for input.

    Attributes
    ----------
    name, what : str
        Short, and for people.
    inputs : hypothesis strategy
    attempt : callable
        Tries one input in a folder; see the module.
    warm : callable
        Does once what takes long: imports and kernels.
    """

    name: str
    what: str
    inputs: Callable[[], st.SearchStrategy[Any]]
    attempt: Callable[[Any, Path], str]
    warm: Callable[[], Any] = lambda: None


class Hang(AssertionError):
    """An input that was not dealt with in time."""


@contextlib.contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """Raise `Hang` in the block when it takes longer."""

    def stop(number: int, frame: object) -> None:
        raise Hang(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def checked(error: MFXError) -> str:
    """See that an error is one line that says something."""
    assert error.message.strip(), "an error without words"
    assert "\n" not in str(error), f"an error of several lines: {str(error)!r}"
    assert "secret" not in str(error), "a password is told"
    assert len(str(error)) < 2000, f"an error of {len(str(error))} characters"
    return "refused"


# Text: CSV and the files of items

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
WHOLE = re.compile(r"[+-]?[0-9]+")
NUMBERS = st.integers(1, 30).map(str)
IDS = st.one_of(
    *[NUMBERS] * 12,
    st.sampled_from(
        ["a", "b7", "ß", "a b", "user,1", 'say "x"', "007", "+3", "-4", " 5 ", "1.0", "1e3", "0x10", "1_0"]
    ),
    st.sampled_from(["", "nan", "NULL", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "１２"]),
    st.text(max_size=5),
)
RATINGS = st.one_of(
    *[st.sampled_from(["0.5", "1", "2.0", "3.5", "4", "5"])] * 12,
    st.sampled_from(["", "nan", "inf", "-inf", "1e39", "-1", "1e-46", "five", "4,5", "0x1p3", "1_0", "٣", "+3", " 3 "]),
    st.floats().map(repr),
)
TIMES = st.one_of(
    *[st.integers(0, 2**31).map(str)] * 10,
    st.sampled_from(["", "0", "-1", "1700000000000", "1e30", "nan", "inf", "1.5", "2020-01-01", "2020-01-01T10:00:00"]),
    st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2020-13-01", "9223372036854775808"]),
)


@st.composite
def tables(draw: Any) -> dict[str, Any]:
    """Draw a CSV file (rows of text, and how they are written), settings to read it with, and damage to its bytes."""
    header = ["user_id", "item_id", "rating", "timestamp"]
    rows = draw(st.lists(st.tuples(IDS, IDS, RATINGS, TIMES).map(list), min_size=0, max_size=8))
    shape = draw(st.sampled_from(["plain"] * 8 + ["missing", "twice", "order", "extra", "ragged", "none"]))
    if shape == "missing":
        header.pop(draw(st.integers(0, 3)))
    elif shape == "twice":
        header.append(draw(st.sampled_from(header)))
        rows = [[*row, draw(IDS)] for row in rows]
    elif shape == "order":
        header, rows = header[::-1], [row[::-1] for row in rows]
    elif shape == "extra":
        header, rows = ["note", *header], [["x", *row] for row in rows]
    elif shape == "ragged" and rows:
        rows[draw(st.integers(0, len(rows) - 1))].append("more")
    elif shape == "none":
        header = rows.pop(0) if rows else []
    separator = draw(st.sampled_from([",", ",", ",", ";", "tab", "::"]))
    return {
        "header": header,
        "rows": rows,
        "separator": separator,
        "end": draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])),
        "bom": draw(st.sampled_from([False, False, True])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "encoding": draw(st.sampled_from(["utf-8"] * 6 + ["latin-1", "utf-16"])),
        "damage": draw(st.sampled_from(["none"] * 6 + ["cut", "flip", "nul", "gzip", "half gzip"])),
        "at": draw(st.floats(0, 1)),
        "settings": {
            "user_ids": draw(st.sampled_from(["auto", "auto", "integer", "text"])),
            "item_ids": draw(st.sampled_from(["auto", "auto", "integer", "text"])),
            "timestamp_column": draw(st.sampled_from(["timestamp", "timestamp", None])),
            "timestamp_unit": draw(st.sampled_from(["s", "s", "ms", "ns", "iso"])),
            "on_bad_rows": draw(st.sampled_from(["refuse", "refuse", "drop"])),
            "duplicates": draw(st.sampled_from(["refuse", "keep_last", "keep_first", "mean"])),
            **draw(st.sampled_from([{}, {}, {"rating_min": 0.5, "rating_max": 5.0}])),
        },
    }


def written(table: dict[str, Any]) -> tuple[bytes, str]:
    """Write a drawn table; returns its bytes and the ending of its name."""
    text = io.StringIO()
    lines = [table["header"], *table["rows"]] if table["header"] else table["rows"]
    if table["separator"] == "::":
        text.write("".join("::".join(row) + table["end"] for row in lines))
    else:
        delimiter = "\t" if table["separator"] == "tab" else table["separator"]
        writer = csv.writer(text, delimiter=delimiter, lineterminator=table["end"], quoting=table["quoting"])
        writer.writerows(lines)
    content = text.getvalue().encode(table["encoding"], errors="replace")
    if table["bom"] and table["encoding"] == "utf-8":
        content = b"\xef\xbb\xbf" + content
    place = int(table["at"] * len(content))
    if table["damage"] == "cut":
        content = content[:place]
    elif table["damage"] == "flip" and content:
        place = min(place, len(content) - 1)
        content = content[:place] + bytes([content[place] ^ 0xA5]) + content[place + 1 :]
    elif table["damage"] == "nul":
        content = content[:place] + b"\0" + content[place:]
    elif "gzip" in table["damage"]:
        import gzip

        content = gzip.compress(content)
        return content[: len(content) // 2] if "half" in table["damage"] else content, ".csv.gz"
    return content, ".csv"


def try_table(table: dict[str, Any], folder: Path) -> str:
    """Read a CSV file and compare with the rows that were written."""
    content, suffix = written(table)
    path = folder / f"ratings{suffix}"
    path.write_bytes(content)
    try:
        settings = {"path": str(path), "separator": table["separator"], "cache": False, **table["settings"]}
        ratings = registry.create("dataset", "table", settings).load()
    except MFXError as error:
        return checked(error)
    plain = table["encoding"] == "utf-8" and table["damage"] in ("none", "gzip") and table["separator"] != "::"
    if plain and table["settings"]["on_bad_rows"] == "refuse" and len(set(table["header"])) == len(table["header"]):
        rows = [dict(zip(table["header"], row, strict=True)) for row in table["rows"] if row]
        same_ratings(ratings, rows, table["settings"])
    return sound(ratings)


def same_ratings(ratings: Any, rows: list[dict[str, Any]], settings: dict[str, Any]) -> None:
    """Compare with the rows of text (or typed values): none is lost, none is another."""
    catalogue = ratings.catalogue
    wanted = {}
    for row in rows:
        key = tuple(
            _id(row[name], ids.dtype.kind in "iu")
            for name, ids in (("user_id", catalogue.user_ids), ("item_id", catalogue.item_ids))
        )
        wanted.setdefault(key, []).append(row)
    found = list(zip(catalogue.user_ids[ratings.users], catalogue.item_ids[ratings.items], strict=True))
    keys = [(_plain(user), _plain(item)) for user, item in found]
    assert sorted(map(repr, keys)) == sorted(map(repr, wanted)), f"pairs {keys} were read, {list(wanted)} written"
    for place, key in enumerate(keys):
        values = [np.float32(float(row["rating"])) for row in wanted[key]]
        value = ratings.values[place]
        if settings["duplicates"] == "mean":
            assert np.isclose(value, np.mean(values, dtype=np.float64), rtol=1e-6), (
                f"{value} is not the mean of {values}"
            )
        else:
            assert value in values, f"{value} was read where {values} were written"
        if settings["timestamp_column"] is not None and settings["timestamp_unit"] in ("s", "ms", "ns"):
            per = _PER_SECOND[settings["timestamp_unit"]]
            times = [Fraction(str(row["timestamp"]).strip()) / per for row in wanted[key]]
            time = Fraction(int(ratings.timestamps[place]), _PER_SECOND[ratings.time_unit])
            assert time in times, f"time {time} was read, {times} written"


def _id(written: Any, integer: bool) -> int | str:
    text = str(int(written)) if isinstance(written, float) else str(written).strip()
    text = text.removesuffix(".0") if integer else text
    if not integer:
        return text
    assert WHOLE.fullmatch(text), f"{written!r} was read as an integer"
    return int(text)


def _plain(raw: Any) -> int | str:
    return int(raw) if isinstance(raw, np.integer) else raw


def sound(ratings: Any) -> str:
    """See that ratings are what everything after a reader may rely on."""
    assert len(ratings) > 0
    assert np.isfinite(ratings.values).all()
    assert ratings.users.min() >= 0
    assert ratings.users.max() < ratings.n_users
    assert ratings.items.min() >= 0
    assert ratings.items.max() < ratings.n_items
    pairs = ratings.users.astype(np.int64) * ratings.n_items + ratings.items
    assert (np.diff(pairs) > 0).all(), "pairs repeat, or are not in order"
    assert ratings.rating_range.low <= ratings.values.min()
    assert ratings.rating_range.high >= ratings.values.max()
    assert len(ratings.data_fingerprint) == 32
    return "right"
