"""ALS whose rows are pulled towards what is known of them beside the ratings, genres above all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mfx.errors import ModelError, SettingError
from mfx.interfaces import AnyArray, BoolArray, Catalogue, DoubleArray, FloatArray, PointerArray, Ratings, RatingScale
from mfx.models.als import ALS
from mfx.models.least_squares import LARGEST_PENALTY
from mfx.models.lists import Seen
from mfx.models.side_information import CONSTANT, COUNT, SideInformation, gather, label
from mfx.registry import register
from mfx.settings import setting, tunable

if TYPE_CHECKING:
    from mfx.solver.layout import SparseRows
    from mfx.solver.least_squares import Prior, Ridge

_PER_RATING = 0.3
"""Default of `bias_reg_per_rating` without the feature `count`: python tests/bench/side_information.py --optimum."""
_MAX_UNKNOWNS = 4096
"""Unknowns of a map up to which its dense system is solved: 134 MB of float64."""


@register("model", "genre_als")
@dataclass(kw_only=True)
class GenreALS(ALS):
    """ALS whose rows are pulled towards what is known of them, so that items with few ratings have somewhere to start.

    Adds ``genre_weight sum_i |v_i - W^T g_i|^2 + genre_reg |W|^2`` to the objective of `ALS`; g_i holds the item's
    features, its genres among them (Fokam, eq. 12), and the map W is learnt with the factors. With `feature_bias` W has
    a column for the item biases too, and ``bias_reg`` then weighs their distance from what W says in place of their
    size. Users are pulled alike, with `reg` and `bias_reg`, towards a map of their features. Items without ratings take
    the centre of their features, shrunk. All updates of the maps are exact and the objective falls at every step.

    Parameters
    ----------
    genre_weight : float
        Strength of the pull on item factors (tau in Fokam's report).
    genre_reg : float
        Penalty of W and of the users' map.
    item_features : list of str, optional
        Blocks of features: those of the data set (``genres``, ``year``; ``tags``, but not under splits by time),
        ``constant`` and ``count``, the logarithm of the number of ratings. By default constant, genres, year where the
        data set has it, and count.
    user_features : list of str
        The same of users, ``gender`` or ``age`` for example. By default none: users are pulled to zero, as in `ALS`.
    feature_bias : bool
        Whether biases are pulled too, or factors alone (the reports' way).
    bias_reg_per_rating : float, optional
        What each rating of an item adds to the prior weight of its bias: that of an item with n_i ratings is ``bias_reg
        + bias_reg_per_rating n_i``. By default 0.3 without the feature `count`, and 0 with it.
        At 0 the optimum fits the map to the biases of all items alike, most of which are rated seldom and low, though
        what people rate is mostly rated often: where nothing but the genres is known, items without ratings are
        predicted too low, the more so the longer the fit, up to worse than by `Bias`. Above 0 items count in the map
        the more the oftener they are rated, and the optimum is better than what stopping early finds at 0. Items with
        ratings are predicted a little worse (rmse on movielens_demo by up to .004).
    min_rows : int
        Features that fewer rated items or users have are left out.
    unrated : float
        What `count` says of items without ratings: from 0, that they are rated as often as what people come across, to
        1, that they are rated as seldom as items with one rating. New items want 0, items that nobody happened to rate
        want 1, and no model can tell them apart; the default is a compromise.
    pooling : {"mean", "sum"}
        Whether the features of a block are averaged or added up.
    genre_update : {"ratings", "factors"}
        Update W through the ratings, deviations from the centres held fixed (evidence enters through the data), or
        from the rows alone (every item counts alike, however few ratings it has; the reports' way).

    Other settings are those of `ALS`. An update of W through the ratings needs the items solved, so that steps of
    conjugate gradients (`solver`) are for the users alone then.
    """

    factors: int = tunable(13, low=4, high=64, log=True, ge=1)
    reg: float = tunable(3.0, low=0.5, high=30.0, log=True, ge=0.0, le=LARGEST_PENALTY)
    bias_reg: float = tunable(4.0, low=0.3, high=30.0, log=True, ge=0.0, le=LARGEST_PENALTY)
    genre_weight: float = tunable(90.0, low=1.0, high=1000.0, log=True, gt=0.0, le=LARGEST_PENALTY)
    genre_reg: float = setting(1.0, gt=0.0, le=LARGEST_PENALTY)
    item_features: list[str] | None = setting(None)
    user_features: list[str] = setting([])
    feature_bias: bool = setting(True)
    bias_reg_per_rating: float | None = setting(None, ge=0.0, le=LARGEST_PENALTY)
    min_rows: int = setting(1, ge=1)
    unrated: float = tunable(0.2, low=0.0, high=1.0, ge=0.0, le=1.0)
    pooling: str = setting("mean", choices=("mean", "sum"))
    genre_update: str = setting("ratings", choices=("ratings", "factors"))

    rows_elsewhere: ClassVar[bool] = True
    state_names: ClassVar[tuple[str, ...]] = (*ALS.state_names, "item_map_", "user_map_")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.item_features is not None and not self.item_features:
            raise SettingError("GenreALS.item_features is empty.", "Name some features, or use model=als.")
        if self.bias_reg_per_rating and not self.feature_bias:
            raise SettingError(
                "GenreALS.bias_reg_per_rating is a pull of biases, and feature_bias=false leaves them alone.",
                "Set feature_bias=true, or leave bias_reg_per_rating out.",
            )
        if self.per_count and (self.feature_bias or self.user_features):
            raise SettingError(
                "GenreALS.per_count=true scales penalties by row, and pulls of biases and users have no such scale.",
                "Set feature_bias=false and user_features=[] too.",
            )

    def set_context(self, catalogue: Catalogue, scale: RatingScale, seen: Seen) -> None:
        """Take what the model knows of its train ratings beside the fitted arrays, and gather the features."""
        super().set_context(catalogue, scale, seen)
        rules: dict[str, Any] = {"pooling": self.pooling, "min_rows": self.min_rows, "unrated": self.unrated}
        users = gather(self.user_features, catalogue.user_features, np.diff(seen.indptr), **rules)
        items = gather(self._item_blocks(), catalogue.item_features, seen.item_counts, **rules)
        for what, side, wanted in (("items", items, True), ("users", users, bool(self.user_features))):
            if wanted and not side.n_features:
                raise ModelError(
                    f"genre_als: no feature is left that {self.min_rows} of the rated {what} have.",
                    "Lower model.min_rows.",
                )
        self.item_side: SideInformation = items
        self.user_side: SideInformation = users

    def _item_blocks(self) -> list[str]:
        if self.item_features is not None:
            return self.item_features
        known = self.catalogue_.item_features
        if "genres" not in known or not known["genres"].names:
            raise ModelError(
                "genre_als needs the genres of items, and this data set has none.",
                "Use model=als, or name the features to use: model.item_features=[constant,count].",
            )
        return [CONSTANT, "genres", *(["year"] if "year" in known else []), COUNT]

    def start(self, train: Ratings) -> None:
        """Set the tables and the maps before the first epoch."""
        from mfx.solver.least_squares import Profiles

        super().start(train)
        columns = self.factors + self.feature_bias
        self.item_map_: DoubleArray = np.zeros((self.item_side.n_features, columns))
        self.user_map_: DoubleArray = np.zeros((self.user_side.n_features, columns))
        through_ratings = self.genre_update == "ratings"
        for what, unknowns in (
            ("features of items times columns", self.item_map_.size if through_ratings else len(self.item_map_)),
            ("features of users", len(self.user_map_)),
        ):
            if unknowns > _MAX_UNKNOWNS:
                raise ModelError(
                    f"genre_als: {unknowns} {what} are more unknowns than the {_MAX_UNKNOWNS} that it solves for.",
                    "Raise model.min_rows, or use model.genre_update=factors, fewer factors or fewer features.",
                )
        scales = np.maximum(train.item_counts, 1).astype(np.float64) if self.per_count and through_ratings else None
        self._item_overlap = self.item_side.overlap(scales)
        self._user_overlap = self.user_side.overlap()
        if through_ratings:
            self._profiles = Profiles.of(self.item_side.matrix, self.item_side.own)

    def update_items(self, by_item: SparseRows) -> Mapping[str, float]:
        """Replace the items by their minimiser given users and maps, then the item map, then the users' map.

        Returns
        -------
        dict
            The objective after each step.
        """
        update = self._step_through_ratings if self.genre_update == "ratings" else self._fit_to_items
        minima, gain = update(by_item)
        gain += self._move_unrated(by_item.counts == 0)
        # Each minimum holds the pull of its row already.
        objective = minima + self.user_penalty() + self.genre_reg * _squares(self.user_map_)
        told = {"objective_after_items": objective, "objective_after_genres": objective - gain}
        if self.user_features:
            told["objective_after_user_features"] = objective - gain - self._fit_to_users()
        return told

    def _step_through_ratings(self, by_item: SparseRows) -> tuple[float, float]:
        """Update the items, then their map through the ratings.

        Returns
        -------
        float
            The part of the objective that concerns items, after the first step.
        float
            By how much the second lowered it.
        """
        from mfx.solver.feature_map import step_through_ratings
        from mfx.solver.least_squares import solve_rows_and_accumulate

        ridge, features = self.item_ridge(), self.item_side.matrix
        pull = self._item_pull(by_item.counts)
        before, n_columns = self.item_map_, self.item_map_.shape[1]
        centres = features @ before
        minima, curvature = solve_rows_and_accumulate(
            by_item,
            self.user_table_,
            self.item_table_,
            ridge,
            self._profiles,
            offset=self.offset_,
            prior=self._prior(centres, pull),
        )
        deviations = self.item_table_[:, :n_columns] - centres
        descent = features.T @ (pull[..., :n_columns] * deviations) - self.genre_reg * before
        step = step_through_ratings(
            descent,
            curvature,
            self._item_overlap,
            ridge=ridge.weights(self.factors)[:n_columns].astype(np.float64),
            map_ridge=self.genre_reg,
        )
        self.item_map_ = before + step
        self.item_table_[:, :n_columns] += features @ step
        return float(minima.sum()) + self.genre_reg * _squares(before), float(np.sum(descent * step))

    def _fit_to_items(self, by_item: SparseRows) -> tuple[float, float]:
        """Update the items, then their map from them alone; return what `_step_through_ratings` returns."""
        side, pull, before = self.item_side, self._item_pull(by_item.counts), self.item_map_
        prior = self._prior(side.matrix @ before, pull)
        minima = self.update_rows(by_item, self.user_table_, self.item_table_, self.item_ridge(), prior)
        self.item_map_, gain = self._fit_map(side, self._item_overlap, self.item_table_, before, pull)
        return float(minima.sum()) + self.genre_reg * _squares(before), gain

    def _move_unrated(self, unrated: BoolArray) -> float:
        """Move items without ratings to the minimiser of their penalty at the new map.

        They were solved at the map before, as all items were; but nothing except the map says where they are.

        Returns
        -------
        float
            By how much that lowers the objective.
        """
        rows = self._penalty_minimiser(self.item_side.matrix[unrated] @ self.item_map_)
        far = self.item_table_[unrated] - rows
        self.item_table_[unrated] = rows
        return float((self._item_pull() + self.item_ridge().weights(self.factors)) @ np.square(far).sum(axis=0))

    def _penalty_minimiser(self, centres: DoubleArray) -> DoubleArray:
        """Return the rows of items without ratings around these centres, which may lack the bias.

        Returns
        -------
        float64 array, shape (rows, factors + 1)
            The centres, shrunk by the ridge.
        """
        # Per-count penalties count as one rating.
        pull, ridge = self._item_pull(), self.item_ridge().weights(self.factors)
        total = pull + ridge
        shrink = np.divide(pull, total, out=np.zeros_like(pull), where=total > 0.0)
        rows = np.zeros((len(centres), self.factors + 1))
        rows[:, : centres.shape[1]] = shrink[: centres.shape[1]] * centres
        return rows

    def _fit_to_users(self) -> float:
        """Fit the users' map to the users; return by how much that lowered the objective."""
        side, overlap = self.user_side, self._user_overlap
        self.user_map_, gain = self._fit_map(side, overlap, self.user_table_, self.user_map_, self._user_pull())
        return gain

    def _fit_map(
        self, side: SideInformation, overlap: DoubleArray, table: FloatArray, before: DoubleArray, pull: DoubleArray
    ) -> tuple[DoubleArray, float]:
        """Return the best map given the rows, and by how much it lowers the objective."""
        from mfx.solver.feature_map import fit_to_rows

        rows, features, ridge = table[:, : before.shape[1]].astype(np.float64), side.matrix, self.genre_reg
        if pull.ndim == 1:
            found = fit_to_rows(overlap, features.T @ rows, pull=pull[: before.shape[1]], map_ridge=ridge)
        else:  # the bias has a weight in each row
            factors, biases, weights = rows[:, :-1], rows[:, -1:], pull[:, -1:]
            of_factors = fit_to_rows(overlap, features.T @ factors, pull=pull[0, :-1], map_ridge=ridge)
            weighted = side.overlap(weights[:, 0]), features.T @ (weights * biases)
            found = np.hstack([of_factors, fit_to_rows(*weighted, pull=np.ones(1), map_ridge=ridge)])
        old, new = (
            _distance(rows, side, weights_of_map, pull) + ridge * _squares(weights_of_map)
            for weights_of_map in (before, found)
        )
        return found, old - new

    def user_ridge(self, *, with_bias: bool = True) -> Ridge:
        """Return the penalty of the users' size: none where they are pulled to a centre instead."""
        ridge = super().user_ridge(with_bias=with_bias)
        if not self.user_features:
            return ridge
        return replace(ridge, factors=0.0, bias=0.0 if self.feature_bias else ridge.bias)

    def item_ridge(self) -> Ridge:
        """Return the penalty of the items' size: of the factors, and of the biases unless these are pulled."""
        ridge = super().item_ridge()
        return replace(ridge, bias=0.0) if self.feature_bias else ridge

    def _item_pull(self, counts: PointerArray | None = None) -> DoubleArray:
        """Return the strength of the pull in each column of the item table, by default that of items without ratings.

        Returns
        -------
        float64 array, shape (factors + 1,) or (items, factors + 1)
            Row by row only if it differs from item to item.
        """
        pull = np.append(np.full(self.factors, self.genre_weight), self.bias_reg if self.feature_bias else 0.0)
        per_rating = self.bias_reg_per_rating
        if per_rating is None:
            per_rating = _PER_RATING if self.feature_bias and COUNT not in self.item_side.columns else 0.0
        if counts is None or not per_rating:
            return pull
        pulls = np.tile(pull, (len(counts), 1))
        pulls[:, -1] += per_rating * counts
        return pulls

    def _user_pull(self) -> DoubleArray:
        """Return the strength of the pull in each column of the user table."""
        ridge = super().user_ridge()
        return np.append(np.full(self.factors, ridge.factors), self.bias_reg if self.feature_bias else 0.0)

    def _prior(self, centres: DoubleArray, pull: DoubleArray) -> Prior:
        """Return the pull towards these centres, which may lack the bias."""
        from mfx.solver.least_squares import Prior

        full = np.zeros((len(centres), self.factors + 1), dtype=np.float32)
        full[:, : centres.shape[1]] = centres
        return Prior(full, pull.astype(np.float32))

    def user_prior(self) -> Prior | None:
        """Return where the users are pulled; None without features of users."""
        if not self.user_features:
            return None
        return self._prior(self.user_side.matrix @ self.user_map_, self._user_pull())

    def new_user_prior(self, n_ratings: int, known: Mapping[str, Sequence[str]], *, with_bias: bool) -> Prior | None:
        """Return where a new user is pulled, of whom `known` says the features by block."""
        from scipy import sparse

        if not self.user_features:
            return super().new_user_prior(n_ratings, known, with_bias=with_bias)
        row = self.user_side.of_new_row(known, n_ratings, pooling=self.pooling)
        pull = self._user_pull()
        pull[-1] *= with_bias
        # Sparse like the stored rows, so that the sums are those of a stored row bit for bit.
        centre: DoubleArray = np.asarray(sparse.csr_array(row[None]) @ self.user_map_)
        return self._prior(centre, pull)

    def user_penalty(self) -> float:
        """Return the part of the objective that each user's own minimum holds."""
        own = super().user_penalty()
        if not self.user_features:
            return own
        return own + _distance(self.user_table_, self.user_side, self.user_map_, self._user_pull())

    def item_penalty(self, counts: PointerArray) -> float:
        """Return the part of the objective that concerns items and the maps alone."""
        own = super().item_penalty(counts) + self._item_pull_penalty(counts)
        return own + self.genre_reg * _squares(self.user_map_)

    def _item_pull_penalty(self, counts: PointerArray) -> float:
        """Return the part of the objective that concerns the item map."""
        far = _distance(self.item_table_, self.item_side, self.item_map_, self._item_pull(counts))
        return far + self.genre_reg * _squares(self.item_map_)

    def predict_new_items(self, user_ids: ArrayLike, features: Sequence[Mapping[str, Sequence[str]]]) -> FloatArray:
        """Predict ratings of items that are known by their features only.

        Parameters
        ----------
        user_ids : array-like of raw ids, shape (n,)
            Who would rate.
        features : sequence of mappings of str to sequence of str, length m
            Feature names of each new item by block, such as ``{"genres": ["Comedy", "Drama"]}``.

        Returns
        -------
        float32 array, shape (n, m)
            Predicted ratings, on the rating scale.

        Raises
        ------
        ModelError
            If the model is not fitted, or a user, a block or a feature is unknown.
        """
        table = np.zeros((len(features), self.factors + 1), dtype=np.float32)
        for row, known in zip(table, features, strict=True):
            row[:] = self.new_item_parts(known)[1].sum(axis=0)
        return self.predict_rows(user_ids, table)

    def new_item_parts(self, known: Mapping[str, Sequence[str]]) -> tuple[list[str], DoubleArray]:
        """Return what each feature gives to the row of an item without ratings; their sum is the row.

        Parameters
        ----------
        known : mapping of str to sequence of str
            Feature names by block.

        Returns
        -------
        names : list of str
            The item's features, such as ``genres: Comedy``, and ``constant`` for what every item has.
        parts : float64 array, shape (len(names), factors + 1)
            The minimiser of the penalty of a row without ratings, feature by feature.

        Raises
        ------
        ModelError
            If the model is not fitted, or a block or a feature is unknown.
        """
        self._check_fitted()
        side = self.item_side
        row = side.of_new_row(known, pooling=self.pooling)
        chosen = np.flatnonzero(row)
        return [side.names[j] for j in chosen], self._penalty_minimiser(row[chosen, None] * self.item_map_[chosen])

    @property
    def genre_map_(self) -> DoubleArray:
        """Rows of the item map that belong to the genres of the data set, without the bias.

        float64, shape (genres, factors); zero for genres that `min_rows` left out.

        Raises
        ------
        ModelError
            If the model was fitted without genres.
        """
        self._check_fitted()
        side = self.item_side
        if "genres" not in side.columns:
            raise ModelError("This genre_als was fitted without genres.", "Name them in model.item_features.")
        place = {name: row for row, name in enumerate(side.names)}
        found = np.zeros((len(self.catalogue_.item_features["genres"].names), self.factors))
        for row, name in zip(found, self.catalogue_.item_features["genres"].names, strict=True):
            if (at := place.get(label("genres", name))) is not None:
                row[:] = self.item_map_[at, : self.factors]
        return found


def _squares(weights: DoubleArray) -> float:
    return float(np.square(weights).sum())


def _distance(table: AnyArray, side: SideInformation, feature_map: DoubleArray, pull: DoubleArray) -> float:
    """Return ``sum_ij pull_ij (v_ij - g_i . W_j)^2`` over the columns j of W."""
    n_columns = feature_map.shape[1]
    far = table[:, :n_columns] - side.matrix @ feature_map
    return float(np.sum(pull[..., :n_columns] * np.square(far)))
