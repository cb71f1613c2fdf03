"""Lists for people: the best items of a known or a new user, and the items most like one, with titles and genres.

The command line and the served model both answer through `Adviser`, so their answers are the same.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.analysis import profile
from mfx.analysis.profile import Taken
from mfx.analysis.titles import Match, TitleIndex, parse_id
from mfx.errors import ModelError, SettingError, did_you_mean
from mfx.interfaces import AnyArray, BoolArray, FloatArray
from mfx.models.base import Recommender
from mfx.models.folded import Folded

if TYPE_CHECKING:
    import pandas as pd

MIN_RATINGS = 5
"""Ratings that an item needs to be listed by a model of ratings, unless the request says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asks for.

    Attributes
    ----------
    user : raw id or None
        A known user; otherwise `ratings` say who asks.
    ratings : str or sequence of (str, float) or None
        Ratings of somebody new, such as ``"The Matrix=5; id:541=4"``.
    k : int
        Length of the list.
    bias_weight : float
        Weight of the item bias in the order (alpha in Fokam's report, 7.1).
    min_ratings : int or None
        Only items with at least so many ratings in what the model was fitted on; None for `default_min_ratings`.
    genre : str or None
        Only items that have one of these genres, such as ``"Sci-Fi|Action"``.

    Raises
    ------
    SettingError
        If one is out of its range, or neither or both of `user` and `ratings` are given.
    """

    user: int | str | None = None
    ratings: str | Sequence[tuple[str, float]] | None = None
    k: int = 10
    bias_weight: float = 1.0
    min_ratings: int | None = None
    genre: str | None = None

    def __post_init__(self) -> None:
        if (self.user is None) == (self.ratings is None):
            both = "both user and ratings are given" if self.user is not None else "neither user nor ratings are given"
            raise SettingError(
                f"For whom? Here {both}.", "Give user=ID, or ratings='TITLE=RATING; ...' of somebody new."
            )
        check_length(self.k)
        if not math.isfinite(self.bias_weight):
            raise SettingError(f"bias_weight={self.bias_weight} must be finite.")
        check_min_ratings(self.min_ratings)


@dataclass(frozen=True)
class Item:
    """One line of a list.

    Attributes
    ----------
    score : float
        What the list is ordered by: predicted rating (item bias weighed), ranking score, or cosine.
    ratings : int
        How many ratings the item has in what the model was fitted on.
    """

    rank: int
    item_id: Any
    title: str
    genres: tuple[str, ...]
    score: float
    ratings: int


@dataclass(frozen=True)
class Answer:
    """A list, and how it came about.

    Attributes
    ----------
    items : list of Item
        Best first.
    min_ratings : int
        Only items with at least so many ratings in what the model was fitted on are listed.
    left_out : int
        Items of the catalogue that have fewer.
    taken : list of Taken
        Which item each rating of a new user was taken to be of.
    """

    items: list[Item]
    min_ratings: int
    left_out: int
    taken: list[Taken] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = asdict(self)
        for item in plain["items"]:
            item["genres"] = list(item["genres"])
        return plain


class Adviser:
    """Answers from one fitted model.

    Parameters
    ----------
    model : Recommender
        A fitted model; what it carries of titles and genres is shown.
    """

    def __init__(self, model: Recommender) -> None:
        self.model = model
        self.catalogue = model.catalogue_

    @functools.cached_property
    def titles(self) -> TitleIndex:
        """Finds items by what people call them."""
        return TitleIndex(self.catalogue, self.model.seen_.item_counts)

    def recommend(self, request: Request) -> Answer:
        """List the best items of a user; what they rated is left out.

        Raises
        ------
        MFXError
            If the user, an item or a genre is unknown, or the model cannot do what is asked.
        """
        among = None if request.genre is None else self.catalogue.item_ids[self.having(request.genre)]
        min_ratings = self.min_ratings(request.min_ratings)
        options: dict[str, Any] = {"min_ratings": min_ratings, "bias_weight": request.bias_weight}
        if request.user is not None:
            user = self.known_user(request.user)
            frame = self.model.recommend([user], request.k, among=among, **options)
            taken: list[Taken] = []
        else:
            folded, taken = self.fold_in(request.ratings or "")
            frame = folded.recommend(request.k, among=among, **options)
        return self._answer(frame, min_ratings, taken)

    def similar(
        self, item: str, k: int = 10, *, min_ratings: int | None = None, genre: str | None = None
    ) -> tuple[Match, Answer]:
        """List the items most like one, named by id or title; returns which it was, too.

        Raises
        ------
        MFXError
            If the item or genre is unknown, or the model has no item factors.
        """
        check_length(k)
        min_ratings = self.min_ratings(min_ratings)
        match = self.titles.find(item)
        allowed = self.model.allowed_items(min_ratings, None)
        if genre is not None:
            allowed = self.having(genre) if allowed is None else allowed & self.having(genre)
        asked = k if allowed is None else self.catalogue.n_items
        frame = self.model.similar_items(self.catalogue.item_ids[match.index], asked)
        if allowed is not None:
            frame = frame[allowed[self.catalogue.item_index(frame["item_id"].to_numpy())]].head(k)
        return match, self._answer(frame, min_ratings, [])

    def min_ratings(self, given: int | None) -> int:
        """Return how many ratings a listed item needs: what was given, or the default of the model.

        Raises
        ------
        SettingError
            If it is negative.
        """
        if given is None:
            return default_min_ratings(self.model)
        check_min_ratings(given)
        return given

    def _answer(self, frame: pd.DataFrame, min_ratings: int, taken: list[Taken]) -> Answer:
        left_out = int(np.count_nonzero(self.model.seen_.item_counts < min_ratings))
        items = self.items(frame["item_id"].to_numpy(), frame["score"].to_numpy())
        return Answer(items, min_ratings, left_out, taken)

    def fold_in(self, ratings: str | Sequence[tuple[str, float]]) -> tuple[Folded, list[Taken]]:
        """Take in somebody new; says which items the ratings were taken to be of."""
        pairs = profile.parse(ratings) if isinstance(ratings, str) else ratings
        taken = profile.take(self.titles, self.catalogue, self.model.scale_, pairs)
        folded = self.model.fold_in([one.item_id for one in taken], [one.rating for one in taken])
        return folded, taken

    def known_user(self, user: int | str) -> int | str:
        """Return the raw id of a known user, in the type of the data; ModelError otherwise."""
        ids = self.catalogue.user_ids
        with contextlib.suppress(ValueError):
            raw = parse_id(str(user), ids)
            if int(self.catalogue.user_index([raw])[0]) >= 0:
                return raw
        raise ModelError(
            f"There is no user '{user}' in what the model was fitted on.",
            f"Ids go from {ids[0]} to {ids[-1]}; give ratings='TITLE=RATING; ...' of somebody new.",
        )

    def genre_names(self, text: str) -> list[str]:
        """Read genres such as ``sci-fi|Action``, in the spelling of the data.

        Raises
        ------
        SettingError
            If one is unknown, or the data have no genres.
        """
        features = self.catalogue.item_features.get("genres")
        if features is None:
            raise SettingError("This data set has no genres of items.", "Leave genre out.")
        known = {_bare(name): name for name in features.names}
        wanted = [part.strip() for part in text.split("|") if part.strip()]
        for one in wanted:
            if _bare(one) not in known:
                raise SettingError(f"There is no genre '{one}'.", did_you_mean(one, features.names))
        if not wanted:
            raise SettingError("genre names none.", f"Known: {', '.join(features.names)}.")
        return list(dict.fromkeys(known[_bare(one)] for one in wanted))

    def having(self, genre: str) -> BoolArray:
        """Return a mask of the items with at least one of the genres."""
        names = self.genre_names(genre)
        features = self.catalogue.item_features["genres"]
        wanted = np.isin(features.indices, [features.names.index(name) for name in names])
        rows = np.repeat(np.arange(len(features)), np.diff(features.indptr))
        chosen = np.zeros(len(features), dtype=np.bool_)
        chosen[rows[wanted]] = True
        return chosen

    def genres_of(self, index: int) -> tuple[str, ...]:
        """Return the genres of an item index."""
        features = self.catalogue.item_features.get("genres")
        if features is None:
            return ()
        columns = features.indices[features.indptr[index] : features.indptr[index + 1]]
        return tuple(features.names[column] for column in columns)

    def title_of(self, index: int) -> str:
        """Return the title of an item index, '' without one."""
        return "" if self.catalogue.titles is None else str(self.catalogue.titles[index])

    def items(self, item_ids: AnyArray, scores: FloatArray) -> list[Item]:
        """Describe a list of raw ids, best first."""
        index = self.catalogue.item_index(item_ids)
        return [
            Item(
                rank,
                self.catalogue.item_ids.item(at),
                self.title_of(at),
                self.genres_of(at),
                float(score),
                int(self.model.seen_.item_counts[at]),
            )
            for rank, (at, score) in enumerate(zip(index.tolist(), scores, strict=True), start=1)
        ]


def _bare(genre: str) -> str:
    """Letters and digits of a genre: ``scifi`` means Sci-Fi."""
    return "".join(filter(str.isalnum, genre.casefold()))


def check_length(k: int) -> None:
    """Refuse a list length below 1."""
    if k < 1:
        raise SettingError(f"k={k} must be at least 1.")


def default_min_ratings(model: Recommender) -> int:
    """Return how many ratings an item needs to be listed for people, unless they say it: 5 or, of a ranking model, 0.

    A model of ratings predicts the rating of an item given that somebody rates it, so items that one enthusiast rated
    come first in its lists. A ranking model has learned how often items are chosen.
    """
    return MIN_RATINGS if model.predicts == "ratings" else 0


def check_min_ratings(min_ratings: int | None) -> None:
    """Refuse a negative number of ratings."""
    if min_ratings is not None and min_ratings < 0:
        raise SettingError(f"min_ratings={min_ratings} must be at least 0.")
