"""Raw ids to dense indices: of a whole column, or of one that arrives in pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mfx.columns import distinct, positions
from mfx.data.pieces import Labels, narrowed
from mfx.data.raw import Facts, IdColumn
from mfx.errors import DataError
from mfx.interfaces import AnyArray, BoolArray, IndexArray, PointerArray
from mfx.raw_ids import ANY_WHOLE, INT64, WHOLE, integer_of, is_whole

_SPARSE = 8  # slots of a lookup table that one id may cost
_FEW = 1 << 20


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
        labels = np.array(column.labels, dtype=object)
        known = distinct(np.concatenate([labels, more]))
        return known, positions(known, labels)[column.codes]
    lowest, highest = int(column.codes.min()), int(column.codes.max())
    if more.size:
        lowest, highest = min(lowest, int(more.min())), max(highest, int(more.max()))
    if highest - lowest < max(_SPARSE * column.codes.size, _FEW):
        from mfx.data.ordering import renumber

        known, index = renumber(column.codes, lowest, highest - lowest + 1, more.astype(np.int64))
        return known, index
    import pandas as pd

    codes, found = pd.factorize(column.codes)
    known = distinct(np.concatenate([found.astype(np.int64, copy=False), more]))
    return known, positions(known, found)[codes]


def integers_spelled(labels: Any, *, plainly: bool) -> tuple[PointerArray, BoolArray]:
    """Read text ids as integers; `mfx.raw_ids.is_whole` and `mfx.data.fields.parse_id` for a whole column.

    Parameters
    ----------
    labels : pyarrow.Array of str
        Ids as written.
    plainly : bool
        Whether only spellings count of which no two mean one integer; otherwise also leading zeros and plus signs.

    Returns
    -------
    numbers : int64 array
        The integers; 0 where there is none.
    spelled : bool array
        Whether there is one, of 64 bits.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(labels)
    spelled = pc.match_substring_regex(text, f"^({WHOLE if plainly else ANY_WHOLE})$")
    digits = pc.utf8_ltrim(pc.replace_substring_regex(pc.if_else(spelled, text, "0"), r"\.0$", ""), "+")
    try:
        return np.asarray(digits.cast(pa.int64())), np.asarray(spelled)
    except pa.ArrowInvalid:  # more than 64 bits
        fits = pa.array([int(number) in INT64 for number in digits.to_pylist()], pa.bool_())
        return np.asarray(pc.if_else(fits, digits, "0").cast(pa.int64())), np.asarray(pc.and_(spelled, fits))


class DistinctIds:
    """The distinct ids of a column that arrives in pieces."""

    def __init__(self) -> None:
        self._labels: Labels | None = None
        self._known = np.empty(0, np.int64)
        self._new: list[AnyArray] = []

    @property
    def integer(self) -> bool:
        """Whether the ids are integers."""
        return self._labels is None

    @property
    def example(self) -> int | str:
        """One of the ids."""
        if self._labels is not None:
            return self._labels.labels[0]
        self._merge()
        return int(self._known[0])

    def add(self, column: IdColumn) -> AnyArray:
        """Take note of the ids of a piece; return the integers that `Index` will translate."""
        if column.labels is not None:
            self._labels = self._labels or Labels()
            return self._labels.encode(column.labels, column.codes)
        import pandas as pd

        found = pd.unique(column.codes).astype(np.int64, copy=False)
        if self._known.size:
            place = np.minimum(np.searchsorted(self._known, found), self._known.size - 1)
            found = found[self._known[place] != found]
        self._new.append(found)
        # Merging costs as much as all that is known, so it waits until there is as much that is new.
        if sum(piece.size for piece in self._new) > max(self._known.size, _FEW):
            self._merge()
        return narrowed(column.codes)

    def index(self, more: AnyArray) -> Index:
        """Give each id, and more that no row has, its index."""
        if self._labels is not None:
            labels = np.array(self._labels.labels, dtype=object)
            known = distinct(np.concatenate([labels, more]))
            index = positions(known, labels)
            return Index(known, _marked(known, index), index, 0)
        self._merge()
        known = distinct(np.concatenate([self._known, more]))
        rated = _marked(known, positions(known, self._known))
        lowest, highest = int(known[0]), int(known[-1])
        if highest - lowest >= max(_SPARSE * known.size, _FEW):
            return Index(known, rated, None, 0)
        table = np.full(highest - lowest + 1, -1, np.int32)
        table[known - lowest] = np.arange(known.size, dtype=np.int32)
        return Index(known, rated, table, lowest)

    def _merge(self) -> None:
        self._known = np.unique(np.concatenate([self._known, *self._new]))
        self._new = []


def _marked(known: AnyArray, index: AnyArray) -> BoolArray:
    marks = np.zeros(known.size, np.bool_)
    marks[index] = True
    return marks


class Index:
    """Indices of ids that were seen before.

    Parameters
    ----------
    known : array of int64 or str
        Distinct ids, strictly increasing.
    rated : bool array, shape of known
        Which of them rows have.
    table : int32 array or None
        Index of each integer from `lowest`; None to search for it.
    lowest : int
        Integer of the first entry of the table.
    """

    def __init__(self, known: AnyArray, rated: BoolArray, table: IndexArray | None, lowest: int) -> None:
        self.known, self.rated = known, rated
        self._table, self._lowest = table, lowest

    def of(self, codes: AnyArray) -> IndexArray:
        """Translate what `DistinctIds.add` returned."""
        if self._table is None:
            return np.searchsorted(self.known, codes).astype(np.int32)
        return self._table[codes.astype(np.int64, copy=False) - self._lowest]


def ids_of_facts(facts: Facts | None, example: int | str, what: str) -> AnyArray:
    """Return the ids that facts are about, as integers or text: the kind of `example`, an id of the ratings.

    Raises
    ------
    DataError
        If one is described twice, or is no integer although those of the ratings are.
    """
    if facts is None:
        return np.empty(0, np.int64 if isinstance(example, int) else object)
    ids = convert_ids(facts.ids, example, facts.where)
    counts = Counter(ids.tolist())
    if len(counts) < ids.size:
        repeated = min(raw for raw, count in counts.items() if count > 1)
        raise DataError(
            f"{facts.where}: {what} {repeated} is described {max(counts.values())} times.",
            "Keep one line for each.",
        )
    return ids


def convert_ids(ids: Sequence[str] | AnyArray, example: object, where: str) -> AnyArray:
    """Turn ids as written into int64 or text, whichever kind `example`, an id of the ratings, has.

    Raises
    ------
    DataError
        If one is no integer although those of the ratings are.
    """
    if not isinstance(example, int | np.integer):
        return np.array([str(raw).strip() for raw in ids], dtype=object)
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu":
        return ids.astype(np.int64)
    texts = [str(raw).strip() for raw in ids]
    unlike = next((text for text in texts if not is_whole(text)), None)
    if unlike is not None:
        raise DataError(
            f"{where}: an id is no integer, but the ids of the ratings are: "
            f"ids look like {unlike!r} there and {int(example)} in the ratings.",
            "Give both files the same ids, or read them as text (dataset.item_ids=text).",
        )
    # Without the dtype, no ids would be floating point.
    return np.array([integer_of(text) for text in texts], dtype=np.int64)
