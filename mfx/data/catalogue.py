"""The catalogue of a data set: what its files say of users and items, in the order of their ids."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mfx.columns import positions
from mfx.data.ids import convert_ids
from mfx.data.raw import Facts, Origin, Tags, log
from mfx.errors import DataError
from mfx.interfaces import AnyArray, BoolArray, Catalogue, Features, IndexArray
from mfx.raw_ids import IdsOfFile, check_matched

_YEAR = re.compile(r"\((\d{4})\)\s*$")


def catalogue_of(
    user_ids: AnyArray, item_ids: AnyArray, rated: tuple[BoolArray, BoolArray], origin: Origin
) -> Catalogue:
    """Bring what a source says of users and items into the order of their ids; log how many ids match.

    Parameters
    ----------
    user_ids, item_ids : array of int64 or str
        Raw ids of ratings and of what is said, strictly increasing.
    rated : tuple of bool array
        Which users and which items have ratings.
    origin : Origin
        What is said.

    Raises
    ------
    DataError
        If no user or item that is described has ratings, no tag is of an item, or an id of tags is no integer although
        those of the ratings are.
    """
    users, items, tags = origin.users, origin.items, origin.tags
    _check_described(users, user_ids, rated[0], "user", origin.where)
    _check_described(items, item_ids, rated[1], "item", origin.where)
    titles = None
    if items is not None and items.titles is not None:
        place = _places(items, item_ids)
        titles = np.full(item_ids.size, "", dtype=object)
        titles[place] = items.titles
    item_features = _features(items, item_ids)
    if titles is not None and "year" not in item_features and (years := years_of(titles)) is not None:
        item_features["year"] = years
    if tags is not None:
        item_features["tags"] = tag_counts(tags, item_ids)
    return Catalogue(user_ids, item_ids, titles, item_features, _features(users, user_ids))


def _check_described(facts: Facts | None, known: AnyArray, rated: BoolArray, what: str, where: str) -> None:
    """Log how many of the ids that facts are about have ratings; refuse facts about none."""
    if facts is None:
        return
    described = np.zeros(known.size, np.bool_)
    described[_places(facts, known)] = True
    check_matched(
        int(np.count_nonzero(described & rated)),
        IdsOfFile(facts.where, int(np.count_nonzero(described)), _first(known, described & ~rated, described)),
        IdsOfFile(where, int(np.count_nonzero(rated)), _first(known, rated & ~described, rated)),
        what,
        DataError,
    )


def _first(ids: AnyArray, *masks: BoolArray) -> object:
    """Return the first id in the first mask that has any."""
    return next((ids[int(np.argmax(mask))] for mask in masks if mask.any()), None)


def _places(facts: Facts, known: AnyArray) -> IndexArray:
    if not facts.ids:
        return np.empty(0, np.int32)
    return positions(known, convert_ids(facts.ids, known[0], facts.where))


def _features(facts: Facts | None, known: AnyArray) -> dict[str, Features]:
    if facts is None:
        return {}
    place = _places(facts, known)
    blocks = {}
    for block, rows in facts.features.items():
        full: list[Sequence[str]] = [()] * known.size
        for at, names in zip(place, rows, strict=True):
            full[at] = names
        blocks[block] = Features.from_lists(full)
    return blocks


def years_of(titles: AnyArray) -> Features | None:
    """Sort items by the years that end their titles, "Toy Story (1995)", five to a feature: ``1995-1999``.

    None if no title ends in a year.
    """
    found = [_YEAR.search(title) for title in titles.tolist()]
    if not any(found):
        return None
    starts = [int(match[1]) // 5 * 5 if match else None for match in found]
    return Features.from_lists([[] if start is None else [f"{start}-{start + 4}"] for start in starts])


def tag_counts(tags: Tags, item_ids: AnyArray) -> Features:
    """Count how often each tag was given to each item, whatever its case and the spaces around it.

    Blank tags and tags of items outside the catalogue do not count; a warning says how many there were.
    """
    codes: dict[str, int] = {}
    code = np.array([codes.setdefault(tag.strip().casefold(), len(codes)) for tag in tags.tags], dtype=np.int64)
    ids = convert_ids(tags.item_ids, item_ids[0], tags.where)
    place = positions(item_ids, ids).astype(np.int64)
    blank, unknown = code == codes.get("", -1), place < 0
    tagged = np.unique(place[~unknown])
    check_matched(
        tagged.size,
        IdsOfFile(tags.where, tagged.size + len(set(ids[unknown].tolist())), _first(ids, unknown, ~unknown)),
        IdsOfFile("the catalogue", item_ids.size, item_ids[0]),
        "item",
        DataError,
    )
    if blank.any() or unknown.any():
        log.warning(
            "%s: left out %d blank tags and %d tags of items that are not in the catalogue.",
            tags.where,
            int(blank.sum()),
            int((unknown & ~blank).sum()),
        )
    used = ~(blank | unknown)
    labels = np.array(list(codes), dtype=object)
    present = np.unique(code[used])
    names = sorted(labels[present])
    rank = np.full(len(codes), -1, dtype=np.int64)
    rank[present] = np.searchsorted(np.array(names, dtype=object), labels[present]) if names else 0
    cells, counts = np.unique(place[used] * max(len(names), 1) + rank[code[used]], return_counts=True)
    rows, columns = np.divmod(cells, max(len(names), 1))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=item_ids.size))]).astype(np.int64)
    return Features(tuple(names), indptr, columns.astype(np.int32), counts.astype(np.float32))
