"""What an evaluation hands to metrics: one outcome per kind of need, for all users at once.

In all of them ``users`` are the user indices that were evaluated, in increasing order, and "user r" is ``users[r]``.
With sampled candidates (`mfx.metrics.sampled`) lists and ranks have a row for each relevant item instead, so that a
user stands in ``users`` as often as there are items to find; metrics of relevance need not care.
"""

from __future__ import annotations

from dataclasses import dataclass

from mfx.interfaces import BoolArray, FloatArray, IndexArray, PointerArray, Ratings
from mfx.metrics.settings import EvaluationSettings


@dataclass(frozen=True, eq=False)
class RatingOutcome:
    """Predicted and true ratings, for metrics that need ``"ratings"``.

    Attributes
    ----------
    users : int32 array, shape (users,)
    indptr : int64 array, shape (users + 1,)
        User r owns rows ``indptr[r]:indptr[r + 1]``.
    predicted, actual : float32 arrays, shape (n,)
        On the rating scale.
    settings : EvaluationSettings
    """

    users: IndexArray
    indptr: PointerArray
    predicted: FloatArray
    actual: FloatArray
    settings: EvaluationSettings


@dataclass(frozen=True, eq=False)
class Relevant:
    """The relevant held-out items of each evaluated user, in CSR layout.

    Attributes
    ----------
    indptr : int64 array, shape (users + 1,)
        User r owns rows ``indptr[r]:indptr[r + 1]``.
    items : int32 array, shape (n,)
        Distinct and increasing within a user.
    values : float32 array, shape (n,)
        Their held-out ratings; of repeated ones the latest.
    """

    indptr: PointerArray
    items: IndexArray
    values: FloatArray

    @property
    def counts(self) -> PointerArray:
        """Relevant items of each user, int64, shape (users,)."""
        found: PointerArray = self.indptr[1:] - self.indptr[:-1]
        return found


@dataclass(frozen=True, eq=False)
class ListOutcome:
    """The top of each user's list, for metrics that need ``"lists"``.

    Attributes
    ----------
    users : int32 array, shape (users,)
    items : int32 array, shape (users, depth)
        Best first; -1 where a user has no candidates left. The depth is the largest k asked for, or the number of
        items if that is smaller; a metric @k looks at the first k columns.
    hits : bool array, shape (users, depth)
        Whether the item at this place is relevant.
    ratings : float32 array, shape (users, depth)
        Held-out rating of the item at this place where it is relevant, else 0.
    relevant : Relevant
        Everything there was to find.
    seen : Ratings
        What was masked: train, or train and valid.
    settings : EvaluationSettings
    """

    users: IndexArray
    items: IndexArray
    hits: BoolArray
    ratings: FloatArray
    relevant: Relevant
    seen: Ratings
    settings: EvaluationSettings


@dataclass(frozen=True, eq=False)
class RankOutcome:
    """The place of every relevant item among all candidates, for metrics that need ``"ranks"``.

    Attributes
    ----------
    users : int32 array, shape (users,)
    relevant : Relevant
        The items asked about.
    above, tied : int64 arrays, shape (n,)
        For each row of `relevant`: candidates of the user with a higher score, and others with the same score. An
        item that is no candidate has all candidates above and none tied.
    candidates : int64 array, shape (users,)
        Items that could be recommended to the user.
    settings : EvaluationSettings
    """

    users: IndexArray
    relevant: Relevant
    above: PointerArray
    tied: PointerArray
    candidates: PointerArray
    settings: EvaluationSettings
