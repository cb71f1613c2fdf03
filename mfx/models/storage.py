"""Fitted models on disk: ``model.json`` (what it is) and ``arrays.npz`` (its numbers). Nothing is pickled.

``model.json`` is written last and names a digest of the arrays, so a folder is either a whole model or none.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from mfx import registry
from mfx.errors import MFXError, ModelError
from mfx.files import atomic_file, write_text
from mfx.interfaces import AnyArray, Catalogue, Features
from mfx.models.base import Recommender
from mfx.models.checks import array_of, features_of, scale_of, seen_of, texts_of

FORMAT = 1


def save(model: Recommender, folder: Path) -> Path:
    """Write a fitted model to a folder; see `Recommender.save`."""
    arrays: dict[str, AnyArray] = {f"state/{name}": array for name, array in model.state().items()}
    arrays |= {
        "seen/indptr": model.seen_.indptr,
        "seen/items": model.seen_.items,
        "seen/item_counts": model.seen_.item_counts,
    }
    arrays |= _catalogue_arrays(model.catalogue_)
    _check_place(folder)
    (folder / "model.json").unlink(missing_ok=True)
    with atomic_file(folder / "arrays.npz") as temporary:
        np.savez(temporary, allow_pickle=False, **cast(dict[str, Any], arrays))
        digest = _digest(temporary)
    about = {
        "format": FORMAT,
        "model": model.name,
        "settings": model.settings(),
        "scale": [model.scale_.low, model.scale_.high],
        "arrays": digest,
    }
    write_text(folder / "model.json", json.dumps(about, indent=2) + "\n")
    return folder


def _check_place(folder: Path) -> None:
    """Refuse a folder of something else; one that a process left half written, when it was killed, is taken over."""
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    cut_off = [name for name in names if name.startswith((".model.json.", ".arrays.npz."))]
    if names and not cut_off and not {"model.json", "arrays.npz"} & set(names):
        raise ModelError(f"{folder} holds other files.", "Save the model to a folder of its own.")
    for name in cut_off:
        (folder / name).unlink()


def load(folder: Path) -> Recommender:
    """Read a model of any registered class from a folder; see `Recommender.load`."""
    about = _read_about(folder)
    arrays = _read_arrays(folder, about["arrays"])
    try:
        model = cast(Recommender, registry.create("model", about["model"], about["settings"]))
        catalogue = _catalogue_from(arrays)
        seen = seen_of(catalogue, *(arrays[f"seen/{name}"] for name in ("indptr", "items", "item_counts")))
        model.set_context(catalogue, scale_of(about["scale"]), seen)
        model.restore({name: arrays[f"state/{name}"] for name in model.state_names})
        model.check_state()
    except (KeyError, TypeError) as error:
        raise ModelError(f"{folder} holds a model that is incomplete: {error}.", "Save it again.") from error
    except MFXError as error:
        raise ModelError(f"{folder}: {error.message}", error.hint or "Save the model again.") from error
    return model


def _read_about(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version = about["format"]
        missing = {"model", "settings", "scale", "arrays"} - set(about)
        if not (isinstance(about["format"], int) and isinstance(about.get("settings", {}), dict)):
            raise TypeError("format is a number and settings is a mapping")
        if not all(isinstance(about.get(name, ""), str) for name in ("model", "arrays")):
            raise TypeError("model and arrays are text")
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no saved model.", "Give the folder that holds model.json.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Save the model again.") from None
    if version != FORMAT:
        raise ModelError(f"{path} has format {version}; this version of mfx reads format {FORMAT}.")
    if missing:
        raise ModelError(f"{path} lacks {', '.join(sorted(missing))}.", "Save the model again.")
    return cast(dict[str, Any], about)


def _read_arrays(folder: Path, digest: str) -> dict[str, AnyArray]:
    path = folder / "arrays.npz"
    try:
        if _digest(path) != digest:
            raise ModelError(f"{path} does not belong to its model.json, or is damaged.", "Save the model again.")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Save the model again.") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _catalogue_arrays(catalogue: Catalogue) -> dict[str, AnyArray]:
    arrays = _ids_arrays("users", catalogue.user_ids) | _ids_arrays("items", catalogue.item_ids)
    if catalogue.titles is not None:
        arrays |= _text_arrays("titles", catalogue.titles)
    for side, blocks in (("item", catalogue.item_features), ("user", catalogue.user_features)):
        for name, block in blocks.items():
            key = f"{side}_features/{name}"
            arrays |= _text_arrays(f"{key}/names", block.names)
            arrays |= {f"{key}/indptr": block.indptr, f"{key}/indices": block.indices}
            if block.weights is not None:
                arrays[f"{key}/weights"] = block.weights
    return arrays


def _catalogue_from(arrays: Mapping[str, AnyArray]) -> Catalogue:
    users, items = _ids_from(arrays, "users"), _ids_from(arrays, "items")
    sizes = {"item": items.size, "user": users.size}
    blocks: dict[str, dict[str, Features]] = {"item": {}, "user": {}}
    for key in arrays:
        side, _, rest = key.partition("_features/")
        if side in blocks and rest.endswith("/indptr"):
            name = rest.removesuffix("/indptr")
            part = f"{side}_features/{name}"
            blocks[side][name] = features_of(
                _text_from(arrays, f"{part}/names"),
                arrays[f"{part}/indptr"],
                arrays[f"{part}/indices"],
                arrays.get(f"{part}/weights"),
                sizes[side],
                part,
            )
    return Catalogue(
        users,
        items,
        _text_from(arrays, "titles") if "titles/text" in arrays else None,
        blocks["item"],
        blocks["user"],
    )


def _ids_arrays(key: str, ids: AnyArray) -> dict[str, AnyArray]:
    return {f"{key}/ids": ids} if ids.dtype.kind == "i" else _text_arrays(key, ids)


def _ids_from(arrays: Mapping[str, AnyArray], key: str) -> AnyArray:
    if f"{key}/ids" not in arrays:
        return _text_from(arrays, key)
    return array_of(arrays[f"{key}/ids"], f"{key}/ids", np.int64, (None,))


def _text_arrays(key: str, texts: Iterable[str]) -> dict[str, AnyArray]:
    """Pack texts as one run of UTF-8 bytes and their ends: numpy's own fixed width would waste most of the space."""
    encoded = [text.encode() for text in texts]
    return {
        f"{key}/text": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        f"{key}/ends": np.cumsum([len(text) for text in encoded], dtype=np.int64),
    }


def _text_from(arrays: Mapping[str, AnyArray], key: str) -> AnyArray:
    return texts_of(arrays[f"{key}/text"], arrays[f"{key}/ends"], key)
