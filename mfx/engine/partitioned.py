"""Ratings and splits whose rows lie with workers: here is what is known of all of them, and where the parts are."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfx.engine.parts import Frame, Summary
from mfx.interfaces import Catalogue, PointerArray, RatingScale
from mfx.timestamps import TimeUnit


@dataclass(frozen=True, eq=False)
class PartitionedRatings:
    """Stands in for `mfx.interfaces.Ratings` where nobody looks at single ratings.

    Attributes
    ----------
    parts : list
        What the engine knows the columns of each part by; empty when they were split, and so given free.
    bounds : int64 array, shape (parts + 1,)
        Part p has all ratings of the users ``bounds[p]`` to ``bounds[p + 1] - 1``.
    catalogue, scale, name, time_unit
        As of `Ratings`.
    user_counts, item_counts : int64 arrays
        Ratings of each user and item.
    total : float
        Sum of all ratings.
    fingerprint : str
        Hex digest of the parts.
    newest : int or None
        Latest timestamp, in `time_unit`.
    timed : bool
        Whether there are timestamps.
    """

    parts: list[Any]
    bounds: PointerArray
    catalogue: Catalogue
    scale: RatingScale
    name: str
    user_counts: PointerArray
    item_counts: PointerArray
    total: float
    fingerprint: str
    newest: int | None
    timed: bool
    time_unit: TimeUnit

    @classmethod
    def of_summaries(
        cls,
        parts: Sequence[Any],
        summaries: Sequence[Summary],
        bounds: PointerArray,
        catalogue: Catalogue,
        scale: RatingScale,
        name: str,
        time_unit: TimeUnit,
    ) -> PartitionedRatings:
        """Add up what is known of the parts."""
        digests = "".join(one.digest for one in summaries) + ("" if time_unit == "s" else time_unit)
        times = [one.newest for one in summaries if one.newest is not None]
        return cls(
            parts=list(parts),
            bounds=bounds,
            catalogue=catalogue,
            scale=scale,
            name=name,
            user_counts=np.concatenate([one.user_counts for one in summaries]),
            item_counts=np.sum([one.item_counts for one in summaries], axis=0, dtype=np.int64),
            total=float(sum(one.total for one in summaries)),
            fingerprint=hashlib.blake2b(digests.encode(), digest_size=16).hexdigest(),
            newest=max(times, default=None),
            timed=all(one.timed for one in summaries),
            time_unit=time_unit,
        )

    def __len__(self) -> int:
        return int(self.user_counts.sum())

    @property
    def n_users(self) -> int:
        """Number of users in the catalogue."""
        return self.catalogue.n_users

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue."""
        return self.catalogue.n_items

    @property
    def mean(self) -> float:
        """Mean rating; 0 without ratings."""
        return self.total / len(self) if len(self) else 0.0

    @functools.cached_property
    def user_indptr(self) -> PointerArray:
        """Row pointers of users, as if all rows were in one place."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.user_counts, dtype=np.int64)])

    @property
    def frame(self) -> Frame:
        """What its parts share."""
        return Frame(self.n_users, self.n_items, self.scale, self.name, self.time_unit)

    def users_of(self, part: int) -> range:
        """Return the users of a part."""
        return range(int(self.bounds[part]), int(self.bounds[part + 1]))


@dataclass(frozen=True, eq=False)
class PartitionedSplit:
    """Stands in for `mfx.interfaces.Split`.

    Attributes
    ----------
    train, valid, test : PartitionedRatings
        Parts of the split, each in the same parts of users.
    rule : str
        One line for people.
    audited : dict of str to float
        What `mfx.split.audit` finds.
    merge : callable
        Makes one of train and valid.
    """

    train: PartitionedRatings
    valid: PartitionedRatings
    test: PartitionedRatings
    rule: str
    audited: Mapping[str, float]
    merge: Callable[[PartitionedRatings, PartitionedRatings], PartitionedRatings]

    @functools.cached_property
    def train_and_valid(self) -> PartitionedRatings:
        """Train and valid together."""
        return self.merge(self.train, self.valid)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digest of the three: of equal data, split alike, and in the same parts."""
        parts = "".join(part.fingerprint for part in (self.train, self.valid, self.test))
        return hashlib.blake2b(f"parts {parts}".encode(), digest_size=16).hexdigest()


def merged(first: PartitionedRatings, second: PartitionedRatings, parts: Sequence[Any]) -> PartitionedRatings:
    """Add up what is known of two, whose rows were merged part by part."""
    times = [one.newest for one in (first, second) if one.newest is not None]
    both = hashlib.blake2b(f"{first.fingerprint}{second.fingerprint}".encode(), digest_size=16)
    return replace(
        first,
        parts=list(parts),
        user_counts=first.user_counts + second.user_counts,
        item_counts=first.item_counts + second.item_counts,
        total=first.total + second.total,
        fingerprint=both.hexdigest(),
        newest=max(times, default=None),
    )


def audit_of_counts(train: Any, valid: Any, test: Any, found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Put the audit of a split together: from counts of users and items, and from what it found part by part.

    ``older_than_history`` is left out: it takes another look at the parts, once the newest rating of all is known.
    """
    numbers: dict[str, float] = {"ratings_aside": sum(one["ratings_aside"] for one in found)}
    for name, part in (("train", train), ("valid", valid), ("test", test)):
        numbers[f"ratings_{name}"] = float(len(part))
        numbers[f"users_{name}"] = float(np.count_nonzero(part.user_counts))
        numbers[f"items_{name}"] = float(np.count_nonzero(part.item_counts))
        numbers[f"duplicate_pairs_{name}"] = sum(one[f"duplicate_pairs_{name}"] for one in found)
    for name, part, history in (("valid", valid, (train,)), ("test", test, (train, valid))):
        for what in ("user", "item"):
            counts = getattr(part, f"{what}_counts")
            cold = np.sum([getattr(one, f"{what}_counts") for one in history], axis=0) == 0
            numbers[f"{name}_cold_{what}s"] = float(np.count_nonzero(counts[cold]))
            numbers[f"{name}_cold_{what}_ratings"] = float(counts[cold].sum())
            if len(part):
                numbers[f"{name}_cold_{what}_share"] = float(counts[cold].sum()) / len(part)
        numbers[f"{name}_pairs_in_history"] = sum(one[f"{name}_pairs_in_history"] for one in found)
        key = f"{name}_older_than_user_history"
        if part.timed and len(part):
            older = sum(round(one[key] * one[f"ratings_{name}"]) for one in found if key in one)
            numbers[key] = older / len(part)
    return numbers
