"""Data sets in parts that were tampered with: what the folder says of itself, and the parts, with digests that fit."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from surfaces import Surface, checked
from surfaces_models import STRANGE

from mfx.data.partitioned import Partitioned, digest_of, part_name
from mfx.data.parts_writer import partition
from mfx.errors import MFXError
from mfx.interfaces import Ratings
from mfx.testing import planted_ratings

PARTS = 3
ENTRIES = ("format", "name", "ratings", "bounds", "digests", "rows_fingerprint")
COLUMNS = ("user", "item", "rating", "timestamp")
CHANGES = {
    "shifted": lambda column, at: column + column.dtype.type(1),
    "large": lambda column, at: np.where(np.arange(column.size) == at, 2**31 - 1, column).astype(column.dtype),
    "negative": lambda column, at: np.where(np.arange(column.size) == at, -1, column).astype(column.dtype),
    "nan": lambda column, at: np.where(np.arange(column.size) == at, np.nan, column),
    "narrow": lambda column, at: column.astype(np.int16),
    "wide": lambda column, at: column.astype(np.float64),
    "text": lambda column, at: column.astype(str),
    "reversed": lambda column, at: column[::-1],
    "gone": lambda column, at: None,
}


@functools.cache
def written() -> tuple[Path, Ratings]:
    """Write a data set in parts once."""
    folder = Path(tempfile.mkdtemp(prefix="mfx-parts-")) / "parts"
    ratings = planted_ratings()
    partition(ratings, folder, PARTS)
    return folder, ratings


@st.composite
def tampered(draw: Any) -> dict[str, Any]:
    """Draw what is done to the folder; columns are changed with a digest that fits, as by somebody who means it."""
    how = draw(st.sampled_from(["entry"] * 3 + ["bound"] * 2 + ["column"] * 4 + ["swap", "bytes", "gone", "nothing"]))
    names = ["manifest.json", "catalogue.mfx", *(part_name(number) for number in range(PARTS))]
    return {
        "how": how,
        "entry": draw(st.sampled_from(ENTRIES)),
        "value": draw(st.one_of(STRANGE, st.lists(STRANGE, max_size=PARTS + 1))),
        "delete": draw(st.booleans()),
        "part": draw(st.integers(0, PARTS - 1)),
        "column": draw(st.sampled_from(COLUMNS)),
        "change": draw(st.sampled_from(sorted(CHANGES))),
        "by": draw(st.sampled_from([-(2**40), -5, -1, 1, 5, 2**40, 2**70])),
        "file": draw(st.sampled_from(names)),
        "at": draw(st.floats(0, 1)),
        "content": draw(st.binary(max_size=30)),
        "cut": draw(st.booleans()),
    }


def tamper(drawn: dict[str, Any], folder: Path) -> bool:
    """Copy the data set and change the copy; returns whether it is another one now."""
    shutil.copytree(written()[0], folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    before = json.loads(json.dumps(manifest))
    part = folder / part_name(drawn["part"])
    if drawn["how"] == "entry":
        if drawn["delete"]:
            del manifest[drawn["entry"]]
        else:
            manifest[drawn["entry"]] = drawn["value"]
    elif drawn["how"] == "bound":
        manifest["bounds"][drawn["part"]] += drawn["by"]
    elif drawn["how"] == "column":
        manifest["digests"][drawn["part"]] = _changed(part, drawn)
    elif drawn["how"] == "swap":
        other = folder / part_name((drawn["part"] + 1) % PARTS)
        first, second = part.read_bytes(), other.read_bytes()
        part.write_bytes(second)
        other.write_bytes(first)
        return True
    elif drawn["how"] in ("bytes", "gone"):
        path = folder / drawn["file"]
        content = path.read_bytes()
        at = min(int(drawn["at"] * len(content)), len(content) - 1)
        path.write_bytes(content[:at] + drawn["content"] + (b"" if drawn["cut"] else content[at:]))
        if drawn["how"] == "gone":
            path.unlink()
        return False  # some bytes of a Parquet file mean nothing
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return any(manifest.get(name) != before[name] for name in ENTRIES if name != "name")  # which nobody reads


def _changed(path: Path, drawn: dict[str, Any]) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    held: dict[str, Any] = {name: np.array(table[name]) for name in table.column_names}
    column = held[drawn["column"]]
    made = CHANGES[drawn["change"]](column, min(int(drawn["at"] * column.size), column.size - 1))
    held[drawn["column"]] = made
    pq.write_table(pa.table({name: one for name, one in held.items() if one is not None}), path)
    if any(one is not None and one.dtype.kind not in "iuf" for one in held.values()):
        return "0" * 32
    return digest_of(tuple(held[name] for name in COLUMNS))  # type: ignore[arg-type]


def try_parts(drawn: dict[str, Any], folder: Path) -> str:
    """Read all parts; what is read is what was written."""
    another = tamper(drawn, folder / "parts")
    try:
        ratings = Partitioned(path=str(folder / "parts")).load()
    except MFXError as error:
        return checked(error)
    assert not another, "a data set was read that is not the one that was written"
    assert ratings.fingerprints == written()[1].fingerprints, "another fingerprint"
    return "right"


IN_PARTS = Surface(
    "parts", "data sets in parts (what the folder says, columns with a digest that fits, bytes)", tampered, try_parts
)
