"""Explanations of a finished run's model, as rows, figures and files: scores, new items, polarising items, genres."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mfx.analysis import parts
from mfx.analysis.advice import Adviser, Request, check_length, check_min_ratings
from mfx.analysis.profile import Taken
from mfx.analysis.runs import FinishedRun
from mfx.errors import ModelError
from mfx.files import write_text
from mfx.interfaces import AnyArray
from mfx.models.factors import FactorModel
from mfx.models.genre_als import GenreALS
from mfx.models.side_information import CONSTANT, COUNT, bare
from mfx.results import safe_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "explanations"
POLARISING_MIN = 50
"""Ratings from which an item counts as well known."""
RATING_POINTS = "rating points"


@dataclass(frozen=True)
class Explanation:
    """Rows for people and programs, and figures of them.

    Attributes
    ----------
    name : str
        Stem of the files.
    title : str
        What it shows, one line.
    rows : list of dict
        The same keys in each.
    facts : dict
        Numbers that belong to all rows.
    figures : dict of str to Figure
        By stem of the file.
    taken : list of Taken
        What the ratings of somebody new were taken to be of.
    """

    name: str
    title: str
    rows: list[dict[str, Any]]
    facts: dict[str, Any]
    figures: dict[str, Figure]
    taken: list[Taken] = field(default_factory=list)

    def write(self, run: FinishedRun) -> list[Path]:
        """Write the rows as CSV and the figures as PNG and SVG below the run's folder; return the files."""
        from mfx.figures import save

        folder = run.folder / FOLDER
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in self.rows)
        table = folder / f"{self.name}.csv"
        write_text(table, text.getvalue())
        drawn = [save(figure, folder / f"{stem}.{kind}") for stem, figure in self.figures.items() for kind in KINDS]
        return [table, *drawn]


KINDS = ("png", "svg")


def scores(run: FinishedRun, request: Request) -> Explanation:
    """Take the scores of somebody's list apart: mean, user bias, item bias, and user times item factors.

    Raises
    ------
    ModelError
        If the model has no tables of factors and biases, or user and items are unknown.
    """
    from mfx.figures.explanations import stacked_scores

    adviser, model = Adviser(run.model), factor_model(run)
    answer = adviser.recommend(request)
    if not answer.items:
        raise ModelError("The list is empty: no item is allowed.", "Lower min_ratings.")
    who, row, taken = _asking(adviser, model, request)
    index = adviser.catalogue.item_index([item.item_id for item in answer.items])
    found = parts.score_parts(model.offset_, row, model.item_table_[index], request.bias_weight)
    numbers = zip(answer.items, found.item_bias, found.interaction, found.score, strict=True)
    rows = [
        {
            "rank": item.rank,
            "item_id": item.item_id,
            "title": item.title,
            "mean": found.mean,
            "user_bias": found.user_bias,
            "item_bias": float(bias),
            "factors": float(interaction),
            "score": float(score),
        }
        for item, bias, interaction, score in numbers
    ]
    weighed = "" if request.bias_weight == 1.0 else f" × {request.bias_weight:g}"
    unit = RATING_POINTS if model.predicts == "ratings" else "no unit"
    kind = "Predicted rating" if model.predicts == "ratings" and not weighed else "Score"
    figure = stacked_scores(
        [item.title or f"id {item.item_id}" for item in answer.items],
        found.mean + found.user_bias,
        [(f"item bias{weighed}", found.item_bias.tolist()), ("user · item factors", found.interaction.tolist())],
        axis=f"{kind} ({unit})",
        level_name="mean + user bias",
        title=f"Why these? Scores of {who}",
        caption=f"{run.caption}. Mean {found.mean:.3f}, user bias {found.user_bias:+.3f}: the same for all items. "
        f"Best {len(rows)}, what {who} rated left out{_at_least(answer.min_ratings)}.",
    )
    name = f"scores_{_stem(who, taken)}"
    facts = {"bias_weight": request.bias_weight, "mean": found.mean, "user_bias": found.user_bias}
    return Explanation(name, f"Scores of {who} · {run.caption}", rows, facts, {name: figure}, taken)


def new_item(run: FinishedRun, request: Request, genres: str) -> Explanation:
    """Predict somebody's rating of an item known by its genres only, and say what each genre gives.

    Raises
    ------
    ModelError
        If the model is not genre_als.
    SettingError
        If a genre is unknown.
    """
    from mfx.figures.explanations import signed_bars

    adviser, model = Adviser(run.model), factor_model(run)
    if not isinstance(model, GenreALS):
        raise ModelError(
            f"{model.name} knows nothing of items without ratings.", "Choose a run of genre_als: mfx model=genre_als"
        )
    names = adviser.genre_names(genres)
    who, row, taken = _asking(adviser, model, request)
    features, rows_of_features = model.new_item_parts({"genres": names})
    found = parts.shares(model.offset_, row, rows_of_features)
    low, high = model.scale_.low, model.scale_.high
    prediction = float(model.predictions(np.array([found.prediction]))[0])
    points = [("mean of all ratings", found.mean), (f"bias of {who}", found.user_bias)]
    points += [(name, float(share)) for name, share in zip(map(_plainly, features), found.shares, strict=True)]
    rows: list[dict[str, Any]] = [{"part": part, "points": value} for part, value in points]
    if prediction != found.prediction:
        rows.append({"part": "clipping to the scale", "points": prediction - found.prediction})
    rows.append({"part": "prediction", "points": prediction})
    clipped = f", clipped to {prediction:g}" if prediction != found.prediction else ""
    label = " + ".join(names)
    figure = signed_bars(
        [part for part, _ in points[1:]],
        [value for _, value in points[1:]],
        axis=f"Share of the prediction ({RATING_POINTS})",
        title=f"A new item, {label}: {prediction:.2f} for {who}",
        caption=f"{run.caption}. Mean {found.mean:.3f} plus the bars gives the predicted rating, "
        f"{found.prediction:.3f}{clipped}, on the scale {low:g} to {high:g}. The item has no ratings.",
    )
    name = f"new_item_{safe_name('-'.join(names))}_{_stem(who, taken)}"
    facts = {"genres": names, "prediction": prediction, "scale": [low, high]}
    title = f"A new item, {label}, for {who} · {run.caption}"
    return Explanation(name, title, rows, facts, {name: figure}, taken)


def _plainly(feature: str) -> str:
    """Name a feature for people: the genre itself, and what all new items have in common."""
    return {CONSTANT: "any item", COUNT: "no ratings yet"}.get(feature, bare(feature))


def polarising(run: FinishedRun, k: int = 10, min_ratings: int = POLARISING_MIN) -> Explanation:
    """List the well-known items with the longest factors: those whose predictions differ most between users.

    Raises
    ------
    ModelError
        If the model has no factors, or no item has that many ratings.
    """
    from mfx.figures.explanations import signed_bars

    check_length(k)
    check_min_ratings(min_ratings)
    adviser, model = Adviser(run.model), factor_model(run, factors=True)
    norms, counts = parts.factor_norms(model.item_factors_), model.seen_.item_counts
    known = np.flatnonzero(counts >= max(1, min_ratings))
    if not known.size:
        raise ModelError(f"No item has {min_ratings} ratings.", f"The most rated has {int(counts.max())}.")
    best = known[np.argsort(-norms[known], kind="stable")][:k]
    items = adviser.items(adviser.catalogue.item_ids[best], norms[best].astype(np.float32))
    biases = model.item_bias_[best]
    rows = [
        {
            "rank": item.rank,
            "item_id": item.item_id,
            "title": item.title,
            "genres": ", ".join(item.genres),
            "length": float(norm),
            "item_bias": float(bias),
            "ratings": item.ratings,
        }
        for item, norm, bias in zip(items, norms[best], biases, strict=True)
    ]
    figure = signed_bars(
        [item.title or f"id {item.item_id}" for item in items],
        norms[best].tolist(),
        axis="Length of the item's factors (no unit)",
        title="The most polarising items",
        caption=f"{run.caption}. Longest item factors among the {known.size:,} items with at least "
        f"{max(1, min_ratings)} ratings; their median is {np.median(norms[known]):.3f}.",
    )
    facts = {"min_ratings": min_ratings, "items": int(known.size), "median_length": float(np.median(norms[known]))}
    title = f"Most polarising items{_at_least(min_ratings)} · {run.caption}"
    return Explanation("polarising", title, rows, facts, {"polarising": figure})


def genre_map(run: FinishedRun, seed: int = 1) -> Explanation:
    """Place genres in two dimensions: the rows of genre_als's map, or the mean factors of each genre's items.

    By principal components always; by t-SNE where scikit-learn is installed and there are six genres or more.

    Raises
    ------
    ModelError
        If the model has no factors, or the data set no genres.
    """
    from mfx.figures.explanations import named_points

    model = factor_model(run, factors=True)
    features = model.catalogue_.item_features.get("genres")
    if features is None:
        raise ModelError("This data set has no genres of items.", "Choose a run on data that have them.")
    counts = model.seen_.item_counts
    columns, points = parts.genre_centroids(model.item_factors_, features, counts)
    what = "means of the factors of each genre's rated items"
    if isinstance(model, GenreALS) and "genres" in model.item_side.columns:
        points, what = model.genre_map_[columns], "rows of the genre map W"
    names = [features.names[column] for column in columns]
    rated = features.dense()[counts > 0][:, columns]
    sizes = (rated > 0).sum(axis=0).tolist()
    places, shares = parts.principal(points.astype(np.float64))
    about = f"{run.caption}. {what[:1].upper()}{what[1:]}; the area of a point grows with its number of rated items."
    title = "Genres in the space of factors"
    drawn = {
        "genres_pca": named_points(
            names,
            places,
            sizes,
            axes_names=(_component(1, shares[0]), _component(2, shares[1])),
            title=f"{title}: principal components",
            caption=about,
        )
    }
    near = parts.neighbours_map(points.astype(np.float64), seed)
    if near is not None:
        drawn["genres_tsne"] = named_points(
            names,
            near,
            sizes,
            axes_names=("t-SNE 1 (no unit)", "t-SNE 2 (no unit)"),
            title=f"{title}: t-SNE",
            caption=f"{about} Neighbours are near each other; long distances mean nothing.",
        )
    rows = [
        {"genre": name, "items": size, "pca_1": float(place[0]), "pca_2": float(place[1])}
        | ({} if near is None else {"tsne_1": float(near[at, 0]), "tsne_2": float(near[at, 1])})
        for at, (name, size, place) in enumerate(zip(names, sizes, places, strict=True))
    ]
    facts = {"variance": [float(share) for share in shares], "points": what, "tsne": near is not None}
    return Explanation("genres", f"{title}, {what} · {run.caption}", rows, facts, drawn)


def factor_model(run: FinishedRun, *, factors: bool = False) -> FactorModel:
    """Return the run's model if it has tables of biases (and factors, if asked for); ModelError otherwise."""
    model = run.model
    if not isinstance(model, FactorModel) or (factors and not model.item_factors_.shape[1]):
        raise ModelError(f"{model.name} has no factors to explain.", "Choose a run of als, genre_als or bpr.")
    return model


def _asking(adviser: Adviser, model: FactorModel, request: Request) -> tuple[str, AnyArray, list[Taken]]:
    """Name who asks, and return their row of factors and bias."""
    if request.user is not None:
        user = adviser.known_user(request.user)
        row: AnyArray = model.user_table_[int(adviser.catalogue.user_index([user])[0])]
        return f"user {user}", row, []
    folded, taken = adviser.fold_in(request.ratings or "")
    assert folded.row is not None  # factor models give every folded user a row
    return "the new user", folded.row, taken


def _stem(who: str, taken: list[Taken]) -> str:
    """Name files after a user; those of different new users differ."""
    if not taken:
        return safe_name(who.replace(" ", "_"))
    told = ";".join(f"{one.item_id}={one.rating:g}" for one in taken)
    return f"new_user_{hashlib.blake2b(told.encode(), digest_size=3).hexdigest()}"


def _at_least(min_ratings: int) -> str:
    return f", items with at least {min_ratings} ratings" if min_ratings else ""


def _cell(value: Any) -> Any:
    return f"{value:.9g}" if isinstance(value, float) else value


def _component(number: int, share: float) -> str:
    return f"Component {number} ({share:.0%} of the variance)"
