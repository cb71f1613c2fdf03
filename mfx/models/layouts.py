"""Sparse layouts of ratings, made once for fits on the same ratings, as in a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mfx.interfaces import Ratings

if TYPE_CHECKING:
    from mfx.solver.layout import SparseRows

_latest: WeakKeyDictionary[Ratings, tuple[SparseRows, SparseRows]] = WeakKeyDictionary()


def layouts(train: Ratings) -> tuple[SparseRows, SparseRows]:
    """Return the ratings by user and by item.

    Those of the latest ratings are kept as long as the ratings are, never those of two: the layout by item costs
    8 bytes a rating. They are shared between fits, so nobody may write into them.
    """
    from mfx.solver.layout import SparseRows, transpose

    if train not in _latest:
        _latest.clear()
        by_user = SparseRows(train.user_indptr, train.items, train.values)
        _latest[train] = by_user, transpose(by_user, train.n_items)
    return _latest[train]
