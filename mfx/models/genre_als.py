"""ALS whose item factors are pulled towards their genres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mfx.errors import ModelError
from mfx.interfaces import DoubleArray, Features, FloatArray, PointerArray, Ratings
from mfx.models.als import ALS
from mfx.registry import register
from mfx.settings import setting, tunable

if TYPE_CHECKING:
    from mfx.solver.layout import SparseRows
    from mfx.solver.least_squares import Prior

_MAX_MAP = 4096
"""Unknowns of the genre map up to which its dense system is solved: 134 MB of float64."""


@register("model", "genre_als")
@dataclass(kw_only=True)
class GenreALS(ALS):
    """ALS whose item factors are pulled towards their genres, so that items with few ratings have somewhere to start.

    Adds ``genre_weight sum_i |v_i - W^T g_i|^2 + genre_reg |W|^2`` to the objective of `ALS`; g_i is the item's genre
    vector (Fokam, eq. 12) and the map W is learnt with the factors. Items without ratings take the centre of their
    genres, shrunk. Both ways to update W are exact and the objective falls at every step.

    Parameters
    ----------
    genre_weight : float
        Strength of the pull (tau in Fokam's report).
    genre_reg : float
        Penalty of W.
    pooling : {"mean", "sum"}
        Whether an item's genres are averaged or added up.
    genre_update : {"ratings", "factors"}
        Update W through the ratings, deviations from the genres held fixed (evidence enters through the data), or
        from the factors alone (every item counts alike, however few ratings it has; the reports' way).

    Other settings are those of `ALS`.
    """

    reg: float = tunable(3.0, low=0.5, high=30.0, log=True, ge=0.0)
    genre_weight: float = tunable(60.0, low=1.0, high=1000.0, log=True, gt=0.0)
    genre_reg: float = setting(1.0, gt=0.0)
    pooling: str = setting("mean", choices=("mean", "sum"))
    genre_update: str = setting("ratings", choices=("ratings", "factors"))

    state_names: ClassVar[tuple[str, ...]] = (*ALS.state_names, "genre_map_")

    def start(self, train: Ratings) -> None:
        """Set the tables and the map before the first epoch."""
        from mfx.solver.least_squares import Profiles

        genres = self._genres()
        if len(genres.names) * self.factors > _MAX_MAP and self.genre_update == "ratings":
            raise ModelError(
                f"genre_als: {len(genres.names)} genres times {self.factors} factors is more than {_MAX_MAP} unknowns.",
                "Use model.genre_update=factors, or fewer factors.",
            )
        super().start(train)
        self.genre_map_: DoubleArray = np.zeros((len(genres.names), self.factors))
        self._pooled = self.pooled(genres)
        self._profiles = Profiles.from_dense(self._pooled)

    def update_items(self, by_item: SparseRows) -> Mapping[str, float]:
        """Replace the item table by its minimiser given users and map, then the map by one of its two minimisers.

        Returns
        -------
        dict
            The objective after either step.
        """
        from mfx.solver.feature_map import fit_to_rows, step_through_ratings
        from mfx.solver.least_squares import solve_rows, solve_rows_and_accumulate

        ridge, prior = self.item_ridge(), self._prior()
        before = self.genre_map_
        if self.genre_update == "factors":
            minima = solve_rows(by_item, self.user_table_, self.item_table_, ridge, offset=self.offset_, prior=prior)
            pulled = self._pull_penalty(before)
            self.genre_map_ = fit_to_rows(
                self._pooled, self.item_factors_.astype(np.float64), pull=self.genre_weight, map_ridge=self.genre_reg
            )
            gain = pulled - self._pull_penalty(self.genre_map_)
        else:
            minima, curvature = solve_rows_and_accumulate(
                by_item, self.user_table_, self.item_table_, ridge, self._profiles, offset=self.offset_, prior=prior
            )
            deviations = self.item_factors_ - self._pooled @ before
            scale = np.maximum(by_item.counts, 1) if self.per_count else np.ones(by_item.n_rows)
            self.genre_map_ = step_through_ratings(
                before,
                self._pooled,
                deviations,
                curvature,
                row_ridge=ridge.factors * scale.astype(np.float64),
                pull=self.genre_weight,
                map_ridge=self.genre_reg,
            )
            self.item_factors_[:] = self._pooled @ self.genre_map_ + deviations
            # The objective is quadratic in the map: its exact step gains half the steepest descent times the step.
            descent = self.genre_weight * (self._pooled.T @ deviations) - self.genre_reg * before
            gain = float(np.sum(descent * (self.genre_map_ - before)))
        # Each minimum holds the pull of its row already.
        after_items = float(minima.sum()) + self.user_penalty() + self.genre_reg * float(np.square(before).sum())
        return {"objective_after_items": after_items, "objective_after_genres": after_items - gain}

    def _pull_penalty(self, genre_map: DoubleArray) -> float:
        """Return the part of the objective that concerns this map."""
        deviations = self.item_factors_ - self._pooled @ genre_map
        return self.genre_weight * float(np.square(deviations).sum()) + self.genre_reg * float(
            np.square(genre_map).sum()
        )

    def item_penalty(self, counts: PointerArray) -> float:
        """Return the part of the objective that concerns items and the map alone."""
        return super().item_penalty(counts) + self._pull_penalty(self.genre_map_)

    def predict_new_items(self, user_ids: ArrayLike, genres: Sequence[Sequence[str]]) -> FloatArray:
        """Predict ratings of items that are known by their genres only.

        Parameters
        ----------
        user_ids : array-like of raw ids, shape (n,)
            Who would rate.
        genres : sequence of sequences of str, length m
            Genre names of each new item.

        Returns
        -------
        float32 array, shape (n, m)
            Predicted ratings, on the rating scale.

        Raises
        ------
        ModelError
            If the model is not fitted, or a user or genre is unknown.
        """
        from mfx.solver.scores import score_rows

        users = self.known_users(user_ids)
        table = np.zeros((len(genres), self.factors + 1), dtype=np.float32)
        for row, names in zip(table, genres, strict=True):
            row[:-1] = self.new_item_parts(sorted(set(names))).sum(axis=0)
        scores = score_rows(self.user_table_[users], table, self.offset_)
        return self.clipped(scores) if self.clip else scores

    def new_item_parts(self, genres: Sequence[str]) -> DoubleArray:
        """Return what each genre gives to the factors of an item known by its genres only; their sum is the row.

        Parameters
        ----------
        genres : sequence of str
            Names, each once.

        Returns
        -------
        float64 array, shape (len(genres), factors)
            The minimiser of the penalty of a row without ratings, genre by genre.

        Raises
        ------
        ModelError
            If the model is not fitted, or a genre is unknown.
        """
        self._check_fitted()
        known = self._genres().names
        unknown = sorted(set(genres) - set(known))
        if unknown:
            raise ModelError(f"Unknown genres: {', '.join(unknown)}.", f"Known: {', '.join(known)}.")
        # Per-count penalties count as one rating.
        shrink = self.genre_weight / (self.genre_weight + self.item_ridge().factors)
        weight = 1.0 / max(len(genres), 1) if self.pooling == "mean" else 1.0
        parts: DoubleArray = shrink * weight * self.genre_map_[[known.index(name) for name in genres]]
        return parts

    def pooled(self, genres: Features) -> DoubleArray:
        """Return genre vectors summed or averaged as `pooling` says; float64, shape (rows, genres)."""
        dense = genres.dense().astype(np.float64)
        if self.pooling == "mean":
            dense /= np.maximum(dense.sum(axis=1, keepdims=True), 1.0)
        return dense

    def _genres(self) -> Features:
        genres = self.catalogue_.item_features.get("genres")
        if genres is None or not genres.names:
            raise ModelError("genre_als needs the genres of items, and this data set has none.", "Use model=als.")
        return genres

    def _prior(self) -> Prior:
        from mfx.solver.least_squares import Prior

        centres = np.zeros_like(self.item_table_)
        centres[:, :-1] = self._pooled @ self.genre_map_
        weights = np.full(self.factors + 1, self.genre_weight, dtype=np.float32)
        weights[-1] = 0.0
        return Prior(centres, weights)
