"""What is known of items or users beside their ratings, as one sparse matrix of features.

A block is a group of features under one name. Blocks of the catalogue (``genres``, ``year``, ``tags``, ``age``) are
pooled row by row. Three more are made here: ``constant``, one feature that every row has, so that the weights of all
others are deviations from the average row; ``count``, the logarithm of the row's number of ratings in train, as how
often something is rated says much about how it is rated (Marlin and Zemel 2009, "Collaborative prediction and ranking
with non-random missing data"); and ``rated``, what the row's ratings are of, whatever they say: which of the items that
are rated most a user has rated (Koren 2008, "Factorization meets the neighborhood", SVD++), or which of the users who
rate most have rated an item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mfx.errors import ModelError, did_you_mean
from mfx.interfaces import AnyArray, DoubleArray, Features, IndexArray, PointerArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CONSTANT, COUNT, RATED = "constant", "count", "rated"
_OWN_MAKE = (CONSTANT, COUNT, RATED)
_MOST_RATED = 200
"""Features of `RATED`: what more of them would tell is said by these, and their system is dense."""


@dataclass(frozen=True, eq=False)
class Counterparts:
    """Rows of the other side that the rows of one side have ratings of, or by.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array, shape (rows, rows of the other side)
        1 where there is a rating.
    ids : array, shape (rows of the other side,)
        Their raw ids.
    """

    matrix: csr_array
    ids: AnyArray


@dataclass(frozen=True, eq=False)
class SideInformation:
    """Features of the rows of one side.

    Attributes
    ----------
    names : tuple of str
        Feature names, such as ``genres: Comedy``; column j is ``names[j]``.
    columns : dict of str to slice
        Columns of each block, in their order.
    matrix : scipy.sparse.csr_array of float64, shape (rows, features)
        The features, pooled.
    count_centre, count_spread : float
        Mean over ratings, and standard deviation over rows, of the logarithms of the counts.
    count_of_unrated : float
        What stands for the count of a row without ratings.
    rated : int64 array
        Rows of the other side that the columns of ``rated`` stand for, in increasing order.
    rated_of_unrated : float64 array
        What stands in these columns of a row without ratings.
    """

    names: tuple[str, ...]
    columns: Mapping[str, slice]
    matrix: csr_array
    count_centre: float = 0.0
    count_spread: float = 1.0
    count_of_unrated: float = 0.0
    rated: PointerArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rated_of_unrated: DoubleArray = field(default_factory=lambda: np.zeros(0))

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.names)

    @property
    def blocks(self) -> tuple[slice, ...]:
        """Columns of each block; together they are all columns."""
        return tuple(self.columns.values())

    @property
    def own(self) -> tuple[int, ...]:
        """Columns in which nearly every row has a number of its own."""
        return (self.columns[COUNT].start,) if COUNT in self.columns else ()

    def overlap(self, scales: DoubleArray | None = None) -> DoubleArray:
        """Return ``sum_i scale_i g_i g_i^T`` over the rows, scales 1 by default; shape (features, features)."""
        from scipy import sparse

        weighed = self.matrix if scales is None else sparse.diags_array(scales) @ self.matrix
        found: DoubleArray = (self.matrix.T @ weighed).toarray()
        return found

    def of_new_row(
        self,
        known: Mapping[str, Sequence[str]],
        count: int = 0,
        *,
        pooling: str = "mean",
        rated: IndexArray | None = None,
    ) -> DoubleArray:
        """Return the features of a row that is not in the catalogue; float64, shape (features,).

        Parameters
        ----------
        known : mapping of str to sequence of str
            Feature names by block, such as ``{"genres": ["Comedy"]}``; a block that is left out says nothing.
        count : int
            Number of ratings of the row.
        pooling : {"mean", "sum"}
            As the matrix was pooled.
        rated : int array, optional
            Rows of the other side that the row has ratings of; by default none.

        Raises
        ------
        ModelError
            If a block or a feature is unknown.
        """
        row = np.zeros(self.n_features)
        if CONSTANT in self.columns:
            row[self.columns[CONSTANT]] = 1.0
        if COUNT in self.columns:
            standard = (np.log(max(count, 1)) - self.count_centre) / self.count_spread
            row[self.columns[COUNT]] = standard if count > 0 else self.count_of_unrated
        if RATED in self.columns:
            met = np.isin(self.rated, [] if rated is None else rated)
            row[self.columns[RATED]] = met / np.sqrt(max(met.sum(), 1)) if count > 0 else self.rated_of_unrated
        for block, given in known.items():
            if block not in self.columns or block in _OWN_MAKE:
                raise ModelError(f"The model knows no features '{block}'.", did_you_mean(block, self.columns))
            columns = self.columns[block]
            place = {name: columns.start + j for j, name in enumerate(self.names[columns])}
            chosen = [label(block, name) for name in sorted(set(given))]
            if unknown := [name for name in chosen if name not in place]:
                raise ModelError(
                    f"Unknown {block}: {', '.join(map(bare, unknown))}.", f"Known: {', '.join(map(bare, place))}."
                )
            row[[place[name] for name in chosen]] = 1.0 / len(chosen) if pooling == "mean" and chosen else 1.0
        return row


def label(block: str, name: str) -> str:
    """Name a feature of a block, such as ``genres: Comedy``."""
    return f"{block}: {name}"


def bare(feature: str) -> str:
    """Return the name of a feature without that of its block."""
    return feature.split(": ", 1)[-1]


def gather(
    blocks: Sequence[str],
    known: Mapping[str, Features],
    counts: PointerArray,
    *,
    pooling: str = "mean",
    min_rows: int = 1,
    unrated: float = 0.0,
    counterparts: Counterparts | None = None,
) -> SideInformation:
    """Put the blocks side by side.

    Parameters
    ----------
    blocks : sequence of str
        Names of blocks, each once.
    known : mapping of str to Features
        Blocks of the catalogue.
    counts : int64 array, shape (rows,)
        Number of ratings of each row in train.
    pooling : {"mean", "sum"}
        Whether the features of a block are averaged over a row's entries or added up.
    min_rows : int
        Features that fewer rows with ratings have are left out: little can be learnt of them.
    unrated : float
        What `count` says of a row without ratings: between what it is on average over ratings (0) and what it is of a
        row with one rating (1).
    counterparts : Counterparts, optional
        What the rows have ratings of; without it there is no block `rated`.

    Raises
    ------
    ModelError
        If there is no such block, or one is named twice.
    """
    from scipy import sparse

    names: list[str] = []
    columns: dict[str, slice] = {}
    parts = [sparse.csr_array((counts.size, 0))]
    centre, spread = _of_logarithms(counts)
    rated, rated_of_unrated = np.zeros(0, dtype=np.int64), np.zeros(0)
    of_unrated = -unrated * centre / spread
    for block in blocks:
        if block in columns:
            raise ModelError(f"The features '{block}' are named twice.", "Name each block once.")
        if block in _OWN_MAKE and block in known:
            raise ModelError(f"The data set has features '{block}', a name that the model gives to its own.")
        if block == CONSTANT:
            part, labels = sparse.csr_array(np.ones((counts.size, 1))), [CONSTANT]
        elif block == COUNT:
            standard = np.where(counts > 0, (np.log(np.maximum(counts, 1)) - centre) / spread, of_unrated)
            part, labels = sparse.csr_array(standard[:, None]), [COUNT]
        elif block == RATED and counterparts is not None:
            part, rated, rated_of_unrated = _most_rated(counterparts.matrix, min_rows)
            labels = [label(RATED, str(counterparts.ids[other])) for other in rated]
        elif block in known and known[block].names:
            part, kept = _pooled(known[block], counts, pooling, min_rows)
            labels = [label(block, name) for name in kept]
        else:
            there = [*known, CONSTANT, COUNT, *([RATED] if counterparts is not None else [])]
            raise ModelError(f"This data set has no features '{block}'.", did_you_mean(block, there))
        columns[block] = slice(len(names), len(names) + len(labels))
        names += labels
        parts.append(part)
    matrix = sparse.hstack(parts, format="csr")
    return SideInformation(tuple(names), columns, matrix, centre, spread, of_unrated, rated, rated_of_unrated)


def _of_logarithms(counts: PointerArray) -> tuple[float, float]:
    """Return the mean over ratings, and the standard deviation over rows, of the logarithms of the counts.

    The mean over rows would be that of the many that hardly anybody rates; what people come across is met rating by
    rating.
    """
    rated = counts[counts > 0].astype(np.float64)
    if not rated.size:
        return 0.0, 1.0
    logarithms = np.log(rated)
    spread = float(logarithms.std())
    return float(np.average(logarithms, weights=rated)), spread if spread > 0.0 else 1.0


def _most_rated(met: csr_array, min_rows: int) -> tuple[csr_array, PointerArray, DoubleArray]:
    """Return whom of the most rated each row has met, of length 1 as a vector; who they are; and the unrated's vector.

    A row without ratings has met nobody because nobody could, or for want of chances, and not because of what it is.
    So it gets the mean over ratings, as `COUNT` does: zeros would say that the row is obscure.
    """
    from scipy import sparse

    counts = np.diff(met.indptr)
    often = np.bincount(met.indices, minlength=met.shape[1])
    first = np.argsort(-often, kind="stable")[:_MOST_RATED]
    chosen = np.sort(first[often[first] >= max(min_rows, 1)])
    matrix = sparse.csr_array(met[:, chosen])
    lengths = np.diff(matrix.indptr)
    matrix.data = np.repeat(1.0 / np.sqrt(np.maximum(lengths, 1)), lengths)
    mean: DoubleArray = (counts @ matrix) / max(counts.sum(), 1)
    unrated = sparse.csr_array((counts == 0).astype(np.float64)[:, None])
    return sparse.csr_array(matrix + unrated @ sparse.csr_array(mean[None])), chosen, mean


def _pooled(features: Features, counts: PointerArray, pooling: str, min_rows: int) -> tuple[csr_array, list[str]]:
    from scipy import sparse

    weights = np.ones(features.indices.size) if features.weights is None else features.weights.astype(np.float64)
    shape = (len(features), len(features.names))
    matrix = sparse.csr_array((weights, features.indices, features.indptr), shape=shape)
    kept = np.arange(shape[1])
    if min_rows > 1:
        rows = np.repeat(np.arange(shape[0]), np.diff(features.indptr))
        carriers = np.bincount(features.indices[counts[rows] > 0], minlength=shape[1])
        kept = np.flatnonzero(carriers >= min_rows)
        matrix = sparse.csr_array(matrix[:, kept])
    if pooling == "mean":
        rows = np.repeat(np.arange(shape[0]), np.diff(matrix.indptr))
        total = np.bincount(rows, weights=matrix.data, minlength=shape[0])
        matrix.data /= total[rows]
    return matrix, [features.names[j] for j in kept]
