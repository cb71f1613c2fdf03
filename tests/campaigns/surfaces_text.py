"""Text as others write it: quotes that surround fields or stray, ids of every spelling, encodings.

What is right is told without the readers: rows are known before they are written, and ids are judged by rules of their
own. So a row that is lost, joined with another or given to another user is seen.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from surfaces import Surface, checked, sound

from mfx import registry
from mfx.errors import MFXError

PLAIN_INTEGER = re.compile(r"0|-?[1-9]\d*", re.ASCII)
SPELLINGS = {
    "integers": ["1", "2", "7", "10", "100", "-4", "0"],
    "decimals": ["1.0", "2.0", "7.0", "10.0", "100.0", "-4.0", "0.0"],
    "some decimals": ["1.0", "2", "7.0", "10", "100", "-4", "0"],
    "leading zeros": ["007", "7", "010", "10", "1", "01", "001"],
    "plus": ["+7", "7", "8", "9", "-0", "0", "10"],
    "prefixed": ["tt0113497", "tt007", "tt7", "tt10", "TT7", "tt1", "tt2"],
    "upper and lower case": ["B00A", "b00a", "B00B", "b1", "B1", "ß", "É"],
    "large": ["9223372036854775807", "-9223372036854775808", "9007199254740993", "1", "2", "3", "4"],
    "too large": ["9223372036854775808", "1", "2", "3", "4", "5", "6"],
    "fractions": ["1.5", "1.50", "2.0", "2", "1e3", "1000", "3"],
    "surrounded": ['"7"', "7", 'a"b', "a,b", "a\tb", "8", "9"],
}
NOTES = st.one_of(
    st.sampled_from(["", "ok", "fine", 'the "best"', "Amélie", "a, b", "a\tb", "x\ny", "日本"]),
    st.sampled_from(['"Great', 'Great"', '"', '""', '"Great"', '"a" b', '"a, b"', '""a', '"it\'s""']),
    st.text(alphabet='",\t ab"', max_size=6),
)
WORDS_FOR_NO_GENRE = {"", "(no genres listed)", "\\n", "n/a", "nan", "null", "none", "na"}
GENRES = st.lists(
    st.sampled_from(["Action", "Comedy", "Film-Noir", "(no genres listed)", "\\N", "N/A", "NaN", "unknown"]),
    max_size=3,
)


@st.composite
def ids_of(draw: Any, size: int) -> list[str]:
    """Draw ids of one column, all spelled alike."""
    style = draw(st.sampled_from(sorted(SPELLINGS)))
    return draw(st.lists(st.sampled_from(SPELLINGS[style]), min_size=size, max_size=size))


@st.composite
def files(draw: Any) -> dict[str, Any]:
    """Draw rows, how they are written, and the settings that they are read with."""
    size = draw(st.integers(1, 8))
    return {
        "users": draw(ids_of(size)),
        "items": draw(ids_of(size)),
        "notes": draw(st.lists(NOTES, min_size=size, max_size=size)),
        "form": draw(st.sampled_from(["csv", "all quoted", "unquoted"])),
        "separator": draw(st.sampled_from([",", "\t"])),
        "end": draw(st.sampled_from(["\n", "\n", "\r\n"])),
        "encoding": draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig"] * 2 + ["latin-1", "utf-16"])),
        "quoting": draw(st.sampled_from(["auto", "auto", "auto", "csv", "none"])),
        "ids": draw(st.sampled_from(["auto", "auto", "auto", "text", "integer"])),
        "way": draw(st.sampled_from(["whole", "partitions"])),
    }


def clean(fields: list[str], separator: str) -> list[str]:
    """Take out of fields what cannot be written without quotes."""
    return [re.sub(rf"[{separator}\r\n]", "", field) for field in fields]


def written(rows: list[list[str]], drawn: dict[str, Any]) -> str:
    """Write rows as text."""
    if drawn["form"] == "unquoted":
        return "".join(drawn["separator"].join(row) + drawn["end"] for row in rows)
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if drawn["form"] == "all quoted" else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=drawn["separator"], lineterminator=drawn["end"], quoting=quoting).writerows(rows)
    return text.getvalue()


def readings(text: str, drawn: dict[str, Any]) -> list[list[list[str]]]:
    """Return the rows that the text may mean: under the setting for quotes, or as they were written."""
    plain = [line.split(drawn["separator"]) for line in re.split(r"\r\n|\n|\r", text) if line]
    try:
        stream = io.StringIO(text, newline="")
        quoted = [[row for row in csv.reader(stream, delimiter=drawn["separator"], strict=True) if row]]
    except csv.Error:
        quoted = []
    if drawn["quoting"] == "none":
        return [plain]
    if drawn["quoting"] == "csv":
        return quoted
    if drawn["form"] == "unquoted":
        return [plain, *(one for one in quoted if len(one) == len(plain))]
    return quoted


def refused(error: MFXError, good: bool) -> str:
    """See that an error is one line, and that the file was not a good one."""
    assert not good, f"a good file was refused: {error}"
    return checked(error)


def is_clear(rows: list[list[str]], drawn: dict[str, Any]) -> bool:
    """Whether rows were written in such a way that they must be read under the setting for quotes."""
    if drawn["form"] == "unquoted":
        return drawn["quoting"] == "none"
    return drawn["quoting"] == "csv" or (
        drawn["quoting"] == "auto" and not any("\n" in field for row in rows for field in row)
    )


def as_ids(column: list[str], setting: str) -> list[int | str]:
    """Return ids by the rule: integers if all are spelled so, also with ".0"."""
    stripped = [raw.strip() for raw in column]
    bare = [raw.removesuffix(".0") for raw in stripped]
    plain = all(PLAIN_INTEGER.fullmatch(raw) and -(2**63) <= int(raw) < 2**63 for raw in bare)
    if setting == "integer" or (setting == "auto" and plain):
        return [int(raw) for raw in bare]
    return stripped


def encoded(text: str, encoding: str) -> tuple[bytes, bool]:
    """Return the bytes of a text, and whether they are UTF-8 that means it."""
    content = text.encode(encoding, errors="replace")
    return content, content.removeprefix(b"\xef\xbb\xbf") == text.encode()


def plain(raw: Any) -> int | str:
    """Return a raw id as Python's own."""
    value = raw.item() if hasattr(raw, "item") else raw
    return value if isinstance(value, int) else str(value)


def load(settings: dict[str, Any], way: str, folder: Path) -> Any:
    """Read a table in one process, or in partitions."""
    from mfx.data.partitioned import Partitioned
    from mfx.data.streaming import partition_dataset

    dataset = registry.create("dataset", "table", {"cache": False, "timestamp_column": None, **settings})
    if way == "whole":
        return dataset.load()
    partition_dataset(dataset, folder / "parts", 2, lambda *_: None)
    return Partitioned(path=str(folder / "parts")).load()


def try_text(drawn: dict[str, Any], folder: Path) -> str:
    """Read a file of ratings beside a column of text, and compare with the rows that were written."""
    columns = [drawn["users"], drawn["notes"], drawn["items"], [str(n % 5 + 1) for n in range(len(drawn["users"]))]]
    if drawn["form"] == "unquoted":
        columns = [clean(column, drawn["separator"]) for column in columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    text = written([["user_id", "note", "item_id", "rating"], *rows], drawn)
    content, readable = encoded(text, drawn["encoding"])
    path = folder / "ratings.csv"
    path.write_bytes(content)
    separator = "tab" if drawn["separator"] == "\t" else ","
    settings = {"path": str(path), "separator": separator, "quoting": drawn["quoting"]}
    settings |= {"user_ids": drawn["ids"], "item_ids": drawn["ids"]}
    try:
        ratings = load(settings, drawn["way"], folder)
    except MFXError as error:
        # A file whose quotes were written by the rules, read under the setting that is the default, is no bad input.
        if readable and is_clear(rows, drawn) and drawn["ids"] != "integer":
            pairs = set(zip(as_ids(columns[0], drawn["ids"]), as_ids(columns[2], drawn["ids"]), strict=True))
            return refused(error, len(pairs) == len(rows))
        return checked(error)
    assert drawn["encoding"] != "utf-16", "UTF-16 was read as if it were UTF-8"
    if not readable:
        return sound(ratings)
    ids = ratings.catalogue
    found = {
        (plain(ids.user_ids[user]), plain(ids.item_ids[item])): float(value)
        for user, item, value in zip(ratings.users, ratings.items, ratings.values, strict=True)
    }
    meant = []
    for header, *records in readings(text, drawn):
        assert len(header) == 4
        users, items = (as_ids([row[place] for row in records], drawn["ids"]) for place in (0, 2))
        values = [float(row[3]) for row in records]
        meant.append(dict(zip(zip(users, items, strict=True), values, strict=True)))
        if len(meant[-1]) < len(records):
            meant.pop()  # a repeated pair must be refused
    assert found in meant, f"{found} was read, which is none of {meant}"
    return sound(ratings)


@st.composite
def described(draw: Any) -> dict[str, Any]:
    """Draw a file of items and the ids that ratings have."""
    style = draw(st.sampled_from([name for name in sorted(SPELLINGS) if name != "surrounded"]))
    other = draw(st.sampled_from([style, style, style, "integers", "decimals", "prefixed"]))
    items = draw(st.lists(st.sampled_from(SPELLINGS[other]), min_size=1, max_size=6, unique=True))
    return {
        "rated": draw(st.lists(st.sampled_from(SPELLINGS[style]), min_size=1, max_size=6, unique=True)),
        "items": items,
        "titles": draw(st.lists(NOTES, min_size=len(items), max_size=len(items))),
        "genres": draw(st.lists(GENRES, min_size=len(items), max_size=len(items))),
        "shape": draw(st.sampled_from(["text", "text", "json", "python", "list"])),
        "form": draw(st.sampled_from(["csv", "all quoted", "unquoted", "parquet"])),
        "separator": draw(st.sampled_from([",", "\t"])),
        "end": "\n",
        "encoding": draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "latin-1", "utf-16"])),
        "quoting": draw(st.sampled_from(["auto", "auto", "auto", "csv", "none"])),
        "ids": draw(st.sampled_from(["auto", "auto", "auto", "text"])),
        "way": draw(st.sampled_from(["whole", "partitions"])),
    }


def try_items(drawn: dict[str, Any], folder: Path) -> str:
    """Read a file of items beside ratings; each title and genre must be that of its item."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tab = drawn["separator"] == "\t"
    rated = folder / "ratings.csv"
    lines = [["user_id", "item_id", "rating"], *([f"u{n}", raw, "3"] for n, raw in enumerate(drawn["rated"]))]
    rated.write_text("".join(drawn["separator"].join(line) + "\n" for line in lines), encoding="utf-8")
    cells = {"text": "|".join, "json": json.dumps, "python": repr, "list": "|".join}[drawn["shape"]]
    rows = [list(row) for row in zip(drawn["items"], drawn["titles"], map(cells, drawn["genres"]), strict=True)]
    readable = True
    path = folder / "items.csv"
    if drawn["form"] == "parquet":
        path = folder / "items.parquet"
        genres = drawn["genres"] if drawn["shape"] == "list" else [row[2] for row in rows]
        kind = pa.list_(pa.string()) if drawn["shape"] == "list" else pa.string()
        columns = {"item_id": drawn["items"], "title": drawn["titles"], "genres": pa.array(genres, kind)}
        pq.write_table(pa.table(columns), path)
        meant = [rows]
    else:
        if drawn["form"] == "unquoted":
            rows = [clean(row, drawn["separator"]) for row in rows]
        text = written([["item_id", "title", "genres"], *rows], drawn)
        content, readable = encoded(text, drawn["encoding"])
        path.write_bytes(content)
        meant = [records for _, *records in readings(text, drawn)]
    settings = {"path": str(rated), "items_path": str(path), "separator": "tab" if tab else ","}
    settings |= {"quoting": drawn["quoting"], "user_ids": "text", "item_ids": drawn["ids"]}
    known = set(as_ids(drawn["rated"], drawn["ids"]))
    try:
        catalogue = load(settings, drawn["way"], folder).catalogue
    except MFXError as error:
        items = as_ids(drawn["items"], drawn["ids"])
        clear = drawn["form"] == "parquet" or (readable and is_clear(rows, drawn))
        return refused(error, clear and len(set(items)) == len(items) and bool(set(items) & known))
    assert drawn["form"] == "parquet" or drawn["encoding"] != "utf-16", "UTF-16 was read as if it were UTF-8"
    if not readable:
        return "right"
    features = catalogue.item_features["genres"]
    found = {
        plain(raw): (
            str(catalogue.titles[at]),
            sorted(features.names[j] for j in features.indices[features.indptr[at] : features.indptr[at + 1]]),
        )
        for at, raw in enumerate(catalogue.item_ids)
    }
    expected = [_catalogue(records, known, drawn["ids"]) for records in meant]
    assert found in expected, f"{found} was read, which is none of {expected}"
    return "right"


def _catalogue(records: list[list[str]], known: set[int | str], setting: str) -> dict[int | str, Any]:
    """Return title and genres of each item, rated or described."""
    ids = as_ids([row[0] for row in records], setting)
    if all(isinstance(raw, int) for raw in ids) and not all(isinstance(raw, int) for raw in known):
        ids = [str(raw) for raw in ids]
    told: dict[int | str, Any] = {raw: ("", []) for raw in known}
    for raw, (_, title, cell) in zip(ids, records, strict=True):
        words = re.findall(r"""['"]([^'"]*)['"]""", cell) if cell.startswith("[") else cell.split("|")
        names = [word.strip().replace("\\\\", "\\") for word in words]
        told[raw] = (title, sorted({name for name in names if name.casefold() not in WORDS_FOR_NO_GENRE}))
    return told


TEXT = Surface("text", "tables of text (stray and surrounding quotes, spellings of ids, encodings)", files, try_text)
ITEMS = Surface("items", "files of items (quotes, spellings of ids, shapes of genres, encodings)", described, try_items)
