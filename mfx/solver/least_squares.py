"""Row solves: for every row of one side, the ridge regression on the other side's rows that it was rated with.

Each side is a *table* of parameters, float32 of shape (rows, factors + 1): factors first, bias last. For a row with
observed targets y and the other side's rows X the solve minimises, over w = (factors, bias),

    sum_n c_n (y_n - offset - other_bias_n - x_n . w[:-1] - w[-1])**2 + w^T B w
        + sum_j penalty_j (w_j - prior_j)**2

jointly in factors and bias. The confidences c are 1 and the base B is 0 unless given: with ``B = a V^T V``
(`gramian`) every row of the other side pulls its prediction to zero with weight a, observed or not, at no cost per row
(Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets"). The other side's factors are
laid out anew before a pass, each row in whole vectors. The Gram matrix of a row is summed in registers and solved by a
blocked Cholesky factorisation, along which the sum of squared targets shrinks to the minimum of the objective.

Every row is solved by one thread from start to end, so results do not depend on the number of threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.interfaces import DoubleArray, FloatArray, IndexArray, PointerArray
from mfx.solver.conjugate import descend_blocks
from mfx.solver.elsewhere import RowsElsewhere
from mfx.solver.layout import SparseRows, balanced_blocks
from mfx.solver.packed import PackedTable
from mfx.solver.row_kernels import solve_blocks, solve_profiles, sum_outer
from mfx.solver.vectors import width_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NO_MATRIX = np.zeros((0, 0), dtype=np.float32)
_NO_ENTRIES = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class Ridge:
    """The penalty of a row solve.

    Attributes
    ----------
    factors, bias : float
        Weights of the squared factors and of the squared bias.
    per_count : bool
        Whether the weights are multiplied by the row's number of ratings (ALS-WR, Zhou et al. 2008).
    with_bias : bool
        Whether the row has a bias at all; without, it is exactly 0.
    """

    factors: float
    bias: float
    per_count: bool = False
    with_bias: bool = True

    def weights(self, n_factors: int) -> FloatArray:
        """Return the penalty of each column of a table, float32, shape (factors + 1,)."""
        weights = np.full(n_factors + 1, self.factors, dtype=np.float32)
        weights[-1] = self.bias if self.with_bias else 1.0
        return weights


@dataclass(frozen=True, eq=False)
class Prior:
    """Where the penalty pulls the rows: ``weight * (w - centre)**2`` on top of the ridge.

    Attributes
    ----------
    centres : float32 array, shape (rows, factors + 1)
        Prior mean of every row.
    weights : float32 array, shape (factors + 1,) or (rows, factors + 1)
        Strength in each column, for all rows or row by row; 0 leaves a column alone, as it must the bias of rows that
        have none.
    """

    centres: FloatArray
    weights: FloatArray

    def of_rows(self, start: int, stop: int) -> Prior:
        """Return the pull of some of the rows."""
        return Prior(self.centres[start:stop], self.weights if self.weights.ndim == 1 else self.weights[start:stop])


@dataclass(frozen=True, eq=False)
class Profiles:
    """The features of rows, each distinct combination (a profile) kept once.

    Attributes
    ----------
    n_features : int
        Number of features.
    indptr, indices, weights : int64, int32 and float64 arrays
        Profile q has the features ``indices[indptr[q]:indptr[q + 1]]``, with these weights.
    of_row : int32 array, shape (rows,)
        Profile of each row.
    order : int64 array, shape (rows,)
        Rows sorted by profile, so that rows of one profile are met in one go.
    own_columns : int32 array, shape (own,)
        Features that each row has at a weight of its own, and that are in no profile.
    own : float64 array, shape (rows, own)
        Their weights.
    """

    n_features: int
    indptr: PointerArray
    indices: IndexArray
    weights: DoubleArray
    of_row: IndexArray
    order: PointerArray
    own_columns: IndexArray
    own: DoubleArray

    @classmethod
    def of(cls, features: csr_array, own: Sequence[int] = ()) -> Profiles:
        """Find the profiles in sparse features of shape (rows, features), in the order in which they are met.

        The columns named in `own` are left out of them. That saves work where they differ from row to row.
        """
        from scipy import sparse

        columns = np.array(own, dtype=np.int32)
        shared = np.ones(features.shape[1])
        shared[columns] = 0.0
        left = sparse.csr_array(features @ sparse.diags_array(shared))
        left.sum_duplicates()
        left.eliminate_zeros()
        indices, weights, ends = left.indices.astype(np.int32), left.data, left.indptr.tolist()
        numbers: dict[bytes, int] = {}
        bounds = list(itertools.pairwise(ends))
        keys = (indices[a:b].tobytes() + weights[a:b].tobytes() for a, b in bounds)
        of_row = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int32)
        firsts = [slice(*bounds[row]) for row in np.unique(of_row, return_index=True)[1]]
        lengths = [part.stop - part.start for part in firsts]
        return cls(
            n_features=features.shape[1],
            indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]),
            indices=np.concatenate([indices[:0], *(indices[part] for part in firsts)]),
            weights=np.concatenate([weights[:0], *(weights[part] for part in firsts)]),
            of_row=of_row,
            order=np.argsort(of_row, kind="stable"),
            own_columns=columns,
            own=np.ascontiguousarray(features[:, columns].toarray()),
        )

    def of_rows(self, start: int, stop: int) -> Profiles:
        """Return the profiles of some of the rows."""
        of_row = self.of_row[start:stop]
        order = np.argsort(of_row, kind="stable")
        return replace(self, of_row=of_row, order=order, own=self.own[start:stop])


def solve_rows(
    rows: SparseRows | RowsElsewhere,
    other: FloatArray | PackedTable,
    out: FloatArray,
    ridge: Ridge,
    *,
    offset: float = 0.0,
    prior: Prior | None = None,
    confidence: FloatArray | None = None,
    base: FloatArray | None = None,
    scales: FloatArray | None = None,
    noise: FloatArray | None = None,
) -> DoubleArray:
    """Solve every row given the other side's table, writing into `out`.

    With noise each row is a draw instead of the minimiser: at noise of standard deviation sigma it is normal around
    the minimiser, with covariance sigma^2 times the inverse of its normal matrix. That is the conditional posterior of
    the row where sigma^2 is the variance of the ratings and penalties are prior precisions times sigma^2.

    Parameters
    ----------
    rows : SparseRows or RowsElsewhere
        Observed targets; columns index the rows of `other`.
    other : float32 array, shape (columns, factors + 1), or PackedTable
        The other side's table, held fixed.
    out : float32 array, shape (rows, factors + 1)
        This side's table, overwritten. A row without ratings takes the minimiser of its penalty.
    ridge : Ridge
        Penalty.
    offset : float
        Constant part of every prediction (the mean rating).
    prior : Prior, optional
        Where rows are pulled, by default nowhere.
    confidence : float32 array, shape (entries,), optional
        Weight of each entry's squared error, at least 0; by default 1.
    base : float32 array, shape (factors + 1, factors + 1), optional
        Symmetric matrix B of a term ``w^T B w`` that every row has, such as `gramian` returns; by default none.
    scales : float32 array, shape (rows,), optional
        What the ridge of each row is multiplied by; by default 1, or with ``ridge.per_count`` its number of entries.
    noise : float32 array, shape (rows, factors + 1), optional
        Independent normal numbers of mean 0 and standard deviation sigma; by default none.

    Returns
    -------
    float64 array, shape (rows,)
        Minimum of each row's objective: squared error plus penalties and, where there is a base, its term.

    Raises
    ------
    ValueError
        If confidence, base, scales or noise have the wrong shape, or the ridge is per count and scales are given too.
    """
    if isinstance(rows, RowsElsewhere):
        by_row = {"prior": prior, "scales": scales, "noise": noise}
        return _solve_elsewhere(solve_rows, rows, other, out, ridge, offset, confidence, by_row, base=base)
    minima = np.empty(rows.n_rows, dtype=np.float64)
    problem = _problem(rows, other, ridge, offset, prior, confidence, base, scales)
    solve_blocks(_blocks(rows, other), out, minima, *(*problem, _checked_noise(noise, out)))
    return minima


def descend_rows(
    rows: SparseRows | RowsElsewhere,
    other: FloatArray | PackedTable,
    out: FloatArray,
    ridge: Ridge,
    *,
    steps: int = 3,
    offset: float = 0.0,
    prior: Prior | None = None,
    confidence: FloatArray | None = None,
    base: FloatArray | None = None,
    scales: FloatArray | None = None,
) -> DoubleArray:
    """Bring every row nearer to the solution of `solve_rows`, by steps of conjugate gradients from where it stands.

    From about 32 factors on a few steps take less time than the solve (see `mfx.solver.conjugate`). Steps stop early
    in a row that has arrived.

    Parameters
    ----------
    rows, other, ridge, offset, prior, confidence, base, scales
        As in `solve_rows`.
    out : float32 array, shape (rows, factors + 1)
        Where this side's rows start; overwritten with where they get to.
    steps : int
        Most steps of a row.

    Returns
    -------
    float64 array, shape (rows,)
        Each row's objective at its end; no step raises it.

    Raises
    ------
    ValueError
        If confidence, base or scales have the wrong shape, or the ridge is per count and scales are given too.
    """
    if isinstance(rows, RowsElsewhere):
        by_row = {"prior": prior, "scales": scales}
        shared = {"base": base, "steps": steps}
        return _solve_elsewhere(descend_rows, rows, other, out, ridge, offset, confidence, by_row, **shared)
    objectives = np.empty(rows.n_rows, dtype=np.float64)
    problem = _problem(rows, other, ridge, offset, prior, confidence, base, scales)
    descend_blocks(_blocks(rows, other), out, objectives, steps, *problem)
    return objectives


def solve_rows_and_accumulate(
    rows: SparseRows | RowsElsewhere,
    other: FloatArray | PackedTable,
    out: FloatArray,
    ridge: Ridge,
    profiles: Profiles,
    *,
    offset: float = 0.0,
    prior: Prior | None = None,
    n_partial: int | None = None,
) -> tuple[DoubleArray, DoubleArray]:
    """Solve every row and sum ``g g^T (x) X^T X`` over the rows: g the row's features, X its gathered rows.

    X is as in the normal equations: factors, then the constant 1 that goes with the row's own bias. The sum is the
    curvature of the squared error in a linear map from features to rows (see `mfx.solver.feature_map`). It costs no
    further pass over the ratings, as each row's Gram matrix is at hand.

    Parameters
    ----------
    rows, other, out, ridge, offset, prior
        As in `solve_rows`.
    profiles : Profiles
        Features of the rows.
    n_partial : int, optional
        How many sums are made beside each other and added at the end; by default what the threads of a process use.

    Returns
    -------
    minima : float64 array, shape (rows,)
        As in `solve_rows`.
    curvature : float64 array, shape (features * (factors + 1), features * (factors + 1))
        Symmetric, both triangles filled.
    """
    if isinstance(rows, RowsElsewhere):
        by_row = {"profiles": profiles, "prior": prior}
        shared = {"ridge": ridge, "offset": offset, "n_partial": 1}
        found = rows.run(solve_rows_and_accumulate, _packed(other, offset), out, by_row=by_row, shared=shared)
        return np.concatenate([minima for minima, _ in found]), sum(partial for _, partial in found)
    size = profiles.n_features * other.shape[1]
    # Partial sums bound the memory and fix the order of addition, whatever the number of threads.
    n_partial = n_partial or int(np.clip((64 << 20) // max(8 * size * size, 1), 2, 16))
    lengths = rows.counts[profiles.order]
    ordered = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    bounds = balanced_blocks(ordered, n_partial, row_cost=float(other.shape[1]))
    minima = np.empty(rows.n_rows, dtype=np.float64)
    curvature = np.zeros((n_partial, size, size), dtype=np.float64)
    solve_profiles(
        bounds,
        out,
        minima,
        profiles.order,
        profiles.of_row,
        profiles.indptr,
        profiles.indices,
        profiles.weights,
        profiles.own_columns,
        profiles.own,
        curvature,
        *(*_problem(rows, other, ridge, offset, prior), _NO_MATRIX),
    )
    upper = np.triu(curvature.sum(axis=0))
    return minima, upper + np.triu(upper, 1).T


def gramian(table: FloatArray, weight: float = 1.0) -> FloatArray:
    """Return ``weight * V^T V`` of the factors V of a table, bordered with zeros for the bias: a base of row solves.

    Parameters
    ----------
    table : float32 array, shape (rows, factors + 1)
        The other side's table.
    weight : float
        Weight of every pair of a row with a row of `table`.

    Returns
    -------
    float32 array, shape (factors + 1, factors + 1)
        Symmetric; summed in an order that no number of threads changes.
    """
    size = table.shape[1] - 1
    blocks = max(1, min(16, len(table) // 1024))
    width = width_of(size)
    partial = np.zeros((blocks, width, width), dtype=np.float32)
    sum_outer(table, np.linspace(0, len(table), blocks + 1).astype(np.int64), partial)
    upper = np.triu(partial.sum(axis=0, dtype=np.float64)[:size, :size])
    base = np.zeros((size + 1, size + 1), dtype=np.float32)
    base[:size, :size] = weight * (upper + np.triu(upper, 1).T)
    return base


def _solve_elsewhere(
    function: Callable[..., DoubleArray],
    rows: RowsElsewhere,
    other: FloatArray | PackedTable,
    out: FloatArray,
    ridge: Ridge,
    offset: float,
    confidence: FloatArray | None,
    by_row: Mapping[str, Any],
    **shared: Any,
) -> DoubleArray:
    """Run `solve_rows` or `descend_rows` on blocks that lie elsewhere."""
    if confidence is not None:
        raise ValueError("Confidences belong to entries, and those of rows elsewhere lie with their blocks.")
    shared |= {"ridge": ridge, "offset": offset}
    starts = function is descend_rows
    found = rows.run(function, _packed(other, offset), out, starts=starts, by_row=by_row, shared=shared)
    return np.concatenate(found)


def _packed(other: FloatArray | PackedTable, offset: float) -> PackedTable:
    packed = other if isinstance(other, PackedTable) else PackedTable.of(other, offset)
    if packed.offset != offset:
        raise ValueError(f"The table was packed with offset {packed.offset}, not {offset}.")
    return packed


def _blocks(rows: SparseRows, other: FloatArray | PackedTable) -> PointerArray:
    """Cut the rows into blocks of about equal work."""
    n_blocks = max(1, min(rows.n_rows, 64 + int(rows.indptr[-1] // 65536)))
    return balanced_blocks(rows.indptr, n_blocks, row_cost=float(other.shape[1]))


def _checked_noise(noise: FloatArray | None, out: FloatArray) -> FloatArray:
    if noise is None:
        return _NO_MATRIX
    if noise.shape != out.shape:
        raise ValueError(f"noise has shape {noise.shape}, not {out.shape}.")
    return noise.astype(np.float32, copy=False)


def _problem(
    rows: SparseRows,
    other: FloatArray | PackedTable,
    ridge: Ridge,
    offset: float,
    prior: Prior | None,
    confidence: FloatArray | None = None,
    base: FloatArray | None = None,
    scales: FloatArray | None = None,
) -> tuple[Any, ...]:
    """Return the parameters that all parallel kernels share."""
    n_columns = other.shape[1]
    for what, array, shape in (
        ("confidence", confidence, rows.values.shape),
        ("base", base, (n_columns, n_columns)),
        ("scales", scales, (rows.n_rows,)),
    ):
        if array is not None and array.shape != shape:
            raise ValueError(f"{what} has shape {array.shape}, not {shape}.")
    if ridge.per_count:
        if scales is not None:
            raise ValueError("A ridge per count has scales of its own, so no others can be given.")
        scales = np.maximum(rows.counts, 1).astype(np.float32)
    packed = _packed(other, offset)
    return (
        rows.indptr,
        rows.indices,
        rows.values,
        packed.rows,
        packed.shifts,
        np.float32(1.0 if ridge.with_bias else 0.0),
        ridge.weights(n_columns - 1),
        _NO_ENTRIES if scales is None else scales.astype(np.float32, copy=False),
        _NO_MATRIX if prior is None else prior.centres,
        np.zeros((1, n_columns), dtype=np.float32) if prior is None else np.atleast_2d(prior.weights),
        _NO_ENTRIES if confidence is None else np.sqrt(confidence.astype(np.float32, copy=False)),
        _NO_MATRIX if base is None else base.astype(np.float32, copy=False),
    )
