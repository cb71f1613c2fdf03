"""Synthetic ratings with planted truth, from a thousand to 32 million."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfx.data.base import CachedDataset
from mfx.data.checks import scale_of
from mfx.errors import SettingError
from mfx.interfaces import (
    AnyArray,
    Catalogue,
    DoubleArray,
    Features,
    FloatArray,
    IndexArray,
    PointerArray,
    Ratings,
    RatingScale,
)
from mfx.registry import register
from mfx.settings import setting

PRESETS = {
    "tiny": (1_000, 40, 60),
    "ml_latest_small": (100_836, 610, 9_742),
    "ml_100k": (100_000, 943, 1_682),
    "ml_1m": (1_000_209, 6_040, 3_883),
    "ml_10m": (10_000_054, 69_878, 10_681),
    "ml_20m": (20_000_263, 138_493, 27_278),
    "ml_25m": (25_000_095, 162_541, 62_423),
    "ml_32m": (32_000_204, 200_948, 87_585),
}
"""Ratings, users and items of each preset; those of MovieLens have the sizes that GroupLens publishes."""

_BEGIN, _SECONDS = 789_652_009, 907_000_000  # 9 January 1995, when MovieLens began, and 28.7 years
_TOP = 60.0  # ranks over which popularity is nearly flat; with it the top item's share is that of MovieLens


@dataclass(frozen=True, eq=False)
class Planted:
    """The truth behind synthetic ratings: r = μ + b_u + b_i + d_i·m + u·v + noise.

    Attributes
    ----------
    mean : float
        μ.
    user_bias, item_bias, item_drift : float32 array, shape (users,), (items,), (items,)
        b_u and b_i; d_i, by which an item's bias changes from the middle of the period to its end.
    user_factors, item_factors : float32 array, shape (users, factors), (items, factors)
        u and v.
    genre_factors : float32 array, shape (genres, factors)
        W: the part of v that genres explain is the mean of the rows of W of the item's genres.
    genres : Features
        Genres of the items.
    popularity : float64 array, shape (items,)
        Probability that a candidate is the item, before taste.
    """

    mean: float
    user_bias: FloatArray
    item_bias: FloatArray
    item_drift: FloatArray
    user_factors: FloatArray
    item_factors: FloatArray
    genre_factors: FloatArray
    genres: Features
    popularity: DoubleArray

    def predict(self, users: IndexArray, items: IndexArray, timestamps: PointerArray) -> FloatArray:
        """Return the ratings without noise and rounding; float32, shape (n,)."""
        from mfx.data.planting import expected

        moments = ((timestamps - _BEGIN) * (2.0 / _SECONDS) - 1.0).astype(np.float32)
        return expected(
            users,
            items,
            moments,
            self.mean,
            self.user_bias,
            self.item_bias,
            self.item_drift,
            self.user_factors,
            self.item_factors,
        )


@register("dataset", "synthetic")
@dataclass(kw_only=True)
class Synthetic(CachedDataset):
    """Ratings made up from planted biases, factors, genres and drift, with heavy tails of users and items.

    Users are active by a lognormal law above their minimum; items are popular by a Zipf-Mandelbrot law, and users
    choose among them by taste, so that lists can be learned too. Every (user, item) pair is distinct, the number of
    ratings exact. `truth` tells what was planted. User and item ids count from 1.

    Raises
    ------
    SettingError
        If a setting is out of range, or so many ratings cannot be distinct or reach the minimum of each user.
    """

    preset: str = setting("ml_100k", choices=tuple(PRESETS))
    """Sizes to imitate: those of MovieLens, or tiny (1,000 ratings)."""
    users: int | None = setting(None, ge=1)
    """Number of users, instead of the preset's."""
    items: int | None = setting(None, ge=2)
    """Number of items, instead of the preset's."""
    ratings: int | None = setting(None, ge=1)
    """Number of ratings, instead of the preset's."""
    min_user_ratings: int = setting(20, ge=0)
    """Ratings that each user has at least."""
    activity_spread: float = setting(1.3, ge=0.0, le=4.0)
    """Standard deviation of the logarithm of a user's ratings above the minimum."""
    popularity_exponent: float = setting(1.1, ge=0.0, le=4.0)
    """Exponent with which popularity falls with the rank of an item; 0 makes all items equally popular."""
    taste: float = setting(2.0, ge=0.0, le=50.0)
    """How strongly taste decides what users rate: they take a candidate with odds exp(taste · u·v)."""
    mean: float = setting(3.5)
    """Mean rating before biases, factors and noise."""
    user_bias_std: float = setting(0.4, ge=0.0)
    """Standard deviation of user biases."""
    item_bias_std: float = setting(0.5, ge=0.0)
    """Standard deviation of item biases."""
    drift_std: float = setting(0.1, ge=0.0)
    """Standard deviation of the change of item biases from the middle of the period to its end."""
    factors: int = setting(8, ge=1, le=1024)
    """Number of planted factors."""
    factor_std: float = setting(0.45, ge=0.0)
    """Standard deviation of u·v over all pairs."""
    genres: int = setting(18, ge=1, le=10_000)
    """Number of genres; each item has one to three of them."""
    genre_share: float = setting(0.5, ge=0.0, le=1.0)
    """Share of the variance of item factors that genres explain."""
    noise_std: float = setting(0.75, ge=0.0)
    """Standard deviation of the noise."""
    step: float = setting(0.5, ge=0.0)
    """Ratings are rounded to multiples of this and clipped to the scale; 0 leaves them as they are."""
    rating_min: float = setting(0.5)
    """Lowest rating, if ratings are rounded."""
    rating_max: float = setting(5.0)
    """Highest rating, if ratings are rounded."""
    seed: int = setting(42, ge=0)
    """Random seed: the same seed and settings give the same ratings."""

    def __post_init__(self) -> None:
        super().__post_init__()
        scale_of("Synthetic", self.rating_min, self.rating_max)
        ratings, users, items = PRESETS[self.preset]
        # Not self.ratings and so on: a logged setting that is null means the preset's.
        self._ratings = self.ratings or ratings
        self._users, self._items = self.users or users, self.items or items
        low, high = self._users * self.min_user_ratings, self._users * self._cap
        if not low <= self._ratings <= high:
            raise SettingError(
                f"Synthetic: {self._users} users of at least {self.min_user_ratings} and at most {self._cap} of "
                f"{self._items} items cannot have {self._ratings} ratings together.",
                f"Choose dataset.ratings between {low} and {high}, or other numbers of users and items.",
            )

    @property
    def _cap(self) -> int:
        """Ratings that a user has at most: half the items, unless the minimum is higher."""
        return max(min(self.min_user_ratings, self._items), self._items // 2)

    @property
    def title(self) -> str:
        """What captions and logs call the data set."""
        changed = any(size is not None for size in (self.users, self.items, self.ratings))
        return f"synthetic_{self._ratings}" if changed else f"synthetic_{self.preset}"

    @property
    def source(self) -> str:
        """The rule."""
        return f"made up by mfx: {self._ratings} ratings of {self._users} users and {self._items} items"

    def identity(self) -> dict[str, Any]:
        """All settings, and the sizes that they come to."""
        settings = {name: value for name, value in self.settings().items() if name != "cache"}
        return {**settings, "sizes": [self._ratings, self._users, self._items]}

    def truth(self) -> Planted:
        """Return what `load` plants."""
        rng = np.random.default_rng([self.seed, 0])

        def normal(rows: int, *columns: int) -> FloatArray:
            return rng.standard_normal((rows, *columns), dtype=np.float32)

        genres = self._plant_genres(rng)
        genre_factors = normal(self.genres, self.factors)
        explained = np.zeros((self._items, self.factors), np.float32)
        rows = np.repeat(np.arange(self._items), np.diff(genres.indptr))
        np.add.at(explained, rows, genre_factors[genres.indices])
        explained /= np.diff(genres.indptr)[:, None].astype(np.float32)
        # One number for all items keeps v linear in the genres; it gives the explained part variance 1.
        unit = np.float32(1.0 / max(float(np.sqrt(np.mean(explained**2))), 1e-12))
        scale = np.float32(np.sqrt(self.factor_std / np.sqrt(self.factors)))
        genre_factors *= unit * np.float32(np.sqrt(self.genre_share)) * scale
        item_factors = explained * unit * np.float32(np.sqrt(self.genre_share)) * scale
        item_factors += normal(self._items, self.factors) * np.float32(np.sqrt(1.0 - self.genre_share)) * scale
        rank = rng.permutation(self._items) + min(_TOP, self._items / 20)
        popularity = (rank + 1.0) ** -self.popularity_exponent
        return Planted(
            mean=self.mean,
            user_bias=normal(self._users) * np.float32(self.user_bias_std),
            item_bias=normal(self._items) * np.float32(self.item_bias_std),
            item_drift=normal(self._items) * np.float32(self.drift_std),
            user_factors=normal(self._users, self.factors) * scale,
            item_factors=item_factors,
            genre_factors=genre_factors,
            genres=genres,
            popularity=popularity / popularity.sum(),
        )

    def read(self, dropped: dict[str, int]) -> Ratings:
        """Draw the ratings."""
        from mfx.data import planting

        truth = self.truth()
        rng = np.random.default_rng([self.seed, 1])
        counts = user_counts(rng, self._ratings, self._users, self.min_user_ratings, self._cap, self.activity_spread)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        pair_key, time_key, noise_key = (int(key) for key in rng.integers(0, 2**62, 3))
        users, items, turn = planting.draw_pairs(
            indptr,
            *planting.alias_table(truth.popularity),
            truth.user_factors,
            truth.item_factors,
            self.taste,
            pair_key,
        )
        timestamps = planting.draw_times(indptr, turn, _BEGIN, _SECONDS, time_key)
        del turn
        values = truth.predict(users, items, timestamps)
        planting.add_noise(values, self.noise_std, self.step, self.rating_min, self.rating_max, noise_key)
        scale = RatingScale(self.rating_min, self.rating_max) if self.step else None  # otherwise nothing bounds them
        catalogue = Catalogue(
            np.arange(1, self._users + 1),
            np.arange(1, self._items + 1),
            np.char.add("Item ", np.arange(1, self._items + 1).astype(np.str_)),
            {"genres": truth.genres},
        )
        return Ratings(users, items, values, timestamps, catalogue, scale, self.title)

    def _plant_genres(self, rng: np.random.Generator) -> Features:
        """Give each item one to three genres, common ones more often."""
        common = 1.0 / (np.arange(self.genres) + 2.0)
        drawn = rng.choice(self.genres, (self._items, 3), p=common / common.sum())
        drawn[rng.random(self._items) < 0.5, 1] = -1
        drawn[rng.random(self._items) < 0.7, 2] = -1
        drawn.sort(axis=1)
        used = drawn >= 0
        used[:, 1:] &= drawn[:, 1:] != drawn[:, :-1]
        width = len(str(self.genres))
        return Features(
            tuple(f"genre {number:0{width}d}" for number in range(1, self.genres + 1)),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(used.sum(axis=1))]),
            drawn[used].astype(np.int32),
        )


def user_counts(
    rng: np.random.Generator, ratings: int, users: int, least: int, most: int, spread: float
) -> PointerArray:
    """Share out ratings among users by a lognormal law.

    Returns
    -------
    int64 array, shape (users,)
        Between `least` and `most` each, `ratings` together.
    """
    weights: AnyArray = np.exp(spread * rng.standard_normal(users))
    counts = np.full(users, least, np.int64)
    left = ratings - least * users
    while left > 0:
        free = most - counts
        weights = np.where(free > 0, weights, 0.0)
        exact = left * weights / weights.sum()
        more = np.minimum(np.floor(exact).astype(np.int64), free)
        if not more.any():
            best = np.argsort(np.where(free > 0, -exact, np.inf), kind="stable")[:left]
            more[best] = free[best] > 0
        counts += more
        left -= int(more.sum())
    return counts
