"""From raw columns and facts to `Ratings`: ids to indices, canonical order, repeated pairs."""

from __future__ import annotations

import numpy as np

from mfx.data.canonical import Repeats, Rows, put_in_order
from mfx.data.catalogue import catalogue_of
from mfx.data.ids import ids_of_facts, index_ids
from mfx.data.raw import IdColumn, Origin, RawRatings
from mfx.interfaces import Ratings, RatingScale

_NOTHING = np.empty(0, np.int64)


def assemble(raw: RawRatings, origin: Origin) -> Ratings:
    """Build ratings in canonical order.

    Parameters
    ----------
    raw : RawRatings
        Columns in any row order; emptied while they are used, because a second copy of millions of rows is dear.
    origin : Origin
        Where they come from, what happens to repeated pairs, and what is known of items and users.

    Raises
    ------
    DataError
        If pairs repeat and the source refuses them, or the facts contradict themselves.
    """
    user_ids, user_index = index_ids(raw.users, ids_of_facts(origin.users, raw.users.raw(0), "user"))
    raw.users = IdColumn(_NOTHING)
    item_ids, item_index = index_ids(raw.items, ids_of_facts(origin.items, raw.items.raw(0), "item"))
    raw.items = IdColumn(_NOTHING)
    rows = Rows(user_index, item_index, raw.values, raw.timestamps)
    del user_index, item_index
    raw.values, raw.timestamps = np.empty(0, np.float32), None
    repeats = Repeats()
    put_in_order(rows, range(user_ids.size), item_ids.size, raw.line, origin.duplicates, repeats)
    repeats.settle(origin, raw.unit, rows.timestamps is not None, (user_ids, item_ids))
    rated = (
        np.bincount(rows.users, minlength=user_ids.size) > 0,
        np.bincount(rows.items, minlength=item_ids.size) > 0,
    )
    return Ratings(
        users=rows.users,
        items=rows.items,
        values=rows.values,
        timestamps=rows.timestamps,
        catalogue=catalogue_of(user_ids, item_ids, rated, origin),
        scale=origin.scale or RatingScale(float(rows.values.min()), float(rows.values.max())),
        name=origin.name,
        time_unit=raw.time_unit,
    )
