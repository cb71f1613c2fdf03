"""Bayesian matrix factorisation by Gibbs sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from mfx.errors import ModelError
from mfx.interfaces import Catalogue, DoubleArray, Epoch, FloatArray, IndexArray, OnEpoch, Ratings, RatingScale
from mfx.models.factors import FactorModel
from mfx.models.layouts import layouts
from mfx.models.lists import Seen
from mfx.models.side_information import CONSTANT, COUNT, RATED, Counterparts, SideInformation, gather
from mfx.registry import register
from mfx.settings import setting, tunable

if TYPE_CHECKING:
    from mfx.solver.gibbs import RowPrior
    from mfx.solver.layout import SparseRows

_FOLD_IN = 1
_FOLD_IN_DRAWS = 4
"""Turns between the rows and the weight of a new user's ratings, in each sample."""
_BLOCK = 4096
"""Pairs whose intervals are made at a time."""


@register("model", "bayes_mf")
@dataclass(kw_only=True)
class BayesMF(FactorModel):
    """Matrix factorisation with biases whose predictions are averaged over draws from the posterior.

    Little is to be tuned: the precisions of factors and biases and the noise are drawn with the rows (the model is
    that of `mfx.solver.gibbs`). Rows of both sides are pulled to what a linear map, drawn too, says of their features:
    for items the genres and the year, where the data set has them; for both sides the number of ratings, and what these
    are of, whatever they say: implicit feedback, as in SVD++ but on both sides. How much a block of features says is
    drawn like the rest.

    Every epoch ends with a sample that is kept; from sample to sample what a sweep draws anew is drawn `sweeps` times.
    Of a user's row the mean given all else is kept beside the draw, as its average over the samples is the less noisy
    one.

    A table of this model holds the factors of all samples side by side, so scores are one product of two tables.

    Parameters
    ----------
    factors : int
        Number of latent factors of a sample.
    epochs : int
        Number of samples, `burn_in` among them.
    sweeps : int
        Sweeps over both sides in an epoch.
    burn_in : int
        Samples that are dropped when the next one comes: the start is still to be seen in them.
    user_noise : bool
        Whether the noise of the ratings is each user's own, or one for all.
    item_features, user_features : list of str, optional
        Blocks of features, as in `GenreALS`, and ``rated``: which of the items that are rated most a user has rated, or
        which of the users who rate most have rated an item. By default for items constant, genres and year where the
        data set has them, count and rated; for users constant, count and rated.
    min_rows : int
        Features that fewer rated items or users have are left out.
    unrated : float
        What `count` says of items without ratings; see `GenreALS`.
    clip : bool
        Whether predicted ratings are clipped to the rating scale. Lists are ordered before clipping.
    seed : int
        Seed of all draws.

    Attributes
    ----------
    user_table_, item_table_ : float32 arrays, shape (rows, samples * factors + 1)
        Factors of each sample, the users' divided by the number of samples, then the mean bias.
    user_draws_ : float32 array, shape (users, samples, factors + 1)
        The drawn rows of the users.
    item_biases_ : float32 array, shape (items, samples)
        Biases of the items.
    user_maps_, item_maps_ : float64 arrays, shape (samples, features, factors + 1)
        Maps from features to centres.
    user_precisions_, item_precisions_ : float64 arrays, shape (samples, factors + 1)
        Precision of the rows around their centres.
    user_strengths_, item_strengths_ : float64 arrays, shape (samples, blocks)
        Precision of each block's part of the maps around zero, in units of that of the rows.
    noise_precisions_ : float64 array, shape (samples,)
        Precision of ratings of weight 1.
    user_weights_, user_squared_ : float64 arrays, shape (users,)
        What the precision of a user's ratings is multiplied by, and the sum of their squared errors, in the last
        sample.
    user_noise_ : float64 array, shape (users,)
        Variance of a user's ratings around the predictions, averaged over the samples.
    """

    factors: int = tunable(16, low=4, high=64, log=True, ge=1)
    epochs: int = setting(60, ge=1)
    sweeps: int = setting(5, ge=1)
    burn_in: int = setting(4, ge=0)
    user_noise: bool = setting(True)
    item_features: list[str] | None = setting(None)
    user_features: list[str] | None = setting(None)
    min_rows: int = setting(1, ge=1)
    unrated: float = tunable(0.2, low=0.0, high=1.0, ge=0.0, le=1.0)
    clip: bool = setting(False)
    seed: int = setting(42, ge=0)

    predicts: ClassVar[Literal["ratings", "ranking"]] = "ratings"
    objective: ClassVar[str] = "rmse"
    state_names: ClassVar[tuple[str, ...]] = (
        *FactorModel.state_names,
        "user_draws_",
        "item_biases_",
        "user_maps_",
        "item_maps_",
        "user_precisions_",
        "item_precisions_",
        "user_strengths_",
        "item_strengths_",
        "noise_precisions_",
        "user_weights_",
        "user_squared_",
        "user_noise_",
    )

    @property
    def n_samples(self) -> int:
        """Number of samples that predictions are averaged over."""
        return self.noise_precisions_.size

    @property
    def table_factors(self) -> int:
        """Columns of the tables beside the bias."""
        return self.n_samples * self.factors

    def set_context(self, catalogue: Catalogue, scale: RatingScale, seen: Seen) -> None:
        """Take what the model knows of its train ratings beside the fitted arrays, and gather the features."""
        super().set_context(catalogue, scale, seen)
        known = catalogue.item_features
        there = [block for block in ("genres", "year") if block in known and known[block].names]
        items = [CONSTANT, *there, COUNT, RATED] if self.item_features is None else self.item_features
        users = [CONSTANT, COUNT, RATED] if self.user_features is None else self.user_features
        rules: dict[str, Any] = {"min_rows": self.min_rows, "unrated": self.unrated}
        of_users = seen.pattern()
        by = Counterparts(of_users.T.tocsr(), catalogue.user_ids)
        of = Counterparts(of_users, catalogue.item_ids)
        self.item_side: SideInformation = gather(items, known, seen.item_counts, counterparts=by, **rules)
        self.user_side: SideInformation = gather(
            users, catalogue.user_features, np.diff(seen.indptr), counterparts=of, **rules
        )

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Draw samples until the epochs are over or the callback stops the fit."""
        by_user, by_item = layouts(train)
        self._user_overlap, self._item_overlap = self.user_side.overlap(), self.item_side.overlap()
        self.start(train)
        for number in self.passes(self.epochs):
            losses = self._add_sample(by_user, by_item, number)
            if not all(np.isfinite(loss) for loss in losses.values()):
                raise ModelError(f"{self.name} diverged in epoch {number}.", "Look for extreme ratings.")
            if on_epoch is not None and on_epoch(self, Epoch(number, losses)):
                break

    def start(self, train: Ratings) -> None:
        """Set the arrays before the first epoch, to one sample of small random users and nothing else."""
        n_users, n_items, width = train.n_users, train.n_items, self.factors + 1
        normal = np.random.default_rng(self.seed).standard_normal((n_users, 1, width), dtype=np.float32)
        self.user_draws_ = np.float32(0.1) * normal
        self.user_draws_[..., -1] = 0.0
        self.set_tables(
            np.zeros((n_users, width), np.float32), np.zeros((n_items, width), np.float32), float(train.mean)
        )
        variance = max(float(train.values.astype(np.float64).var()), 1e-6)
        self.noise_precisions_ = np.array([1.0 / variance])
        # As much pull as ten ratings have.
        self.user_precisions_ = np.full((1, width), 10.0 / variance)
        self.item_precisions_ = self.user_precisions_.copy()
        self.user_maps_ = np.zeros((1, self.user_side.n_features, width))
        self.item_maps_ = np.zeros((1, self.item_side.n_features, width))
        self.user_strengths_ = np.ones((1, len(self.user_side.blocks)))
        self.item_strengths_ = np.ones((1, len(self.item_side.blocks)))
        self.item_biases_ = np.zeros((n_items, 1), np.float32)
        self.user_weights_ = np.ones(n_users)
        self.user_squared_ = np.zeros(n_users)
        self.user_noise_ = np.full(n_users, variance)

    def _add_sample(self, by_user: SparseRows, by_item: SparseRows, number: int) -> dict[str, float]:
        """Go through the sweeps of an epoch, keep the sample at their end, and return its losses.

        A sweep draws the users last, so that what they are drawn from is what a new user is folded in with.
        """
        from mfx.solver.gibbs import draw_noise_precision, draw_rows, draw_weights, mean_rows

        users, user_prior, item_prior = self.user_draws_[:, -1].copy(), self._user_prior(), self._item_prior()
        items = np.empty((by_item.n_rows, self.factors + 1), dtype=np.float32)
        noise, weights, squared = float(self.noise_precisions_[-1]), self.user_weights_, self.user_squared_
        of_users, of_items, means = None, None, users
        for sweep in range(self.sweeps):
            generator = np.random.default_rng([self.seed, number, sweep])
            if (number, sweep) != (1, 0):  # the start says nothing about them
                user_prior.draw(users, generator)
                noise = draw_noise_precision(float(weights @ squared), by_user.values.size, generator)
                if self.user_noise:
                    weights = draw_weights(squared, by_user.counts, noise, generator)
            if self.user_noise:
                of_users = np.repeat(weights.astype(np.float32), by_user.counts)
                of_items = weights.astype(np.float32)[by_item.indices]
            draw_rows(by_item, users, items, item_prior, noise, generator, offset=self.offset_, weights=of_items)
            item_prior.draw(items, generator)
            if sweep + 1 == self.sweeps:
                means = mean_rows(by_user, items, user_prior, noise, offset=self.offset_, weights=of_users)
            squared = draw_rows(
                by_user, items, users, user_prior, noise, generator, offset=self.offset_, weights=of_users
            )
            squared /= weights
        self.user_weights_, self.user_squared_ = weights, squared
        # The mean of what has no ratings is known, whatever the draw.
        items[by_item.counts == 0] = item_prior.centres[by_item.counts == 0]
        self._keep(means, users, items, user_prior, item_prior, noise, afresh=number <= self.burn_in + 1)
        return {"rmse": float(np.sqrt(squared.sum() / by_user.values.size)), "noise": noise**-0.5}

    def _user_prior(self) -> RowPrior:
        from mfx.solver.gibbs import RowPrior

        side, overlap = self.user_side, self._user_overlap
        latest = self.user_maps_[-1], self.user_precisions_[-1]
        return RowPrior(side.matrix, *latest, side.blocks, self.user_strengths_[-1], overlap)

    def _item_prior(self) -> RowPrior:
        from mfx.solver.gibbs import RowPrior

        side, overlap = self.item_side, self._item_overlap
        latest = self.item_maps_[-1], self.item_precisions_[-1]
        return RowPrior(side.matrix, *latest, side.blocks, self.item_strengths_[-1], overlap)

    def _keep(
        self,
        means: FloatArray,
        users: FloatArray,
        items: FloatArray,
        user_prior: RowPrior,
        item_prior: RowPrior,
        noise: float,
        *,
        afresh: bool,
    ) -> None:
        """Put a sample beside those before it, or in their place."""
        variance = 1.0 / (noise * self.user_weights_)
        kept = {
            "user_draws_": users[:, None],
            "item_biases_": items[:, -1:],
            "user_maps_": user_prior.feature_map[None],
            "item_maps_": item_prior.feature_map[None],
            "user_precisions_": user_prior.precisions[None],
            "item_precisions_": item_prior.precisions[None],
            "user_strengths_": user_prior.strengths[None],
            "item_strengths_": item_prior.strengths[None],
            "noise_precisions_": np.array([noise]),
        }
        if afresh:
            self.user_table_, self.item_table_, self.user_noise_ = means, items, variance
        else:
            before, now = self.n_samples, self.n_samples + 1
            share = np.float32(before / now)
            self.user_table_ = np.hstack(
                [self.user_table_[:, :-1] * share, means[:, :-1] / now, _mean_with(self.user_table_, means, now)]
            )
            self.item_table_ = np.hstack(
                [self.item_table_[:, :-1], items[:, :-1], _mean_with(self.item_table_, items, now)]
            )
            self.user_noise_ = self.user_noise_ + (variance - self.user_noise_) / now
            for name, new in kept.items():
                kept[name] = np.concatenate([getattr(self, name), new], axis=int(name.startswith(("user_d", "item_b"))))
        for name, array in kept.items():
            setattr(self, name, array)

    def check_state(self) -> None:
        """Refuse arrays that do not fit the catalogue and each other, or are not finite."""
        from mfx.models.checks import array_of

        samples, width = np.asarray(self.noise_precisions_).size, self.factors + 1
        n_users, n_items = self.catalogue_.n_users, self.catalogue_.n_items
        shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
            "noise_precisions_": (np.float64, (samples,)),
            "user_draws_": (np.float32, (n_users, samples, width)),
            "item_biases_": (np.float32, (n_items, samples)),
            "user_maps_": (np.float64, (samples, self.user_side.n_features, width)),
            "item_maps_": (np.float64, (samples, self.item_side.n_features, width)),
            "user_precisions_": (np.float64, (samples, width)),
            "item_precisions_": (np.float64, (samples, width)),
            "user_strengths_": (np.float64, (samples, len(self.user_side.blocks))),
            "item_strengths_": (np.float64, (samples, len(self.item_side.blocks))),
            "user_weights_": (np.float64, (n_users,)),
            "user_squared_": (np.float64, (n_users,)),
            "user_noise_": (np.float64, (n_users,)),
        }
        for name, (dtype, shape) in shapes.items():
            setattr(self, name, array_of(getattr(self, name), name, dtype, shape))
        if not samples:
            raise ModelError("noise_precisions_ is empty.")
        positive = ("noise_precisions_", "user_precisions_", "item_precisions_", "user_weights_", "user_noise_")
        for name in (*positive, "user_strengths_", "item_strengths_"):
            if not (getattr(self, name) > 0.0).all():
                raise ModelError(f"{name} holds numbers that are not positive.")
        super().check_state()

    def predict_interval(
        self, user_ids: ArrayLike, item_ids: ArrayLike, coverage: float = 0.9
    ) -> tuple[FloatArray, FloatArray]:
        """Say between which bounds the ratings of pairs lie.

        The distribution of a rating is taken for normal, with the mean of `predict` and the variance of what the
        samples predict plus that of the user's ratings around it. Bounds are clipped where predictions are.

        Parameters
        ----------
        user_ids, item_ids : array-like of raw ids
            As in `predict`.
        coverage : float
            Probability that a rating lies between the bounds, above 0 and below 1.

        Returns
        -------
        low, high : float32 arrays
            Bounds of each pair.

        Raises
        ------
        ModelError
            If the model is not fitted, an id is unknown, or the coverage is no probability.
        """
        from scipy.special import ndtri

        if not 0.0 < coverage < 1.0:
            raise ModelError(f"The coverage of an interval is between 0 and 1, not {coverage}.")
        users, items = self.known_users(user_ids), self.known_items(item_ids)
        users, items = (np.ascontiguousarray(side) for side in np.broadcast_arrays(users, items))
        reach = ndtri(0.5 + 0.5 * coverage) * np.sqrt(self._variances(users, items))
        middle = self.score_pairs(users, items)
        low, high = (self.predictions((middle + far).astype(np.float32)) for far in (-reach, reach))
        return low, high

    def _variances(self, users: IndexArray, items: IndexArray) -> DoubleArray:
        """Return the predictive variance of pairs; float64, shape of `users`."""
        variances = self.user_noise_[users]
        samples, unrated = self.n_samples, self.seen_.item_counts == 0
        for start in range(0, users.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            rows = self.user_draws_[users[part]].astype(np.float64)
            columns = self.item_table_[items[part], :-1].reshape(-1, samples, self.factors).astype(np.float64)
            drawn = np.einsum("nsk,nsk->ns", rows[..., :-1], columns) + rows[..., -1] + self.item_biases_[items[part]]
            variances[part] += drawn.var(axis=1)
            # Of items without ratings the tables hold the means.
            spread = np.square(rows[..., :-1]) / self.item_precisions_[:, :-1]
            spread = (spread.sum(axis=2) + 1.0 / self.item_precisions_[:, -1]).mean(axis=1)
            variances[part] += np.where(unrated[items[part]], spread, 0.0)
        return variances

    def fold_in_row(self, items: IndexArray, values: FloatArray) -> FloatArray:
        """Return the row of a new user: the mean given items and the rest, sample by sample; float32.

        How noisy the user's ratings are is found out in a few turns between row and weight.
        """
        from scipy import sparse

        from mfx.solver.gibbs import RowPrior, draw_rows, mean_rows, mean_weights
        from mfx.solver.layout import SparseRows

        samples, factors, count = self.n_samples, self.factors, np.array([items.size])
        profile = SparseRows(np.array([0, items.size]), np.arange(items.size, dtype=np.int32), values)
        features = sparse.csr_array(self.user_side.of_new_row({}, items.size, rated=items)[None])
        known = self.item_table_[items, :-1].reshape(items.size, samples, factors)
        folded, drawn = np.zeros(samples * factors + 1, dtype=np.float32), np.empty((1, factors + 1), np.float32)
        for sample, noise in enumerate(self.noise_precisions_.tolist()):
            table = np.ascontiguousarray(np.hstack([known[:, sample], self.item_biases_[items, sample : sample + 1]]))
            prior = RowPrior(
                features,
                self.user_maps_[sample],
                self.user_precisions_[sample],
                self.user_side.blocks,
                self.user_strengths_[sample],
            )
            generator = np.random.default_rng([self.seed, sample, _FOLD_IN])
            weights = None
            for _ in range(_FOLD_IN_DRAWS if self.user_noise and items.size else 0):
                squared = draw_rows(
                    profile, table, drawn, prior, noise, generator, offset=self.offset_, weights=weights
                )
                if weights is not None:
                    squared /= weights[0]
                weights = np.repeat(mean_weights(squared, count, noise).astype(np.float32), items.size)
            row = mean_rows(profile, table, prior, noise, offset=self.offset_, weights=weights)[0]
            folded[sample * factors : (sample + 1) * factors] = row[:-1] / samples
            folded[-1] += row[-1] / samples
        return folded

    def predict_new_items(self, user_ids: ArrayLike, features: Sequence[Mapping[str, Sequence[str]]]) -> FloatArray:
        """Predict ratings of items that are known by their features only, as `GenreALS.predict_new_items` does.

        Returns
        -------
        float32 array, shape (users, new items)
            Predicted ratings, on the rating scale.

        Raises
        ------
        ModelError
            If the model is not fitted, or a user, a block or a feature is unknown.
        """
        self._check_fitted()
        known = np.array([self.item_side.of_new_row(one) for one in features]).reshape(-1, self.item_side.n_features)
        centres = np.einsum("ng,sgk->nsk", known, self.item_maps_)
        factors = centres[..., :-1].reshape(len(known), self.table_factors)
        table = np.hstack([factors, centres[..., -1].mean(axis=1, keepdims=True)]).astype(np.float32)
        return self.predict_rows(user_ids, table)


def _mean_with(table: FloatArray, row: FloatArray, now: int) -> FloatArray:
    """Return the mean biases, one sample more among them."""
    mean: FloatArray = table[:, -1:] + (row[:, -1:] - table[:, -1:]) / np.float32(now)
    return mean
