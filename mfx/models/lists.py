"""Lists of items: which each user has seen, the best of a row of scores, and their table for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mfx.interfaces import AnyArray, BoolArray, Catalogue, FloatArray, IndexArray, PointerArray, Ratings

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

    from mfx.solver.retrieval import ScoreProduct


@dataclass(frozen=True, eq=False)
class Seen:
    """Which items each user rated in train, in CSR layout, and how often each item was rated.

    Attributes
    ----------
    indptr : int64 array, shape (users + 1,)
        User u has seen ``items[indptr[u]:indptr[u + 1]]``, in increasing order.
    items : int32 array
        Item indices.
    item_counts : int64 array, shape (items,)
        Ratings of each item.
    """

    indptr: PointerArray
    items: IndexArray
    item_counts: PointerArray

    @classmethod
    def of_ratings(cls, train: Ratings) -> Seen:
        """Take note of ratings; where they lie elsewhere, in parts, of how many each user has and of no items."""
        items = getattr(train, "items", None)
        return cls(train.user_indptr, np.zeros(0, np.int32) if items is None else items, train.item_counts)

    @property
    def kept(self) -> bool:
        """Whether the items are here, and not with the parts of a data set."""
        return bool(self.items.size == self.indptr[-1])

    def pattern(self) -> csr_array:
        """Return who rated what as a matrix of ones; int8, shape (users, items)."""
        from scipy import sparse

        shape = (self.indptr.size - 1, self.item_counts.size)
        return sparse.csr_array((np.ones(self.items.size, dtype=np.int8), self.items, self.indptr), shape=shape)

    def of(self, user: int) -> IndexArray:
        """Return the items that a user index has seen."""
        return self.items[self.indptr[user] : self.indptr[user + 1]]


def best_items(
    scores: FloatArray, k: int, allowed: BoolArray | None, seen: Seen | None, users: IndexArray
) -> tuple[IndexArray, FloatArray]:
    """Find the k best items of each row of scores; both results have shape (rows, k), padded with -1.

    Raises
    ------
    ModelError
        If k is below 1 or a score is not a number.
    """
    from mfx.solver.topk import top_k

    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    indptr, indices = (None, None) if seen is None else (seen.indptr, seen.items)
    return top_k(scores, indptr, indices, users, k)


def best_of_product(
    product: ScoreProduct, k: int, allowed: BoolArray | None, seen: Seen | None, users: IndexArray
) -> tuple[IndexArray, FloatArray]:
    """Find the k best items of each row of a product of scores, as `best_items` does of scores.

    Raises
    ------
    ModelError
        If k is below 1.
    """
    from mfx.solver import retrieval

    csr = None if seen is None else (seen.indptr, seen.items)
    return retrieval.best_of_product(product, users, k, seen=csr, allowed=allowed)


def list_frame(
    catalogue: Catalogue, items: IndexArray, scores: FloatArray, user_ids: AnyArray | None = None
) -> pd.DataFrame:
    """Turn lists of item indices (-1 where a list ends early) and their scores into a frame of raw ids."""
    import pandas as pd

    row, place = np.nonzero(items >= 0)
    columns: dict[str, AnyArray] = {} if user_ids is None else {"user_id": user_ids[row]}
    columns["item_id"] = catalogue.item_ids[items[row, place]]
    columns["score"] = scores[row, place]
    columns["rank"] = place + 1
    return pd.DataFrame(columns)
