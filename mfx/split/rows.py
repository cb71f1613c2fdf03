"""Which ratings the rows of a part are, in one pass; imported inside functions because it needs numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfx.interfaces import FloatArray, IndexArray, PointerArray
from mfx.solver.jit import kernel


@kernel()
def _order(
    users: IndexArray,
    items: IndexArray,
    times: PointerArray,
    values: FloatArray,
    row: int,
    user: Any,
    item: Any,
    time: Any,
    value: Any,
) -> int:
    """Return -1, 0 or 1 if a rating comes before, is equal to, or comes after the given one in canonical order."""
    if users[row] != user:
        return -1 if users[row] < user else 1
    if items[row] != item:
        return -1 if items[row] < item else 1
    if times.size and times[row] != time:
        return -1 if times[row] < time else 1
    if values[row] != value:
        return -1 if values[row] < value else 1
    return 0


@kernel()
def claim(
    users: IndexArray,
    items: IndexArray,
    times: PointerArray,
    values: FloatArray,
    part_users: IndexArray,
    part_items: IndexArray,
    part_times: PointerArray,
    part_values: FloatArray,
    number: int,
    owner: NDArray[np.int8],
) -> tuple[int, int, int, int]:
    """Find the rating that each row of a part is, and note in `owner` that it is taken.

    Parameters
    ----------
    users, items, times, values : arrays, shape (n,)
        All ratings in canonical order; `times` is empty if there are no timestamps.
    part_users, part_items, part_times, part_values : arrays, shape (m,)
        The part, likewise.
    number : int
        What is noted for the rows of this part; not 0.
    owner : int8 array, shape (n,)
        Which part has each rating, 0 for none; written to. Each of several equal ratings can be taken once.

    Returns
    -------
    foreign, first_foreign : int
        How many rows of the part are no rating, and the first of them (-1 for none).
    again, first_again : int
        How many rows are ratings that are taken already, and the first of them (-1 for none).
    """
    foreign, first_foreign, again, first_again = 0, -1, 0, -1
    row, n = 0, users.size
    for at in range(part_users.size):
        user, item, value = part_users[at], part_items[at], part_values[at]
        time = part_times[at] if part_times.size else np.int64(0)
        while row < n and _order(users, items, times, values, row, user, item, time, value) < 0:
            row += 1
        # Of several equal ratings take the first that is free; leave `row` at the last one looked at.
        place = row
        while place < n and owner[place] and _order(users, items, times, values, place, user, item, time, value) == 0:
            row = place
            place += 1
        if place < n and _order(users, items, times, values, place, user, item, time, value) == 0:
            owner[place] = number
            row = place
        elif row < n and _order(users, items, times, values, row, user, item, time, value) == 0:
            again += 1
            if first_again < 0:
                first_again = at
        else:
            foreign += 1
            if first_foreign < 0:
                first_foreign = at
    return foreign, first_foreign, again, first_again
