"""A partitioned data set on a Ray cluster: read, split, laid out and scored where its parts are."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mfx.data.partitioned import Parts, read_part
from mfx.engine import parts as work
from mfx.engine import tile_tasks
from mfx.engine.partitioned import PartitionedRatings, PartitionedSplit, audit_of_counts, merged
from mfx.engine.ray_tasks import get, put, task
from mfx.engine.worker import writable
from mfx.errors import SplitError
from mfx.interfaces import IndexArray, Metric, Model, PointerArray
from mfx.metrics.settings import EvaluationSettings
from mfx.metrics.sums import whole
from mfx.models.bulk import FoldedUsers, Wanted
from mfx.models.lists import Seen
from mfx.solver.elsewhere import block_bounds
from mfx.split.checks import refuse_aside
from mfx.split.parts import refuse_empty


def read(source: Parts) -> PartitionedRatings:
    """Have the parts read."""
    empty, bounds = source.empty, source.bounds
    remote = task(_read, returns=2)
    found = [
        remote(str(source.folder), number, digest, int(bounds[number]), int(bounds[number + 1]), empty.n_items)
        for number, digest in enumerate(source.digests)
    ]
    summaries = get([summary for _, summary in found])
    made = PartitionedRatings.of_summaries(
        [columns for columns, _ in found],
        summaries,
        bounds,
        empty.catalogue,
        empty.scale,
        empty.name,
        empty.time_unit,
    )
    return replace(made, fingerprint=source.fingerprint)  # what the data set is does not depend on its parts


def _read(folder: str, number: int, digest: str, start: int, stop: int, n_items: int) -> tuple[Any, Any]:
    columns = read_part(Path(folder), number, digest, range(start, stop), n_items)
    return columns, work.Summary.of(columns, range(start, stop), n_items)


def split(splitter: Any, ratings: PartitionedRatings) -> PartitionedSplit:
    """Divide the parts, to the row as all ratings in one place would be, and give the undivided ones free.

    Raises
    ------
    SplitError
        If a part of the split would be empty, or timestamps are missing.
    """
    if not ratings.parts:
        raise ValueError("These ratings were split before.")
    drawn_by = put(work.drawn_by(ratings.catalogue))
    cuts = _cuts(splitter, ratings, drawn_by) if splitter.divides == "keys" else None
    remote = task(_divide, returns=5)
    found = [
        remote(splitter, columns, ratings.frame, drawn_by, ratings.users_of(number), cuts)
        for number, columns in enumerate(ratings.parts)
    ]
    ratings.parts.clear()
    summaries, audited = get([one[3] for one in found]), get([one[4] for one in found])
    made = [
        PartitionedRatings.of_summaries(
            [one[which] for one in found],
            [each[which] for each in summaries],
            ratings.bounds,
            ratings.catalogue,
            ratings.scale,
            ratings.name,
            ratings.time_unit,
        )
        for which in range(3)
    ]
    train, valid, test = made
    where = f"split '{splitter.name}' of {len(ratings):,} ratings of '{ratings.name}'"
    refuse_empty(len(train), len(valid), len(test), where, **splitter.empty())
    numbers = audit_of_counts(train, valid, test, audited)
    if numbers["ratings_aside"]:
        refuse_aside(splitter, int(numbers["ratings_aside"]), len(ratings), "")
    for name, part, history in (("valid", valid, (train,)), ("test", test, (train, valid))):
        newest = max((one.newest for one in history if one.newest is not None), default=None)
        if newest is not None and len(part):
            older = task(work.older_than)
            numbers[f"{name}_older_than_history"] = sum(get([older(one, newest) for one in part.parts])) / len(part)
    return PartitionedSplit(train, valid, test, splitter.rule(), numbers, merge)


def _divide(*arguments: Any) -> tuple[Any, ...]:
    divided = work.divide(*arguments)
    return (*divided.columns, divided.summaries, divided.audited)


def _cuts(splitter: Any, ratings: PartitionedRatings, drawn_by: Any) -> list[int]:
    """Find the keys at the ranks that a splitter by keys wants: first between which leading bits, then which."""
    ranks = splitter.ranks(len(ratings))
    histogram = task(work.key_histogram)
    below = np.cumsum(sum(get([histogram(splitter, part, ratings.frame, drawn_by) for part in ratings.parts])))
    bins = [int(np.searchsorted(below, rank, side="right")) for rank in ranks]
    among = task(work.keys_among)
    found = get([among(splitter, part, ratings.frame, drawn_by, bins) for part in ratings.parts])
    cuts = []
    for which, (rank, leading) in enumerate(zip(ranks, bins, strict=True)):
        keys = np.sort(np.concatenate([one[which] for one in found]))
        place = rank - (int(below[leading - 1]) if leading else 0)
        if place and keys[place - 1] == keys[place]:
            raise SplitError(f"split '{splitter.name}': two ratings are drawn by one number.", "Use another seed.")
        cuts.append(int(keys[place]))
    return cuts


def merge(first: PartitionedRatings, second: PartitionedRatings) -> PartitionedRatings:
    """Merge train and valid part by part."""
    remote = task(work.together)
    return merged(first, second, [remote(a, b, first.frame) for a, b in zip(first.parts, second.parts, strict=True)])


def user_blocks(train: PartitionedRatings) -> tuple[PointerArray, list[Any]]:
    """Lay the parts out as blocks of user rows."""
    remote = task(work.user_rows)
    return train.bounds, [remote(part, train.users_of(number)) for number, part in enumerate(train.parts)]


def positive_blocks(train: PartitionedRatings, threshold: float | None) -> tuple[list[Any], PointerArray, PointerArray]:
    """Find the positives of the parts; return references to rows of users, how many each user has, and each item."""
    remote = task(tile_tasks.user_positives, returns=2)
    found = [remote(part, train.users_of(number), train.n_items, threshold) for number, part in enumerate(train.parts)]
    counts = get([counts for _, counts in found])
    of_users, of_items = zip(*counts, strict=True)
    return [rows for rows, _ in found], np.concatenate(of_users), np.sum(of_items, axis=0, dtype=np.int64)


def item_blocks(train: PartitionedRatings, row_cost: float, n_blocks: int | None) -> tuple[PointerArray, list[Any]]:
    """Lay the ratings out as blocks of item rows: every part is cut, and every block put together from all parts."""
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(train.item_counts, dtype=np.int64)])
    bounds = block_bounds(indptr, row_cost, n_blocks or max(len(train.parts), len(block_bounds(indptr, row_cost)) - 1))
    count = len(bounds) - 1
    cut, assemble = task(_cut, returns=count), task(work.item_rows)
    pieces = [cut(part, bounds) for part in train.parts]
    if count == 1:
        pieces = [[piece] for piece in pieces]
    ranges = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    return bounds, [
        assemble(start, stop, *(piece[block] for piece in pieces)) for block, (start, stop) in enumerate(ranges)
    ]


def _cut(columns: Any, bounds: PointerArray) -> Any:
    pieces = work.cut_by_item(columns, bounds)
    return pieces if len(pieces) > 1 else pieces[0]


def evaluate(
    model: Model,
    seen: PartitionedRatings,
    held_out: PartitionedRatings,
    metrics: Mapping[str, Metric],
    settings: EvaluationSettings,
) -> tuple[dict[str, float], dict[str, str]]:
    """Score every part; return the values of metrics, and why others have none."""
    remote = task(_score)
    shared = [put(one) for one in (_to_score_with(model), seen.item_counts)]
    pairs = zip(seen.parts, held_out.parts, strict=True)
    found = get([remote(shared, *pair, seen.frame, metrics, settings) for pair in pairs])
    return whole(metrics, [one for one in found if one is not None])


def _score(shared: Sequence[Any], seen: Any, held_out: Any, frame: Any, metrics: Any, settings: Any) -> Any:
    import numba

    numba.set_num_threads(1)
    model, item_counts = get(list(shared))
    return work.score(_with_writable(model), seen, held_out, frame, item_counts, metrics, settings)


def fold_in(model: Any, parts: Sequence[Any], bounds: PointerArray, index: IndexArray, wanted: Wanted) -> FoldedUsers:
    """Take in the users of the parts as new ones."""
    remote = task(_fold_in)
    shared = [put(one) for one in (_to_fold_with(model), index)]
    ranges = (range(start, stop) for start, stop in itertools.pairwise(bounds.tolist()))
    return FoldedUsers.joined(get([remote(shared, *one, wanted) for one in zip(parts, ranges, strict=True)]))


def _fold_in(shared: Sequence[Any], columns: Any, users: range, wanted: Wanted) -> FoldedUsers:
    import numba

    numba.set_num_threads(1)
    model, index = get(list(shared))
    return work.fold_in(_with_writable(model), columns, users, writable(index), wanted)


def _with_writable(model: Any) -> Any:
    for name in model.state_names:
        if hasattr(model, name):
            setattr(model, name, writable(getattr(model, name)))
    return model


def _to_fold_with(model: Any) -> Any:
    """Copy a model without what it knows of single users."""
    made = copy.copy(model)
    made.__dict__ = {name: value for name, value in vars(model).items() if name != "user_table_"}
    made.seen_ = Seen(np.zeros(1, np.int64), np.zeros(0, np.int32), model.seen_.item_counts)
    return made


def _to_score_with(model: Any) -> Any:
    """Copy a model with no more than its settings, its fitted arrays and the scale."""
    made = copy.copy(model)
    kept = {*model.settings(), *model.state_names, "scale_"}
    made.__dict__ = {name: value for name, value in vars(model).items() if name in kept}
    return made
