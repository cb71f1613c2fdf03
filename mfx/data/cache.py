"""The columnar cache: what a data set looked like after its first read, so that the second read is fast."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mfx.data.raw import log
from mfx.data.store import DamagedFile, read_columns, write_columns
from mfx.errors import DataError
from mfx.interfaces import AnyArray, Catalogue, Features, Ratings, RatingScale

FORMAT = 6
"""Raise it whenever the layout of the cache changes, or code outside this package that decides what is read."""


def cache_folder() -> Path:
    """Return the folder for downloads and cached columns: the variable MFX_CACHE, or the user's cache folder."""
    chosen = os.environ.get("MFX_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs  # what pooch.os_cache calls, without the time that pooch takes to import

    return Path(platformdirs.user_cache_dir("mfx"))


def cache_path(label: str, identity: Mapping[str, Any]) -> Path:
    """Return where the columns of a source are kept.

    Parameters
    ----------
    label : str
        Name of the data set, which starts the file name.
    identity : mapping
        All that decides what the read gives: the source and the settings; JSON values.
    """
    text = json.dumps({"format": FORMAT, **identity}, sort_keys=True)
    key = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    plain = "".join(c if c.isalnum() or c in "_-" else "_" for c in label)[:40]
    return cache_folder() / "columns" / f"{plain}-{key}.mfx"


def read_cached(path: Path) -> tuple[Ratings, dict[str, int], list[str]] | None:
    """Return the cached ratings, the rows that were left out of them and the warnings of the first read.

    None if there is no such file; a damaged one is reported and counts as none.
    """
    try:
        columns, meta = read_columns(path)
        dropped = {str(reason): int(rows) for reason, rows in meta["dropped"].items()}
        return unpack(columns, meta), dropped, [str(text) for text in meta["warnings"]]
    except FileNotFoundError:
        return None
    except (DamagedFile, DataError, OSError, KeyError, ValueError, TypeError) as error:
        log.warning("The cache file %s cannot be used (%s); the data set is read again.", path, error)
        return None


def write_cached(path: Path, ratings: Ratings, dropped: Mapping[str, int], warnings: Sequence[str]) -> None:
    """Keep ratings for the next read; a cache folder that cannot be written is reported, nothing more."""
    columns, meta = pack(ratings)
    try:
        write_columns(path, columns, {**meta, "dropped": dict(dropped), "warnings": list(warnings)})
    except OSError as error:
        log.warning("The cache file %s cannot be written (%s); the next read will be as slow.", path, error)


def pack(ratings: Ratings) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Return ratings and their catalogue as arrays, and what else JSON holds."""
    catalogue = ratings.catalogue
    columns: dict[str, AnyArray] = {"users": ratings.users, "items": ratings.items, "values": ratings.values}
    if ratings.timestamps is not None:
        columns["timestamps"] = ratings.timestamps
    text: list[str] = []

    def put(name: str, array: AnyArray) -> None:
        if array.dtype.kind in "iuf":
            columns[name] = array
        else:
            columns[name] = _encode(array)
            text.append(name)

    put("user_ids", catalogue.user_ids)
    put("item_ids", catalogue.item_ids)
    if catalogue.titles is not None:
        put("titles", catalogue.titles)
    for side, blocks in (("user", catalogue.user_features), ("item", catalogue.item_features)):
        for block, features in blocks.items():
            put(f"{side}/{block}/names", np.array(features.names, dtype=object))
            columns[f"{side}/{block}/indptr"] = features.indptr
            columns[f"{side}/{block}/indices"] = features.indices
            if features.weights is not None:
                columns[f"{side}/{block}/weights"] = features.weights
    meta = {
        "scale": None if ratings.scale is None else [ratings.scale.low, ratings.scale.high],
        "name": ratings.name,
        "time_unit": ratings.time_unit,
        "text": text,
        "user": list(catalogue.user_features),
        "item": list(catalogue.item_features),
    }
    return columns, meta


def unpack(columns: dict[str, AnyArray], meta: Mapping[str, Any]) -> Ratings:
    """Put ratings together again that `pack` took apart."""
    full = {name: _decode(column) if name in meta["text"] else column for name, column in columns.items()}

    def blocks(side: str) -> dict[str, Features]:
        return {
            block: Features(
                tuple(full[f"{side}/{block}/names"].tolist()),
                full[f"{side}/{block}/indptr"],
                full[f"{side}/{block}/indices"],
                full.get(f"{side}/{block}/weights"),
            )
            for block in meta[side]
        }

    return Ratings(
        users=full["users"],
        items=full["items"],
        values=full["values"],
        timestamps=full.get("timestamps"),
        catalogue=Catalogue(full["user_ids"], full["item_ids"], full.get("titles"), blocks("item"), blocks("user")),
        scale=None if meta["scale"] is None else RatingScale(*meta["scale"]),
        name=meta["name"],
        time_unit=meta["time_unit"],
    )


def _encode(texts: AnyArray) -> AnyArray:
    """Text as UTF-8, each string followed by a byte that no UTF-8 text holds."""
    return np.frombuffer(b"".join(str(text).encode() + b"\xff" for text in texts), dtype=np.uint8)


def _decode(column: AnyArray) -> AnyArray:
    parts = column.tobytes().split(b"\xff")[:-1]
    return np.array([part.decode() for part in parts], dtype=object)
