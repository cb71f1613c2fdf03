"""A data set that is read piece by piece, so that `mfx data partition` need not hold it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import mfx


@mfx.register("dataset", "crowd")
@dataclass(kw_only=True)
class Crowd(mfx.Component):
    """People rate twelve of thirty things each, as their own lot has it.

    Parameters
    ----------
    people : int
        Number of users.
    seed : int
        Seed of everything.
    """

    people: int = mfx.setting(60, ge=2)
    seed: int = mfx.setting(1, ge=0)

    def load(self) -> mfx.Ratings:
        """Draw all ratings."""
        users, items, stars = (np.concatenate(column) for column in zip(*self._drawn(), strict=True))
        return mfx.Ratings.from_columns(users, items, stars, scale=mfx.RatingScale(1.0, 5.0), name="crowd")

    def read_into(self, sink: mfx.Sink, dropped: dict[str, int]) -> mfx.Origin:
        """Draw the ratings, and hand them on person by person."""
        sink.restart()
        for person, (users, items, stars) in enumerate(self._drawn()):
            who, what = mfx.IdColumn(users), mfx.IdColumn(items)
            sink.add(mfx.RawRatings(who, what, stars, None, first_line=12 * person + 1, unit="rating"))
        return mfx.Origin("the crowd", "crowd", scale=mfx.RatingScale(1.0, 5.0), dropped=dropped)

    def _drawn(self) -> Iterator[tuple[mfx.PointerArray, mfx.PointerArray, mfx.FloatArray]]:
        for person in range(self.people):
            rng = np.random.default_rng([self.seed, person])
            items = rng.choice(30, 12, replace=False)
            yield np.full(12, person), items, rng.integers(1, 6, 12).astype(np.float32)
