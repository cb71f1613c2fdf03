"""Names and values as MLflow accepts them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from mfx.errors import TrackingError

MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000

_FORBIDDEN = re.compile(r"[^\w\-. :/]")


def metric_key(name: str) -> str:
    """Write a metric's name as MLflow accepts it: ``test/ndcg@10`` becomes ``test/ndcg_at_10``.

    Raises
    ------
    TrackingError
        If another character than letters, digits, ``@ _ - . : /`` and spaces occurs, the name is no relative path
        of non-empty parts, or it is longer than 250 characters.
    """
    key = name.replace("@", "_at_")
    check_key(key, "metric", name)
    return key


def metric_keys(names: Iterable[str]) -> dict[str, str]:
    """Map names to their keys in MLflow.

    Raises
    ------
    TrackingError
        If two names would share a key, or `metric_key` refuses one.
    """
    keys: dict[str, str] = {}
    owner: dict[str, str] = {}
    for name in names:
        key = keys[name] = metric_key(name)
        if owner.setdefault(key, name) != name:
            raise TrackingError(
                f"Metrics '{owner[key]}' and '{name}' would both be recorded as '{key}'.", "Rename one."
            )
    return keys


def check_key(key: str, what: str, written: str | None = None) -> None:
    """Refuse a key of a metric, parameter or tag that MLflow would refuse.

    Raises
    ------
    TrackingError
        Naming the key and the first thing that is wrong with it.
    """
    shown = f"The name of {what} {(written or key)[:80]!r}"
    if len(key) > MAX_KEY:
        raise TrackingError(f"{shown} has {len(key)} characters; MLflow takes {MAX_KEY}.", "Shorten it.")
    if bad := _FORBIDDEN.search(key):
        raise TrackingError(
            f"{shown} holds the character {bad.group()!r}, which MLflow refuses.",
            "Use letters, digits, spaces and _ - . : / only.",
        )
    if not key or posixpath.normpath(key) != key or key.startswith(("/", "..")) or key == ".":
        raise TrackingError(f"{shown} must be a path of non-empty parts, such as test/rmse.", "Rename it.")


def shortened(values: Mapping[str, str], limit: int) -> tuple[dict[str, str], list[str]]:
    """Cut values that are longer than MLflow stores, and say in them that they were cut.

    Returns
    -------
    values : dict
        Every key, with values of at most `limit` characters.
    cut : list of str
        The keys whose values were cut.
    """
    kept, cut = {}, []
    for key, value in values.items():
        if len(value) > limit:
            mark = f" ... [cut: {len(value)} characters]"
            value = value[: limit - len(mark)] + mark
            cut.append(key)
        kept[key] = value
    return kept, cut
