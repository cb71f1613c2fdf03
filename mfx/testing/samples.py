"""Ratings that contract suites try components on."""

from __future__ import annotations

import numpy as np

from mfx.interfaces import Catalogue, Features, Ratings, RatingScale

GENRES = ("Action", "Comedy", "Drama", "Horror")


def planted_ratings(
    n_users: int = 60,
    n_items: int = 40,
    rank: int = 3,
    noise: float = 0.1,
    density: float = 0.5,
    seed: int = 0,
    *,
    unrated: int = 1,
    silent: int = 0,
) -> Ratings:
    """Make ratings from planted factors that follow the genres of the items; the groups of users mean nothing.

    Parameters
    ----------
    n_users, n_items : int
        Size of the catalogue; user ids count from 100, item ids are even and count from 1000.
    rank : int
        Number of planted factors.
    noise : float
        Standard deviation of the noise on each rating.
    density : float
        Share of pairs that are rated.
    seed : int
        Seed of everything.
    unrated, silent : int
        How many items, and users, have no rating: the last ones.
    """
    rng = np.random.default_rng(seed)
    genres = [list(rng.choice(GENRES, size=rng.integers(1, 3), replace=False)) for _ in range(n_items)]
    features = Features.from_lists([*genres[:-1], list(GENRES[:2])])
    centres = rng.normal(size=(len(features.names), rank))
    items = features.dense() @ centres + 0.3 * rng.normal(size=(n_items, rank))
    users = rng.normal(size=(n_users, rank))
    truth = 3.5 + 0.3 * rng.normal(size=(n_users, 1)) + 0.3 * rng.normal(size=n_items) + 0.4 * users @ items.T
    observed = rng.random((n_users, n_items)) < density
    observed[:, n_items - unrated :] = False
    observed[n_users - silent :] = False
    u, i = np.nonzero(observed)
    catalogue = Catalogue(
        user_ids=np.arange(100, 100 + n_users),
        item_ids=np.arange(1000, 1000 + 2 * n_items, 2),
        titles=np.array([f"Film {n}" for n in range(n_items)]),
        item_features={"genres": features},
        user_features={"group": Features.from_lists([["even", "odd"][n % 2 :][:1] for n in range(n_users)])},
    )
    return Ratings.from_columns(
        catalogue.user_ids[u],
        catalogue.item_ids[i],
        truth[u, i] + noise * rng.normal(size=u.size),
        rng.integers(10**9, 2 * 10**9, size=u.size),
        catalogue=catalogue,
        scale=RatingScale(0.5, 5.0),
        name="planted",
    )
