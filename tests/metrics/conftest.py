from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from mfx.interfaces import Catalogue, Ratings, RatingScale


@dataclass
class Table:
    """A model whose scores are a given table, counting how often each user is scored."""

    scores: np.ndarray[Any, Any]
    scored: list[int]
    predicts: ClassVar[Any] = "ratings"
    objective: ClassVar[str] = "rmse"

    def fit(self, train: Ratings, *, on_epoch: Any = None) -> Table:
        return self

    def score_users(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.scored += users.tolist()
        return self.scores[users].astype(np.float32)

    def score_pairs(self, users: np.ndarray[Any, Any], items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self.scores[users, items].astype(np.float32)


@dataclass
class Ranker(Table):
    """The same, but its scores are not on the rating scale."""

    predicts: ClassVar[Any] = "ranking"


@dataclass
class World:
    """Small train and test parts with a table of scores."""

    seen: Ratings
    held_out: Ratings
    scores: np.ndarray[Any, Any]

    def model(self, scores: np.ndarray[Any, Any] | None = None) -> Table:
        return Table(self.scores if scores is None else scores, [])


def make_ratings(rows: list[tuple[int, int, float]], users: int, items: int) -> Ratings:
    catalogue = Catalogue(np.arange(users), np.arange(items))
    columns = [np.array([row[c] for row in rows], dtype=t) for c, t in ((0, int), (1, int), (2, float))]
    return Ratings.from_columns(*columns, catalogue=catalogue, scale=RatingScale(1, 5))


@pytest.fixture(scope="session")
def make() -> Callable[..., Ratings]:
    return make_ratings


@pytest.fixture(scope="session")
def world() -> World:
    """40 users, 60 items, a third seen, a sixth held out (nothing of the last three users); no equal scores."""
    rng = np.random.default_rng(5)
    users, items = 40, 60
    fate = rng.choice(3, size=(users, items), p=[0.5, 0.33, 0.17])
    stars = rng.integers(1, 6, size=(users, items)).astype(float)
    fate[-3:][fate[-3:] == 2] = 0
    parts = [
        make_ratings([(u, i, stars[u, i]) for u in range(users) for i in range(items) if fate[u, i] == p], users, items)
        for p in (1, 2)
    ]
    scores = rng.permutation(users * items).reshape(users, items) / 480.0 + stars / 8
    order = np.argsort(np.argsort(scores, axis=None)).reshape(users, items) / 480.0
    return World(parts[0], parts[1], order)


@pytest.fixture(scope="session")
def ranker() -> type[Ranker]:
    return Ranker
