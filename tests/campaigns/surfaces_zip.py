"""GroupLens zips of the three layouts: damaged, truncated, with paths that lead outside, or that swell."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from surfaces import IDS, RATINGS, TIMES, Surface, checked, sound

from mfx import registry
from mfx.data.download import split_checksum
from mfx.errors import MFXError

SWELLING = 300 * 2**20
"""Bytes that the swelling member unpacks to."""
TEXTS = st.one_of(st.sampled_from(["Heat (1995)", 'Say "x", y', "a::b", "a|b", "Amélie", ""]), st.text(max_size=6))
GENRES = st.sampled_from(["Action", "Action|Comedy", "(no genres listed)", "", "|", "Film-Noir||War"])
FLAGS = st.lists(st.sampled_from(["0", "1", "1", "2", ""]), min_size=19, max_size=19)
AGES = st.one_of(st.integers(0, 90).map(str), st.sampled_from(["²", "old", "", "-1"]))


def _rows(*cells: st.SearchStrategy[str], least: int = 0) -> st.SearchStrategy[list[list[str]]]:
    return st.lists(st.tuples(*cells).map(list), min_size=least, max_size=5)


RATED = _rows(IDS, IDS, RATINGS, TIMES, least=1)
LAYOUTS: dict[str, dict[str, tuple[str, list[str], st.SearchStrategy[Any]]]] = {
    "csv": {
        "ratings.csv": (",", ["userId", "movieId", "rating", "timestamp"], RATED),
        "movies.csv": (",", ["movieId", "title", "genres"], _rows(IDS, TEXTS, GENRES)),
        "tags.csv": (",", ["userId", "movieId", "tag", "timestamp"], _rows(IDS, IDS, TEXTS, TIMES)),
    },
    "dat": {
        "ratings.dat": ("::", [], RATED),
        "movies.dat": ("::", [], _rows(IDS, TEXTS, GENRES)),
        "tags.dat": ("::", [], _rows(IDS, IDS, TEXTS, TIMES)),
        "users.dat": ("::", [], _rows(IDS, st.sampled_from("FM?"), AGES, AGES, IDS)),
    },
    "100k": {
        "u.data": ("\t", [], RATED),
        "u.item": (
            "|",
            [],
            st.lists(st.tuples(IDS, TEXTS, IDS, IDS, IDS, FLAGS).map(lambda r: [*r[:5], *r[5]]), max_size=5),
        ),
        "u.genre": ("|", [], st.just([[f"g{n}", str(n)] for n in range(19)])),
        "u.user": ("|", [], _rows(IDS, AGES, st.sampled_from("FM"), TEXTS, IDS)),
    },
}
PLACES = ["", "ml-latest-small/", "a/b/"]
OUTSIDE = ["../", "../../", "/tmp/", "..\\", "x/../../", "C:\\"]


@st.composite
def archives(draw: Any) -> dict[str, Any]:
    """Draw the members of a zip and what is wrong with it."""
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    place = draw(st.sampled_from(PLACES + OUTSIDE[: draw(st.sampled_from([0, 0, 0, 6]))]))
    members = {}
    for name, (separator, header, rows) in LAYOUTS[layout].items():
        lines = [header] * bool(header) + draw(rows)
        members[place + name] = "".join(separator.join(line) + "\n" for line in lines)
    harm = draw(st.sampled_from(["none"] * 3 + ["garble", "lose", "twice", "swell"]))
    victim = draw(st.sampled_from(sorted(members)))
    return {
        "members": members,
        "harm": harm,
        "victim": victim,
        "garbage": draw(st.binary(max_size=30)),
        "damage": draw(st.sampled_from(["none"] * 5 + ["cut", "flip", "crc", "locked", "link", "text"])),
        "at": draw(st.floats(0, 1)),
        "method": draw(
            st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
        ),
        "settings": {
            "tags": draw(st.booleans()),
            "on_bad_rows": draw(st.sampled_from(["refuse", "drop"])),
            "duplicates": draw(st.sampled_from(["refuse", "keep_last", "mean"])),
        },
    }


@functools.cache
def swelling() -> bytes:
    """Make a zip whose only member unpacks to a thousand times its size."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("x", "w") as member:
        for _ in range(SWELLING >> 20):
            member.write(b"0" * 2**20)
    return made.getvalue()


def write(drawn: dict[str, Any], path: Path) -> None:
    """Write the zip."""
    members = dict(drawn["members"])
    if drawn["harm"] == "swell":
        # The one member of a ready zip gets the victim's name: same length of name, so no offset moves.
        name = drawn["victim"].encode()
        content = swelling().replace(b"PK\x03\x04", b"PK\x03\x04", 1)
        path.write_bytes(_renamed(content, name))
        with zipfile.ZipFile(path, "a") as archive:
            for other, text in members.items():
                if other != drawn["victim"]:
                    archive.writestr(other, text)
        return
    if drawn["harm"] == "lose":
        del members[drawn["victim"]]
    with zipfile.ZipFile(path, "w", drawn["method"]) as archive:
        for name, text in members.items():
            content = text.encode("utf-8", "surrogateescape")
            if name == drawn["victim"] and drawn["harm"] == "garble":
                at = int(drawn["at"] * len(content))
                content = content[:at] + drawn["garbage"] + content[at:]
            info = zipfile.ZipInfo(name)
            info.compress_type = drawn["method"]
            if drawn["damage"] == "link" and name == drawn["victim"]:
                info.external_attr = 0o120777 << 16
                content = b"/etc/passwd"
            archive.writestr(info, content)
            if drawn["harm"] == "twice" and name == drawn["victim"]:
                archive.writestr("deeper/" + name, b"other")
    content = bytearray(path.read_bytes())
    place = min(int(drawn["at"] * len(content)), len(content) - 1)
    if drawn["damage"] == "cut":
        content = content[:place]
    elif drawn["damage"] == "flip":
        content[place] ^= 0xA5
    elif drawn["damage"] == "crc":
        content[14] ^= 0xFF  # of the first member, in its own header
        at = content.index(b"PK\x01\x02") + 16
        content[at] ^= 0xFF
    elif drawn["damage"] == "locked":
        at = content.index(b"PK\x01\x02") + 8
        content[at] |= 1
    elif drawn["damage"] == "text":
        content = bytearray(b"not a zip")
    path.write_bytes(bytes(content))


def _renamed(content: bytes, name: bytes) -> bytes:
    """Rewrite the headers of a zip with the one member ``x``."""
    body = bytearray(content)
    body[26:28] = len(name).to_bytes(2, "little")
    body[30:31] = name
    shift = len(name) - 1
    entry = bytes(body).rindex(b"PK\x01\x02")
    body[entry + 28 : entry + 30] = len(name).to_bytes(2, "little")
    body[entry + 46 : entry + 47] = name
    end = bytes(body).rindex(b"PK\x05\x06")
    size, offset = (int.from_bytes(body[end + at : end + at + 4], "little") for at in (12, 16))
    body[end + 12 : end + 16] = (size + shift).to_bytes(4, "little")
    body[end + 16 : end + 20] = (offset + shift).to_bytes(4, "little")
    return bytes(body)


def try_archive(drawn: dict[str, Any], folder: Path) -> str:
    """Read a zip; nothing may be unpacked, and nothing outside the zip be read."""
    path = folder / "ml.zip"
    write(drawn, path)
    try:
        ratings = registry.create(
            "dataset", "grouplens", {"path": str(path), "cache": False, **drawn["settings"]}
        ).load()
    except MFXError as error:
        checked(error)
        assert [one.name for one in folder.iterdir()] == ["ml.zip"]
        return "refused"
    assert [one.name for one in folder.iterdir()] == ["ml.zip"]
    assert drawn["damage"] not in ("cut", "text"), "a zip that is not whole was read"
    assert drawn["harm"] != "swell" or drawn["victim"].endswith(("tags.csv", "tags.dat")), "a swelling member was read"
    assert not any(".." in name or name.startswith("/") for name in drawn["members"]), (
        "a path that leads outside was read"
    )
    same_rows(ratings, drawn)
    return sound(ratings)


def same_rows(ratings: Any, drawn: dict[str, Any]) -> None:
    """See that no row is lost that should be there."""
    untouched = drawn["harm"] in ("none", "twice") and drawn["damage"] == "none"
    if untouched and drawn["settings"] == {**drawn["settings"], "on_bad_rows": "refuse", "duplicates": "refuse"}:
        (text,) = (
            text for name, text in drawn["members"].items() if name.endswith(("ratings.csv", "ratings.dat", "u.data"))
        )
        rows = [line for line in text.split("\n") if line.strip()]
        rows = rows[1:] if rows[0].startswith("userId") else rows
        if '"' not in text and "\r" not in text:
            assert len(ratings) == len(rows), f"{len(ratings)} ratings of {len(rows)} lines"
    assert ratings.catalogue.titles is None or ratings.catalogue.titles.size == ratings.n_items
    assert np.unique(ratings.catalogue.item_ids).size == ratings.n_items


CHECKSUMS = st.one_of(
    st.binary(max_size=8).map(lambda b: hashlib.sha256(b).hexdigest()),
    st.binary(max_size=8).map(lambda b: "md5:" + hashlib.md5(b).hexdigest()),
    st.text(alphabet="0123456789abcdefg:md5sha ", max_size=70),
    st.text(max_size=40),
)


def try_checksum(text: str, folder: Path) -> str:
    """Read a checksum as it stands in a configuration."""
    try:
        algorithm, digest = split_checksum(text)
    except MFXError as error:
        return checked(error)
    assert len(digest) == {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}[algorithm]
    assert set(digest) <= set("0123456789abcdef")
    return "right"


ZIPS = Surface(
    "zip", "GroupLens zips (damage, truncation, paths outside, swelling members, all layouts)", archives, try_archive
)
CHECKSUM = Surface("checksum", "checksums of downloads", lambda: CHECKSUMS, try_checksum)
