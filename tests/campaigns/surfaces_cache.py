"""Files that are replaced between two reads, at equal size and time of modification: the cache must not hide it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from surfaces import Surface, checked, sound

from mfx import registry
from mfx.errors import MFXError

DIGITS = st.text("12345", min_size=3, max_size=3)
LETTERS = st.text("abz", min_size=3, max_size=3)
GENRES = st.lists(st.sampled_from(["Drama", "Crime"]), min_size=3, max_size=3)
CONTENT = st.tuples(st.one_of(DIGITS, DIGITS, DIGITS, st.just("1x2")), LETTERS, GENRES)
"""Rating, letter of the title and genre of each of three rows; a rating x is none."""


def files(form: str, content: tuple[str, str, list[str]]) -> dict[str, bytes]:
    """Return the files of a data set, as long for any content."""
    ratings, letters, genres = content
    names = (
        ("user_id", "item_id", "rating", "timestamp")
        if form == "table"
        else ("userId", "movieId", "rating", "timestamp")
    )
    rated = "".join(f"{row},{row},{rating},{row}\n" for row, rating in enumerate(ratings))
    known = ("item_id", "title", "genres") if form == "table" else ("movieId", "title", "genres")
    items = "".join(
        f"{row},{letter},{genre}\n" for row, (letter, genre) in enumerate(zip(letters, genres, strict=True))
    )
    return {
        "ratings.csv": f"{','.join(names)}\n{rated}".encode(),
        "movies.csv": f"{','.join(known)}\n{items}".encode(),
    }


@st.composite
def replacements(draw: Any) -> dict[str, Any]:
    """Draw two contents of a data set, which of its files are replaced, and how."""
    return {
        "form": draw(st.sampled_from(["table", "folder", "zip"])),
        "before": draw(CONTENT),
        "after": draw(CONTENT),
        "replaced": draw(st.sets(st.sampled_from(["ratings.csv", "movies.csv"]))),
        "how": draw(st.sampled_from(["rewrite", "rename", "delete", "link"])),
    }


def write(folder: Path, form: str, content: dict[str, bytes], how: str) -> None:
    """Write files, or a zip of them, so that each has the time of modification of the one that it replaces."""
    if form == "zip":
        with zipfile.ZipFile(folder.parent / "new.zip", "w", zipfile.ZIP_STORED) as archive:
            for name, text in content.items():
                archive.writestr(zipfile.ZipInfo(name), text)
        content = {"ml.zip": (folder.parent / "new.zip").read_bytes()}
    for name, text in content.items():
        path = folder / name
        status = path.stat() if path.exists() else None
        if how == "rewrite":
            path.write_bytes(text)
        else:
            new = folder.parent / f"new-{name}"
            new.write_bytes(text)
            if how != "rename":
                path.unlink(missing_ok=True)
            if how == "link":
                path.symlink_to(new)
            else:
                new.replace(path)
        if status is not None:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


def facts(drawn: dict[str, Any], folder: Path, cache: bool) -> Any:
    """Read the data set; return all of it that can differ, or the error."""
    settings = {"path": str(folder), "label": "replaced"}
    if drawn["form"] == "table":
        settings = {"path": str(folder / "ratings.csv"), "items_path": str(folder / "movies.csv")}
    elif drawn["form"] == "zip":
        settings["path"] = str(folder / "ml.zip")
    name = "table" if drawn["form"] == "table" else "grouplens"
    try:
        ratings = registry.create("dataset", name, {**settings, "cache": cache}).load()
    except MFXError as error:
        checked(error)
        return str(error)
    sound(ratings)
    genres = ratings.catalogue.item_features["genres"]
    return ratings.fingerprint, ratings.catalogue.titles.tolist(), genres.names, genres.dense().tolist()


def try_replaced(drawn: dict[str, Any], folder: Path) -> str:
    """Read, replace and read again: the second read must be one without a cache."""
    data = folder / "data"
    data.mkdir()
    before, after = files(drawn["form"], drawn["before"]), files(drawn["form"], drawn["after"])
    with mock.patch.dict(os.environ, MFX_CACHE=str(folder / "cache")):
        write(data, drawn["form"], before, "rewrite")
        first = facts(drawn, data, cache=True)
        assert facts(drawn, data, cache=True) == first, "the same files were read in another way"
        changed = {name: after[name] if name in drawn["replaced"] else before[name] for name in before}
        write(data, drawn["form"], changed, drawn["how"])
        second = facts(drawn, data, cache=True)
        assert second == facts(drawn, data, cache=False), "the cache gave what the files were before"
    return "refused" if isinstance(second, str) else "right"


REPLACED = Surface(
    "replaced",
    "data sets whose files are replaced at equal size and time of modification (in place, by renaming, by a link)",
    replacements,
    try_replaced,
)
