"""Where numbers of a factor model come from: parts of a score, shares of features, norms, and a map in two dimensions.

Arrays in, arrays out, all in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mfx.errors import DataError
from mfx.interfaces import AnyArray, DoubleArray, Features, PointerArray

PERPLEXITY = 5.0
"""Of t-SNE: about how many neighbours a genre is placed by; there are some twenty genres."""


@dataclass(frozen=True, eq=False)
class ScoreParts:
    """Parts of the scores of n items for one user; each score is their sum.

    Attributes
    ----------
    mean, user_bias : float
        The same for all items.
    item_bias, interaction, score : float64 array, shape (n,)
        Item bias (weighed), ``u . v``, and the sum of all four.
    """

    mean: float
    user_bias: float
    item_bias: DoubleArray
    interaction: DoubleArray
    score: DoubleArray


def score_parts(offset: float, user: AnyArray, items: AnyArray, bias_weight: float = 1.0) -> ScoreParts:
    """Take the scores of a user's items apart.

    Parameters
    ----------
    offset : float
        Constant part of every score.
    user : array, shape (factors + 1,)
        Factors, then bias.
    items : array, shape (n, factors + 1)
        The same of the items.
    bias_weight : float
        Weight of the item bias.
    """
    own, others = user.astype(np.float64), items.astype(np.float64)
    interaction: DoubleArray = others[:, :-1] @ own[:-1]
    item_bias = bias_weight * others[:, -1]
    score = float(offset) + own[-1] + item_bias + interaction
    return ScoreParts(float(offset), float(own[-1]), item_bias, interaction, score)


@dataclass(frozen=True, eq=False)
class Shares:
    """A prediction for an item known by its features only: mean, user bias and a share for each feature.

    Attributes
    ----------
    shares : float64 array, shape (features,)
        In rating points.
    prediction : float
        ``mean + user_bias + shares.sum()``.
    """

    mean: float
    user_bias: float
    shares: DoubleArray
    prediction: float


def shares(offset: float, user: AnyArray, parts: DoubleArray) -> Shares:
    """Predict a user's rating of a new item and say what each of its features gives.

    Parameters
    ----------
    offset : float
        Constant part of every prediction.
    user : array, shape (factors + 1,)
        Factors, then bias.
    parts : float64 array, shape (features, factors + 1)
        What each feature gives to the item's factors and bias.
    """
    own = user.astype(np.float64)
    found: DoubleArray = parts[:, :-1] @ own[:-1] + parts[:, -1]
    return Shares(float(offset), float(own[-1]), found, float(offset + own[-1] + found.sum()))


def factor_norms(factors: AnyArray) -> DoubleArray:
    """Return the length of each row; an item of great length moves the predictions of users furthest apart."""
    norms: DoubleArray = np.linalg.norm(factors.astype(np.float64), axis=1)
    return norms


def genre_centroids(factors: AnyArray, genres: Features, counts: PointerArray) -> tuple[list[int], DoubleArray]:
    """Average the factors of the rated items of each genre.

    Returns
    -------
    columns : list of int
        Genres that have rated items.
    centroids : float64 array, shape (len(columns), factors)
        Mean over their items, each item counting alike.
    """
    member = genres.dense().astype(np.float64) > 0
    member &= (counts > 0)[:, None]
    columns = np.flatnonzero(member.any(axis=0))
    weights = member[:, columns].astype(np.float64)
    centroids: DoubleArray = (weights.T @ factors.astype(np.float64)) / weights.sum(axis=0)[:, None]
    return columns.tolist(), centroids


def principal(points: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Project points on their first two principal components.

    Parameters
    ----------
    points : float64 array, shape (n, dimensions)
        At least 3 points that are not all the same.

    Returns
    -------
    places : float64 array, shape (n, 2)
        The point farthest from the centre along each component lies on its positive side.
    shares : float64 array, shape (2,)
        Share of the variance along each component.

    Raises
    ------
    DataError
        If there are too few points, or all are the same.
    """
    if len(points) < 3 or points.shape[1] < 2:
        raise DataError(f"A map needs three genres and two factors; here are {points.shape[0]} and {points.shape[1]}.")
    centred = points - points.mean(axis=0)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    if not lengths[0] > 0:
        raise DataError("All genres lie on the same point, so there is no map of them.", "Fit for more epochs.")
    places: DoubleArray = left[:, :2] * lengths[:2]
    signs = np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    return places * np.where(signs == 0, 1.0, signs), lengths[:2] ** 2 / (lengths**2).sum()


def neighbours_map(points: DoubleArray, seed: int) -> DoubleArray | None:
    """Place points by t-SNE, neighbours near each other; None without scikit-learn, or for fewer than 6 points.

    Returns
    -------
    float64 array, shape (n, 2)
    """
    try:
        from sklearn.manifold import TSNE  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return None
    if len(points) < 6:
        return None
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    found = TSNE(n_components=2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)
    places: DoubleArray = np.asarray(found, dtype=np.float64)
    return places
