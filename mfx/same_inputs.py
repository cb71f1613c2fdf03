"""Runs that are ranked or averaged together: the trials of a sweep, or the runs of ``mfx -m``.

All of them must have the same data, split and code, whenever they are made. The first run of a group writes down what
it has in ``inputs.json``, in the folder of the group; every other run, in whatever process, is compared with that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from mfx.errors import MFXError, masked
from mfx.results import PARENT_FILE, STUDY_FILE, changes, write_json

INPUTS_FILE = "inputs.json"


class InputsChanged(MFXError):
    """A run has other data or other code than the runs that it is to be compared with."""


def folder_of(directory: Path) -> Path | None:
    """Find the folder of the group that the run in a folder belongs to; None where it belongs to none."""
    marks = (STUDY_FILE, PARENT_FILE)
    return next((one for one in directory.absolute().parents if any((one / mark).is_file() for mark in marks)), None)


def is_known(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a run of the group had the data set and the split of a configuration."""
    return all(name in _read(folder) for name in _names(config))


def check_code(folder: Path, code: Mapping[str, str]) -> None:
    """Compare versions and code with those of the runs of a group.

    Raises
    ------
    InputsChanged
        If they differ.
    """
    before = _read(folder).get("code", {})
    now = {name: text for name, text in code.items() if name == "python" or name.startswith(("version.", "code."))}
    # Plugins that only some of the runs need are compared among those.
    differing = [name for name in now if name in before and before[name] != now[name]]
    if not differing:
        return
    told = [
        f"the code of {name.removeprefix('code.')} has changed"
        if name.startswith("code.")
        else f"{name.removeprefix('version.')} {before[name]} is now {now[name]}"
        for name in differing
    ]
    raise InputsChanged(
        f"The runs in {folder} were made by other code: {'; '.join(told)}. They cannot be ranked with new ones.",
        "Put it back, or " + _anew(folder),
    )


def check(folder: Path, config: Mapping[str, Any], fingerprints: Mapping[str, str], code: Mapping[str, str]) -> None:
    """Compare a run's data, split and code with those of the other runs of its group, or write them down.

    Parameters
    ----------
    folder : pathlib.Path
        That of the group.
    config : mapping
        The configuration of the run. Data are compared with those of runs of the same data set, splits with those of
        the same data set and split.
    fingerprints : mapping of str to str
        As of `mfx.results.fingerprints`.
    code : mapping of str to str
        Versions and hashes of code, as of `mfx.tracking.environment.code_facts`.

    Raises
    ------
    InputsChanged
        If they differ.
    """
    # Trials are divided in one process: the fingerprint of a split in partitions cannot be compared with theirs.
    data = {name: text for name, text in fingerprints.items() if not name.startswith("split")}
    split = {name: text for name, text in fingerprints.items() if name == "split"}
    with FileLock(folder / "inputs.lock"):
        check_code(folder, code)
        before = _read(folder)
        now = dict(zip(_names(config), (data, split), strict=True)) if split else {_names(config)[0]: data}
        changed = ", ".join(filter(None, (changes(before.get(name, prints), prints) for name, prints in now.items())))
        if changed:
            raise InputsChanged(
                f"The data have changed since the runs in {folder} were made ({changed}). "
                "They cannot be ranked with new ones.",
                "Put the data back, or " + _anew(folder),
            )
        known = before | now | {"code": {**code, **before.get("code", {})}}
        if known != before:
            write_json(folder / INPUTS_FILE, known)


def _names(config: Mapping[str, Any]) -> tuple[str, str]:
    """Name the data set of a configuration, and its split, by their settings."""
    dataset, split = (json.dumps(masked(config[group]), sort_keys=True) for group in ("dataset", "split"))
    return f"dataset {dataset}", f"dataset {dataset} split {split}"


def _read(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / INPUTS_FILE
    if not path.is_file():
        return {}
    found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _anew(folder: Path) -> str:
    study = (folder / STUDY_FILE).is_file()
    return "begin another study with sweep.study=NAME." if study else "make all of them anew, in a new folder."
