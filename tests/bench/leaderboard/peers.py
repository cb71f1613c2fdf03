"""Peers as models of MFX, so that they are tuned, fitted and scored by the very code that does it to MFX's own.

Each fits through its own package, on one thread, and hands what it learnt to the shared tables; predictions are those
of the package (`test_leaderboard.py` compares them where the packages are installed). A setting that is not searched
stays at the package's default. Importing this module registers the peers and imports none of their packages.
"""

from __future__ import annotations

import abc
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

import mfx
from mfx.errors import ModelError
from mfx.interfaces import Epoch, FloatArray, IndexArray, OnEpoch, Ratings
from mfx.models.base import Recommender
from mfx.models.factors import FactorModel
from mfx.settings import setting, tunable


def matrix_of(train: Ratings, values: FloatArray | None = None) -> Any:
    """Return ratings as a scipy matrix in CSR layout; float32."""
    from scipy import sparse

    given = train.values if values is None else values
    return sparse.csr_matrix((given, train.items, train.user_indptr), shape=(train.n_users, train.n_items))


def table(factors: Any, bias: Any) -> FloatArray:
    """Put factors and biases of one side into one array; float32, shape (rows, factors + 1)."""
    return np.column_stack([np.asarray(factors), np.asarray(bias)]).astype(np.float32)


@dataclass(kw_only=True)
class RatingPeer(FactorModel):
    """Base of peers that predict by ``mean + b_u + b_i + u . v``, clipped to the rating scale."""

    seed: int = setting(42, ge=0)
    predicts: ClassVar[Literal["ratings", "ranking"]] = "ratings"
    objective: ClassVar[str] = "rmse"

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Clip scores to the rating scale."""
        return np.clip(scores, np.float32(self.scale_.low), np.float32(self.scale_.high))

    def fold_in_row(self, items: IndexArray, values: FloatArray) -> FloatArray:
        """Refuse: peers are compared on the users of the ratings."""
        raise ModelError(f"{self.name} folds in nobody.")


@dataclass(kw_only=True)
class Surprise(RatingPeer):
    """Base of Surprise's models by stochastic gradient steps."""

    factors: int = tunable(20, low=4, high=64, log=True, ge=1)
    epochs: int = tunable(20, low=10, high=60, log=True, ge=1)
    learning_rate: float = tunable(0.005, low=0.001, high=0.02, log=True, gt=0.0)
    reg: float = tunable(0.02, low=0.01, high=0.3, log=True, ge=0.0)

    @abc.abstractmethod
    def algorithm(self, settings: dict[str, Any]) -> Any:
        """Return the package's unfitted model."""

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Fit, and take over the rows of users and items that have ratings; the others stay zero, as in Surprise."""
        import pandas as pd
        from surprise import Dataset, Reader

        frame = pd.DataFrame({"user": train.users, "item": train.items, "rating": train.values.astype(np.float64)})
        reader = Reader(rating_scale=(train.rating_range.low, train.rating_range.high))
        known = Dataset.load_from_df(frame, reader).build_full_trainset()
        settings = {"n_factors": self.factors, "n_epochs": self.epochs, "random_state": self.seed}
        self.fitted_ = self.algorithm({**settings, "lr_all": self.learning_rate, "reg_all": self.reg}).fit(known)
        users = np.array([known.to_raw_uid(row) for row in range(known.n_users)])
        items = np.array([known.to_raw_iid(row) for row in range(known.n_items)])
        user_table = np.zeros((train.n_users, self.factors + 1), dtype=np.float32)
        item_table = np.zeros((train.n_items, self.factors + 1), dtype=np.float32)
        user_table[users] = table(self.user_rows(known), self.fitted_.bu)
        item_table[items] = table(self.fitted_.qi, self.fitted_.bi)
        self.set_tables(user_table, item_table, float(known.global_mean))

    def user_rows(self, known: Any) -> Any:
        """Return the factors of the users that Surprise knows."""
        return self.fitted_.pu


@mfx.register("model", "surprise_svd")
@dataclass(kw_only=True)
class SurpriseSVD(Surprise):
    """Matrix factorisation with biases, of Surprise."""

    factors: int = tunable(100, low=4, high=128, log=True, ge=1)

    def algorithm(self, settings: dict[str, Any]) -> Any:
        """Return the package's unfitted model."""
        from surprise import SVD

        return SVD(**settings)


@mfx.register("model", "surprise_svdpp")
@dataclass(kw_only=True)
class SurpriseSVDpp(Surprise):
    """SVD++ (Koren 2008), of Surprise: what somebody rated says something too, whatever the ratings."""

    learning_rate: float = tunable(0.007, low=0.001, high=0.02, log=True, gt=0.0)

    def algorithm(self, settings: dict[str, Any]) -> Any:
        """Return the package's unfitted model, which is quicker with its cache."""
        from surprise import SVDpp

        return SVDpp(cache_ratings=True, **settings)

    def user_rows(self, known: Any) -> Any:
        """Return the factors of the users, what they rated included."""
        rated = [[item for item, _ in known.ur[user]] for user in range(known.n_users)]
        return self.fitted_.pu + np.array([self.fitted_.yj[own].sum(axis=0) / np.sqrt(len(own)) for own in rated])


@mfx.register("model", "cmfrec")
@dataclass(kw_only=True)
class CMFRec(RatingPeer):
    """The plain model CMF of cmfrec: alternating least squares with biases of users and items."""

    factors: int = tunable(40, low=4, high=64, log=True, ge=1)
    epochs: int = tunable(10, low=4, high=30, log=True, ge=1)
    reg: float = tunable(10.0, low=1.0, high=100.0, log=True, ge=0.0)
    bias_reg: float = tunable(10.0, low=0.3, high=30.0, log=True, ge=0.0)
    cg: bool = setting(True)

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Fit, and leave rows without ratings zero: cmfrec does not set them."""
        from cmfrec import CMF

        bias, factors = self.bias_reg, self.reg
        self.fitted_ = CMF(
            k=self.factors,
            lambda_=np.array([bias, bias, factors, factors, 0.0, 0.0]),
            use_cg=self.cg,
            niter=self.epochs,
            nthreads=1,
            random_state=self.seed,
            precompute_for_predictions=False,
            verbose=False,
        ).fit(matrix_of(train).tocoo())
        found = self.fitted_
        users, items = table(found.A_, found.user_bias_), table(found.B_, found.item_bias_)
        users[train.user_counts == 0] = 0.0
        items[train.item_counts == 0] = 0.0
        self.set_tables(users, items, float(found.glob_mean_))


@mfx.register("model", "myfm")
@dataclass(kw_only=True)
class MyFM(Recommender):
    """Bayesian matrix factorisation by Gibbs sampling: myFM with one column for each user and each item."""

    factors: int = tunable(8, low=4, high=32, log=True, ge=1)
    samples: int = tunable(100, low=50, high=500, log=True, ge=10)
    seed: int = setting(42, ge=0)

    predicts: ClassVar[Literal["ratings", "ranking"]] = "ratings"
    objective: ClassVar[str] = "rmse"

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Draw samples, users and items each with priors of their own; the first tenth is left out of predictions."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports pkg_resources
            from myfm import MyFMRegressor
        self.fitted_ = MyFMRegressor(rank=self.factors, random_seed=self.seed).fit(
            self.columns(train.users, train.items),
            train.values.astype(np.float64),
            n_iter=self.samples,
            n_kept_samples=self.samples - self.samples // 10,
            group_shapes=[train.n_users, train.n_items],
        )

    def columns(self, users: IndexArray, items: IndexArray) -> Any:
        """Return the design matrix of pairs: a one for the user and a one for the item."""
        from scipy import sparse

        size = (users.size, self.catalogue_.n_users + self.catalogue_.n_items)
        both = np.column_stack([users, items + self.catalogue_.n_users]).ravel()
        return sparse.csr_matrix((np.ones(both.size), both, np.arange(0, both.size + 1, 2)), shape=size)

    def score_pairs(self, users: IndexArray, items: IndexArray) -> FloatArray:
        """Average the predictions of the samples; float32."""
        predicted: FloatArray = self.fitted_.predict(self.columns(users, items), n_workers=1).astype(np.float32)
        return predicted

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Clip scores to the rating scale."""
        return np.clip(scores, np.float32(self.scale_.low), np.float32(self.scale_.high))

    def score_users(self, users: IndexArray) -> FloatArray:
        """Score every item for each user; float32, shape (len(users), items)."""
        n_items = self.catalogue_.n_items
        every = np.arange(n_items, dtype=np.int32)
        scores = self.score_pairs(np.repeat(users, n_items), np.tile(every, users.size))
        return scores.reshape(users.size, n_items)


@dataclass(kw_only=True)
class RankingPeer(FactorModel):
    """Base of peers that rank by ``b_i + u . v``; every rating is a positive."""

    seed: int = setting(42, ge=0)
    predicts: ClassVar[Literal["ratings", "ranking"]] = "ranking"
    objective: ClassVar[str] = "ndcg@10"

    def take(self, user_factors: Any, item_factors: Any, item_bias: Any = None) -> None:
        """Take factors, and item biases where there are any, as the fitted state."""
        bias = np.zeros(len(item_factors)) if item_bias is None else item_bias
        self.set_tables(table(user_factors, np.zeros(len(user_factors))), table(item_factors, bias), 0.0)

    def fold_in_row(self, items: IndexArray, values: FloatArray) -> FloatArray:
        """Refuse: peers are compared on the users of the ratings."""
        raise ModelError(f"{self.name} folds in nobody.")


class Stopped(Exception):
    """Ends a fit of implicit from its callback."""


@dataclass(kw_only=True)
class Implicit(RankingPeer):
    """Base of implicit's models; they tell of every epoch, and are stopped by it as MFX's are."""

    def follow(self, model: Any, positives: Any, on_epoch: OnEpoch | None, n_factors: int) -> None:
        """Fit, watched after each epoch, and take the factors over."""
        width = n_factors

        def told(epoch: int, *_: Any) -> None:
            self.take(model.user_factors[:, :width], model.item_factors[:, :width])
            if on_epoch is not None and on_epoch(self, Epoch(epoch + 1, {})):
                raise Stopped

        self.fitted_ = model
        try:
            model.fit(positives, show_progress=False, callback=told)
        except Stopped:
            return


@mfx.register("model", "implicit_als")
@dataclass(kw_only=True)
class ImplicitALS(Implicit):
    """ALS for implicit feedback (Hu, Koren and Volinsky 2008), of implicit."""

    factors: int = tunable(100, low=8, high=128, log=True, ge=1)
    epochs: int = setting(100, ge=1)
    reg: float = tunable(0.01, low=0.01, high=100.0, log=True, ge=0.0)
    alpha: float = tunable(1.0, low=0.5, high=100.0, log=True, gt=0.0)

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Fit with confidence ``alpha`` in each positive."""
        from implicit.cpu.als import AlternatingLeastSquares

        model = AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.reg,
            alpha=self.alpha,
            iterations=self.epochs,
            num_threads=1,
            random_state=self.seed,
        )
        self.follow(model, matrix_of(train, np.ones_like(train.values)), on_epoch, self.factors)


@mfx.register("model", "implicit_bpr")
@dataclass(kw_only=True)
class ImplicitBPR(Implicit):
    """BPR (Rendle et al. 2009) of implicit; its last factor of users is a constant 1, so items have biases."""

    factors: int = tunable(100, low=8, high=128, log=True, ge=1)
    epochs: int = setting(100, ge=1)
    learning_rate: float = tunable(0.01, low=0.003, high=0.2, log=True, gt=0.0)
    reg: float = tunable(0.01, low=0.001, high=0.1, log=True, ge=0.0)

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Fit with negatives that are drawn as often as they are positives, as the package does."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.reg,
            iterations=self.epochs,
            num_threads=1,
            random_state=self.seed,
        )
        self.follow(model, matrix_of(train, np.ones_like(train.values)), on_epoch, self.factors + 1)


@mfx.register("model", "cornac_bpr")
@dataclass(kw_only=True)
class CornacBPR(RankingPeer):
    """BPR (Rendle et al. 2009) of Cornac, with item biases and uniform negatives."""

    factors: int = tunable(10, low=8, high=128, log=True, ge=1)
    epochs: int = tunable(100, low=20, high=500, log=True, ge=1)
    learning_rate: float = tunable(0.001, low=0.001, high=0.2, log=True, gt=0.0)
    reg: float = tunable(0.01, low=0.001, high=0.1, log=True, ge=0.0)

    def learn(self, train: Ratings, on_epoch: OnEpoch | None) -> None:
        """Fit on one thread, as the package does with a seed."""
        from cornac.data import Dataset
        from cornac.models import BPR

        ids = ({row: row for row in range(size)} for size in (train.n_users, train.n_items))
        positives = (train.users.astype(int), train.items.astype(int), np.ones(len(train)))
        self.fitted_ = BPR(
            k=self.factors,
            max_iter=self.epochs,
            learning_rate=self.learning_rate,
            lambda_reg=self.reg,
            seed=self.seed,
        ).fit(Dataset(train.n_users, train.n_items, *ids, positives))
        self.take(self.fitted_.u_factors, self.fitted_.i_factors, self.fitted_.i_biases)
