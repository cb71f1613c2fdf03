"""Many new users at once: the row of each, the items held fixed, and the best items of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mfx.errors import ModelError
from mfx.interfaces import AnyArray, BoolArray, FloatArray, IndexArray
from mfx.models.lists import Seen, best_items, best_of_product
from mfx.raw_ids import IdsOfFile, check_matched, look_up

if TYPE_CHECKING:
    from mfx.models.factors import FactorModel

_BLOCK = 1024
"""Users scored at a time where scores are no product."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """What lists are wanted of new users.

    Attributes
    ----------
    k : int
        Their length.
    bias_weight : float
        Weight of the item bias in their order.
    allowed : bool array, shape (items,), or None
        Items that they may hold; None for all. What a user has rated is left out.
    """

    k: int
    bias_weight: float = 1.0
    allowed: BoolArray | None = None


@dataclass(frozen=True, eq=False)
class FoldedUsers:
    """New users, taken in.

    Attributes
    ----------
    rows : float32 array, shape (users, factors + 1)
        Factors and bias of each.
    items, scores : int32 and float32 array, shape (users, k)
        The best items of each, by index and best first, and their scores; -1 where a list ends early.
    """

    rows: FloatArray
    items: IndexArray
    scores: FloatArray

    @classmethod
    def joined(cls, parts: list[FoldedUsers]) -> FoldedUsers:
        """Put parts one behind the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "items", "scores")))


def fold_in(
    model: FactorModel, users: IndexArray, items: IndexArray, values: FloatArray, n_users: int, wanted: Wanted
) -> FoldedUsers:
    """Take in new users.

    Parameters
    ----------
    model : FactorModel
        A fitted model.
    users, items, values : arrays
        Ratings in order of user: the number of the user, from 0, the model's index of the item, and the rating.
    n_users : int
        Number of users; one without ratings gets what the model expects of somebody of whom nothing is known.
    wanted : Wanted
        Which lists.

    Raises
    ------
    ModelError
        If a user rated an item twice, or a rating or score is not finite.
    """
    if not np.isfinite(values).all():
        raise ModelError("Folding in needs finite ratings.")
    order = np.lexsort((items, users))
    users, items, values = users[order], items[order], values[order]
    twice = np.flatnonzero((users[1:] == users[:-1]) & (items[1:] == items[:-1]))
    if twice.size:
        item = model.catalogue_.item_ids[items[twice[0]]]
        raise ModelError(f"A new user rated item {item} twice.", "Let dataset.duplicates say which rating counts.")
    counts = np.bincount(users, minlength=n_users)
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    rows = model.fold_in_rows(indptr, items, values)
    if not np.isfinite(rows).all():
        raise ModelError("A new user's row is not finite.", "Look for extreme ratings; fit with more reg.")
    return FoldedUsers(rows, *_lists(model, rows, Seen(indptr, items, model.seen_.item_counts), wanted))


def _lists(model: FactorModel, rows: FloatArray, seen: Seen, wanted: Wanted) -> tuple[IndexArray, FloatArray]:
    index, k = np.arange(len(rows), dtype=np.int32), wanted.k
    product = model.product_of(rows, wanted.bias_weight)
    if product is not None and product.is_finite():
        return best_of_product(product, k, wanted.allowed, seen, index)
    items, scores = np.empty((index.size, k), np.int32), np.empty((index.size, k), np.float32)
    for start in range(0, index.size, _BLOCK):
        some = slice(start, start + _BLOCK)
        block = model.reweighed(model.score_rows(rows[some]), wanted.bias_weight)
        items[some], scores[some] = best_items(block, k, wanted.allowed, seen, index[some])
    return items, scores


def known_items(model: FactorModel, item_ids: AnyArray, counts: AnyArray, *, drop: bool) -> IndexArray:
    """Find the model's index of items; -1 for those that it does not know.

    Parameters
    ----------
    model : FactorModel
        A fitted model.
    item_ids : array
        Raw ids.
    counts : int64 array
        How many ratings each has.
    drop : bool
        Whether ratings of items that the model does not know are to be left out.

    Raises
    ------
    ModelError
        If such items were rated and `drop` does not say what becomes of that, or the model knows none of the items.
    """
    catalogue, rated = model.catalogue_, counts > 0
    index: IndexArray = look_up(catalogue.item_index, item_ids, catalogue.item_ids.dtype.kind in "iu")
    unknown = (index < 0) & rated
    if rated.any():
        check_matched(
            int(np.count_nonzero(rated & ~unknown)),
            IdsOfFile(
                "the new ratings", int(np.count_nonzero(rated)), item_ids[unknown if unknown.any() else rated][0]
            ),
            IdsOfFile(f"this {model.name}", catalogue.n_items, catalogue.item_ids[0]),
            "item",
            ModelError,
        )
    if unknown.any() and not drop:
        raise ModelError(
            f"This {model.name} does not know {np.count_nonzero(unknown):,} of the rated items, the first is "
            f"{item_ids[unknown][0]} (ratings of such items: {int(counts[unknown].sum()):,}).",
            "unknown_items=drop leaves them out.",
        )
    return index
