"""Parquet files of whatever types, and damaged ones."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from surfaces import IDS, RATINGS, TIMES, Surface, checked, same_ratings, sound, tables, try_table

from mfx import registry
from mfx.errors import MFXError

MOMENTS = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31))
TYPES: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.one_of(st.integers(1, 20), st.integers(-(2**63), 2**63 - 1)),
    "int32": st.integers(1, 20),
    "uint8": st.integers(0, 255),
    "uint64": st.one_of(st.integers(1, 20), st.integers(0, 2**64 - 1)),
    "float64": st.one_of(st.integers(1, 20).map(float), st.floats()),
    "float32": st.one_of(st.integers(1, 5).map(float), st.floats(width=32)),
    "string": st.one_of(IDS, RATINGS, TIMES),
    "large_string": IDS,
    "dictionary": IDS,
    "bool": st.booleans(),
    "binary": st.binary(max_size=4),
    "timestamp[s]": st.integers(0, 2**31),
    "timestamp[ns]": st.integers(0, 2**62),
    "date32": st.integers(-700000, 2900000),
    "decimal": st.integers(0, 500),
    "list": st.lists(st.integers(0, 3), max_size=2),
    "struct": st.integers(0, 3).map(lambda x: {"x": x}),
    "null": st.none(),
}
LIKELY = {
    "user_id": ["int64"] * 4 + ["int32", "uint64", "string", "float64", "dictionary"] * 2 + sorted(TYPES),
    "item_id": ["int64"] * 4 + ["int32", "uint64", "string", "float64", "dictionary"] * 2 + sorted(TYPES),
    "rating": ["float64", "float32", "int32", "decimal"] * 6 + sorted(TYPES),
    "timestamp": ["int64", "timestamp[s]", "timestamp[ns]", "float64", "string", "date32"] * 4 + sorted(TYPES),
}


@st.composite
def files(draw: Any) -> dict[str, Any]:
    """Draw columns with types and values (some missing), settings to read them with, and damage."""
    size = draw(st.integers(0, 6))
    columns = {}
    for name in ("user_id", "item_id", "rating", "timestamp"):
        kind = draw(st.sampled_from(LIKELY[name]))
        value = TYPES[kind]
        value = draw(st.sampled_from([value, value, st.one_of(value, value, value, st.none())]))
        columns[name] = (kind, draw(st.lists(value, min_size=size, max_size=size)))
    table = draw(tables())
    return {
        "columns": columns,
        "without": draw(st.sampled_from([None] * 10 + list(columns))),
        "damage": draw(st.sampled_from(["none"] * 6 + ["cut", "flip", "empty", "text"])),
        "at": draw(st.floats(0, 1)),
        "settings": table["settings"],
    }


def write(drawn: dict[str, Any], path: Path) -> bool:
    """Write the file; returns False where Arrow itself has no such column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "dictionary": pa.dictionary(pa.int32(), pa.string()),
        "timestamp[s]": pa.timestamp("s"),
        "timestamp[ns]": pa.timestamp("ns"),
        "date32": pa.date32(),
        "decimal": pa.decimal128(6, 2),
        "list": pa.list_(pa.int64()),
        "struct": pa.struct([("x", pa.int64())]),
        "float64": pa.float64(),
        "float32": pa.float32(),
        "bool": pa.bool_(),
    }
    try:
        arrays = {
            name: pa.array(values, types.get(kind) or getattr(pa, kind)())
            for name, (kind, values) in drawn["columns"].items()
            if name != drawn["without"]
        }
        pq.write_table(pa.table(arrays), path)
    except (pa.ArrowException, UnicodeEncodeError):
        return False
    content = path.read_bytes()
    place = min(int(drawn["at"] * len(content)), len(content) - 1)
    if drawn["damage"] == "cut":
        path.write_bytes(content[:place])
    elif drawn["damage"] == "flip":
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xA5]) + content[place + 1 :])
    elif drawn["damage"] == "empty":
        path.write_bytes(b"")
    elif drawn["damage"] == "text":
        path.write_bytes(b"user_id,item_id,rating\n1,2,3\n")
    return True


def try_file(drawn: dict[str, Any], folder: Path) -> str:
    """Read a Parquet file and compare with the values that were written."""
    path = folder / "ratings.parquet"
    if not write(drawn, path):
        return "unwritten"
    try:
        settings = {"path": str(path), "cache": False, **drawn["settings"]}
        ratings = registry.create("dataset", "table", settings).load()
    except MFXError as error:
        return checked(error)
    # A flip in the values of a file without checksums of its pages makes another file of them, which may be whole.
    if drawn["damage"] == "none" and drawn["settings"]["on_bad_rows"] == "refuse":
        kinds = {name: kind for name, (kind, _) in drawn["columns"].items()}
        simple = all(
            kinds[name] in ("int64", "int32", "uint8", "uint64", "string", "float64") for name in ("user_id", "item_id")
        )
        numeric = kinds["timestamp"] in ("int64", "int32", "uint8", "uint64", "float64")
        if simple and kinds["rating"] in ("int64", "int32", "uint8", "uint64", "float64", "float32"):
            names = list(drawn["columns"])
            rows = [
                dict(zip(names, row, strict=True))
                for row in zip(*(v for _, v in drawn["columns"].values()), strict=True)
            ]
            told = drawn["settings"] if numeric else {**drawn["settings"], "timestamp_column": None}
            same_ratings(ratings, rows, told)
    return sound(ratings)


CSV = Surface(
    "csv", "tables as CSV (BOM, CRLF, quotes, damage, ids, ratings and times of all sorts)", tables, try_table
)
PARQUET = Surface("parquet", "tables as Parquet (18 types, missing values, damage)", files, try_file)
