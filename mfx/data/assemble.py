"""From raw columns and facts to `Ratings`: ids to indices, canonical order, repeated pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mfx.data.raw import Facts, IdColumn, RawRatings, Tags, log
from mfx.errors import DataError
from mfx.interfaces import (
    AnyArray,
    BoolArray,
    Catalogue,
    Features,
    FloatArray,
    IndexArray,
    PointerArray,
    Ratings,
    RatingScale,
)

_NOTHING = np.empty(0, np.int64)
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_SPARSE = 8  # slots of a lookup table that one id may cost


@dataclass
class Policy:
    """What happens to repeated pairs, and how the result is called.

    Attributes
    ----------
    duplicates : {"refuse", "keep_last", "keep_first", "mean"}
        Rows of one (user, item) pair: refuse them, keep the last or first by timestamp (of equal timestamps the
        higher or lower rating), or keep one row with their mean rating and their last timestamp.
    scale : RatingScale or None
        Scale of the ratings; None for the smallest and largest of them.
    name : str
        Name of the data set.
    dropped : dict of str to int
        Filled with rows left out, by reason.
    """

    duplicates: str = "refuse"
    scale: RatingScale | None = None
    name: str = "ratings"
    dropped: dict[str, int] = field(default_factory=dict)


def assemble(
    raw: RawRatings,
    where: str,
    policy: Policy,
    *,
    items: Facts | None = None,
    users: Facts | None = None,
    tags: Tags | None = None,
) -> Ratings:
    """Build ratings in canonical order.

    Parameters
    ----------
    raw : RawRatings
        Columns in any row order; emptied while they are used, because a second copy of millions of rows is dear.
    where : str
        The file they come from, for messages.
    policy : Policy
        What happens to repeated pairs.
    items, users : Facts, optional
        What is known of items and users; those without ratings enter the catalogue too.
    tags : Tags, optional
        Tags of items, which become ``item_features["tags"]``.

    Raises
    ------
    DataError
        If pairs repeat and the policy refuses them, or the facts contradict themselves.
    """
    from mfx.data import ordering

    user_ids, user_index = index_ids(raw.users, _known(raw.users, users, "user"))
    raw.users = IdColumn(_NOTHING)
    item_ids, item_index = index_ids(raw.items, _known(raw.items, items, "item"))
    raw.items = IdColumn(_NOTHING)
    order = ordering.canonical_order(user_index, item_index, user_ids.size, item_ids.size)
    if order is not None:
        user_index, item_index = user_index[order], item_index[order]
    values, times = raw.values, raw.timestamps
    marked = ordering.repeats(user_index, item_index)
    if marked.any():
        pair = _pairs(user_index, item_index, marked)
        order = ordering.settle_ties(order, marked, values, times, pair)
        first = int(np.argmin(order[marked]))
        who, what = user_ids[user_index[marked][first]], item_ids[item_index[marked][first]]
        lines = [raw.line(int(row)) for row in np.sort(order[marked][pair == pair[first]])[:2]]
        example = f"first: user {who}, item {what} on {raw.unit}s {lines[0]} and {lines[1]}"
        _settle_repeats(pair.size - int(pair[-1]) - 1, times is not None, where, example, policy)
        keep, values = _merge(order, marked, pair, values, policy.duplicates)
        order = order[keep]
        user_index, item_index = user_index[keep], item_index[keep]
    raw.values, raw.timestamps = np.empty(0, np.float32), None
    if order is not None:
        values = values[order]
        times = None if times is None else times[order]
    del order
    return Ratings(
        users=user_index,
        items=item_index,
        values=values,
        timestamps=times,
        catalogue=_catalogue(user_ids, item_ids, users, items, tags),
        scale=policy.scale or RatingScale(float(values.min()), float(values.max())),
        name=policy.name,
    )


def index_ids(column: IdColumn, more: AnyArray) -> tuple[AnyArray, IndexArray]:
    """Give dense indices to raw ids.

    Parameters
    ----------
    column : IdColumn
        Raw ids, shape (n,).
    more : array of int64 or str
        Ids that get an index although no row has them.

    Returns
    -------
    known : array of int64 or str
        Distinct ids, strictly increasing.
    index : int32 array, shape (n,)
        ``known[index]`` are the raw ids.
    """
    if column.labels is not None:
        labels = np.array(column.labels, dtype=np.str_)
        known = np.union1d(labels, more)
        return known, np.searchsorted(known, labels).astype(np.int32)[column.codes]
    lowest, highest = int(column.codes.min()), int(column.codes.max())
    if more.size:
        lowest, highest = min(lowest, int(more.min())), max(highest, int(more.max()))
    if highest - lowest < max(_SPARSE * column.codes.size, 1 << 20):
        from mfx.data.ordering import renumber

        known, index = renumber(column.codes, lowest, highest - lowest + 1, more.astype(np.int64))
        return known, index
    import pandas as pd

    codes, found = pd.factorize(column.codes)
    known = np.union1d(found, more).astype(np.int64)
    return known, np.searchsorted(known, found).astype(np.int32)[codes]


def _known(column: IdColumn, facts: Facts | None, what: str) -> AnyArray:
    if facts is None:
        return np.empty(0, np.int64 if column.labels is None else np.str_)
    ids = convert_ids(facts.ids, column.labels is None, facts.where)
    distinct, counts = np.unique(ids, return_counts=True)
    if distinct.size < ids.size:
        raise DataError(
            f"{facts.where}: {what} {distinct[counts > 1][0]} is described {counts.max()} times.",
            "Keep one line for each.",
        )
    return ids


def convert_ids(ids: Sequence[str] | AnyArray, integer: bool, where: str) -> AnyArray:
    """Turn ids as written into int64 or text, as in the file of ratings.

    Raises
    ------
    DataError
        If one is no integer although those of the ratings are.
    """
    if not integer:
        return np.array([str(raw).strip() for raw in ids], dtype=np.str_)
    try:
        # Without the dtype, no ids would be floating point, and those beyond 64 bits objects or floating point.
        return np.array(ids if isinstance(ids, np.ndarray) else [int(raw) for raw in ids], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{where}: an id is no integer, but the ids of the ratings are ({error}).",
            "Give both files the same ids, or read them as text (dataset.item_ids=text).",
        ) from error


def _pairs(users: IndexArray, items: IndexArray, marked: BoolArray) -> PointerArray:
    u, i = users[marked], items[marked]
    new = np.ones(u.size, np.int64)
    new[1:] = (u[1:] != u[:-1]) | (i[1:] != i[:-1])
    return np.cumsum(new) - 1


def _settle_repeats(extra: int, timed: bool, where: str, example: str, policy: Policy) -> None:
    """Refuse repeated pairs, or report that they are merged."""
    if policy.duplicates == "refuse":
        raise DataError(
            f"{where}: {extra} rows repeat a (user, item) pair; {example}.",
            "Remove them, or set dataset.duplicates to keep_last, keep_first or mean.",
        )
    if not timed and policy.duplicates != "mean":
        raise DataError(
            f"{where}: dataset.duplicates={policy.duplicates} needs timestamps to know which came last ({example}).",
            "Use dataset.duplicates=mean, or name the timestamp column.",
        )
    policy.dropped[f"repeated pair ({policy.duplicates})"] = extra
    log.warning(
        "%s: merged %d rows that repeat a (user, item) pair (%s); %s.", where, extra, policy.duplicates, example
    )


def _merge(
    order: IndexArray, marked: BoolArray, pair: PointerArray, values: FloatArray, duplicates: str
) -> tuple[BoolArray, FloatArray]:
    """Choose one place for each repeated pair; for "mean", put the mean into the row of that place."""
    new = np.flatnonzero(np.diff(pair)) + 1
    starts, ends = np.concatenate([[0], new]), np.concatenate([new, [pair.size]]) - 1
    chosen = starts if duplicates == "keep_first" else ends
    keep = ~marked
    keep[np.flatnonzero(marked)[chosen]] = True
    if duplicates == "mean":
        rows = order[marked]
        values = values.copy()
        values[rows[chosen]] = np.bincount(pair, weights=values[rows]) / np.bincount(pair)
    return keep, values


def _catalogue(
    user_ids: AnyArray, item_ids: AnyArray, users: Facts | None, items: Facts | None, tags: Tags | None
) -> Catalogue:
    titles = None
    if items is not None and items.titles is not None:
        place = _places(items, item_ids)
        text = np.array(items.titles, dtype=np.str_)
        titles = np.zeros(item_ids.size, dtype=text.dtype)
        titles[place] = text
    item_features = _features(items, item_ids)
    if titles is not None and "year" not in item_features and (years := years_of(titles)) is not None:
        item_features["year"] = years
    if tags is not None:
        item_features["tags"] = tag_counts(tags, item_ids)
    return Catalogue(user_ids, item_ids, titles, item_features, _features(users, user_ids))


def _places(facts: Facts, known: AnyArray) -> PointerArray:
    return np.searchsorted(known, convert_ids(facts.ids, known.dtype.kind in "iu", facts.where))


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
    ids = convert_ids(tags.item_ids, item_ids.dtype.kind in "iu", tags.where)
    place = np.minimum(np.searchsorted(item_ids, ids), item_ids.size - 1)
    blank, unknown = code == codes.get("", -1), item_ids[place] != ids
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
