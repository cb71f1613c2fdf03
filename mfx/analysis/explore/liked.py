"""The chapters about what is liked: popularity, means, genres, tags."""

from __future__ import annotations

from functools import partial

import numpy as np

from mfx.analysis.explore import counts, tastes
from mfx.analysis.explore.chapters import Context
from mfx.analysis.explore.exhibits import Chapter, Exhibit, percent
from mfx.analysis.page import Table
from mfx.interfaces import DoubleArray, Features, PointerArray

SHOWN = 24
"""Genres in a figure at most."""


def popularity(context: Context, means: DoubleArray) -> Chapter:
    """Say whether popular items are rated higher."""
    from mfx.figures import maps

    ratings = context.ratings
    found = tastes.trend(ratings.item_counts, means, ratings.rating_range.low, ratings.rating_range.high)
    there = np.flatnonzero(found.items)
    first, last = there[0], there[-1]
    text = (
        f"Items with {_range(found.edges, first)} have a mean rating of {found.mean[first]:.2f} on average, those with "
        f"{_range(found.edges, last)} one of {found.mean[last]:.2f}. Every item counts once; bins are equally wide on "
        "the logarithmic scale."
    )
    draw = partial(
        maps.popularity,
        found.edges,
        found.heights,
        found.cells,
        found.mean,
        found.low,
        found.high,
        title="Popularity and mean rating of items",
        caption=f"{context.whole} Line: mean of the items' means in a bin; dashed: quartiles.",
    )
    columns = ["from_ratings", "to_ratings", "items", "mean", "quartile_25", "quartile_75"]
    rows = zip(
        found.edges[:-1].astype(np.int64).tolist(),
        (found.edges[1:] - 1).astype(np.int64).tolist(),
        found.items.tolist(),
        *(array.tolist() for array in (found.mean, found.low, found.high)),
        strict=True,
    )
    numbers = Table(columns, [list(row) for row in rows])
    cells = [
        [int(found.edges[x]), found.heights[y], int(found.cells[x, y])] for x, y in np.argwhere(found.cells).tolist()
    ]
    exhibit = Exhibit(
        "popularity",
        numbers,
        draw,
        f"A map of items by number of ratings and mean rating, with a trend line. {text}",
        {"cells": Table(["from_ratings", "from_mean", "items"], cells)},
    )
    return Chapter("Popularity and mean rating", [text], [exhibit])


def _range(edges: DoubleArray, place: int) -> str:
    low, high = int(edges[place]), int(edges[place + 1]) - 1
    if low == high:
        return f"{low:,} rating{'s' if low > 1 else ''}"
    return f"{low:,} to {high:,} ratings"


def corner(context: Context) -> Chapter:
    """Show the ratings of the most active users and most rated items."""
    from mfx.figures import maps

    ratings, size = context.ratings, context.settings.corner
    users, items = counts.top(ratings.user_counts, size), counts.top(ratings.item_counts, size)
    cells = counts.corner(ratings, users, items)
    filled = float(np.isfinite(cells).mean())
    text = (
        f"The {users.size} most active users rated {percent(filled)} of the {items.size} most rated items; of all "
        f"pairs of users and items {percent(context.facts['density'], 3)} are rated."
    )
    draw = partial(
        maps.corner,
        cells,
        ratings.rating_range.low,
        ratings.rating_range.high,
        title=f"Ratings of the {users.size} most active users and {items.size} most rated items",
        caption=f"{context.whole} White: no rating ({percent(1 - filled)} of the cells).",
    )
    rows = [
        [ratings.catalogue.user_ids[users[row]], ratings.catalogue.item_ids[items[column]], float(cells[row, column])]
        for row, column in np.argwhere(np.isfinite(cells)).tolist()
    ]
    numbers = Table(["user_id", "item_id", "rating"], rows)
    exhibit = Exhibit("top_users_and_items", numbers, draw, f"A heat map of ratings. {text}")
    return Chapter("The densest corner of the table", [text], [exhibit])


def densities(context: Context, means: DoubleArray) -> Chapter:
    """Say where the mean ratings of items lie, over all and by genre."""
    from mfx.figures import maps

    ratings = context.ratings
    genres = tastes.genres_of(ratings.catalogue)
    groups = {"all items": np.ones(ratings.n_items, np.bool_)}
    if genres is not None:
        for column in counts.top(tastes.frequency(genres), context.settings.genres):
            groups[genres.names[column]] = tastes.members(genres, int(column))
    found = tastes.densities(means, groups, ratings.rating_range.low, ratings.rating_range.high)
    heading = "Mean ratings of items"
    if "all items" not in found.curves:
        return Chapter(heading, ["There are too few items with different mean ratings for a density."])
    peaks = {name: float(found.grid[curve.argmax()]) for name, curve in found.curves.items()}
    text = "The densities are highest at " + ", ".join(f"{peak:.2f} ({name})" for name, peak in peaks.items()) + "."
    draw = partial(
        maps.densities,
        found.grid.tolist(),
        {name: curve.tolist() for name, curve in found.curves.items()},
        found.items,
        title="Mean ratings of items" + (" over all and in the most frequent genres" if len(groups) > 1 else ""),
        caption=f"{context.whole} Gaussian kernels of Scott's width; every rated item counts once.",
    )
    columns = ["mean_rating", *found.curves]
    rows = np.column_stack([found.grid, *found.curves.values()]).tolist()
    alt = f"Kernel densities of the mean ratings of items. {text}"
    exhibit = Exhibit("mean_ratings", Table(columns, rows), draw, alt)
    return Chapter(heading, [text], [exhibit])


def genres(context: Context) -> Chapter:
    """Say how frequent genres are, and which go together."""
    from mfx.figures import bars, maps

    features = tastes.genres_of(context.ratings.catalogue)
    heading = "Genres"
    if features is None:
        return Chapter(heading, ["This data set tells no genres."])
    found = tastes.frequency(features)
    order = counts.top(found, SHOWN)
    names = [features.names[column] for column in order]
    pairs = tastes.together(features, order)
    left = "" if order.size == np.count_nonzero(found) else f" The {SHOWN} most frequent genres."
    text = [_frequency_text(features, found, names[0], int(found[order[0]]))]
    whole = f"{context.about} {len(features):,} items of the catalogue, rated or not, before any split."
    exhibits = [
        Exhibit(
            "genres",
            Table(
                ["genre", "items", "share"],
                [[n, int(found[c]), found[c] / len(features)] for n, c in zip(names, order, strict=True)],
            ),
            partial(
                bars.ranking,
                names,
                found[order].tolist(),
                x_label="Items (count)",
                title="How many items carry each genre",
                caption=f"{whole} An item may carry several.{left}",
            ),
            f"Bars of items per genre. {text[0]}",
        )
    ]
    if len(names) > 1:
        inside = pairs - np.eye(len(names))
        flat = [divmod(int(one), len(names)) for one in np.argsort(-inside, axis=None, kind="stable")[:3]]
        text.append(
            "The strongest ties: "
            + "; ".join(f"{percent(pairs[a, b], 0)} of {names[a]} is {names[b]} too" for a, b in flat)
            + "."
        )
        rows = [[names[a], names[b], pairs[a, b]] for a in range(len(names)) for b in range(len(names))]
        exhibits.append(
            Exhibit(
                "genres_together",
                Table(["a", "b", "p_b_given_a"], rows),
                partial(
                    maps.shares,
                    names,
                    pairs,
                    title="Which genres go together: P(B given A)",
                    caption=f"{whole} Row A, column B; the most frequent genre first.{left}",
                ),
                f"A heat map of the share of items with genre A that carry genre B. {text[1]}",
                wide=True,
            )
        )
    return Chapter(heading, text, exhibits)


def _frequency_text(features: Features, found: PointerArray, name: str, most: int) -> str:
    without = int(np.count_nonzero(np.diff(features.indptr) == 0))
    none = f" {without:,} item{'s have' if without > 1 else ' has'} no genre." if without else ""
    share = most / len(features)
    return f"{np.count_nonzero(found)} genres; the most frequent is {name}, on {percent(share, 0)} of the items.{none}"


def best(context: Context, means: DoubleArray) -> Chapter:
    """Name the best rated items, and the tags that were given most often."""
    from mfx.figures import bars

    ratings, k, least = context.ratings, context.settings.top, context.settings.min_ratings
    items = tastes.best_rated(ratings.item_counts, means, least, k)
    names = counts.titles(ratings.catalogue, items)
    exhibits, text = [], []
    able = int(np.count_nonzero(ratings.item_counts >= least))
    text.append(f"{able:,} item{' has' if able == 1 else 's have'} at least {least:,} ratings.")
    if items.size:
        value, count = means[items].tolist(), ratings.item_counts[items].tolist()
        text.append(f"The best rated of them is “{names[0]}” with a mean of {value[0]:.2f}.")
        low, high = ratings.rating_range.low, ratings.rating_range.high
        start = max(low, min(value) - 0.35 * max(high - min(value), 0.1))
        exhibits.append(
            Exhibit(
                "best_rated",
                Table(
                    ["rank", "item_id", "title", "mean_rating", "ratings"],
                    [
                        [rank, ratings.catalogue.item_ids[item], name, mean, size]
                        for rank, (item, name, mean, size) in enumerate(zip(items, names, value, count, strict=True), 1)
                    ],
                ),
                partial(
                    bars.ranking,
                    names,
                    value,
                    x_label="Mean rating (rating points)",
                    title=f"The {items.size} best rated items with at least {least:,} ratings",
                    caption=f"{context.whole} In brackets: ratings. The axis does not begin at the lowest.",
                    notes=[f"{mean:.2f} ({size:,})" for mean, size in zip(value, count, strict=True)],
                    start=start,
                ),
                f"Points: the best rated items, from {names[0]} ({value[0]:.2f}) to {names[-1]} ({value[-1]:.2f}).",
            )
        )
    tags = tastes.top_tags(ratings.catalogue, k)
    if tags is None:
        text.append("This data set has no tags.")
    else:
        words, given = tags[0], tags[1].tolist()
        text.append(f"The tag that was given most often is “{words[0]}”, {given[0]:,} times.")
        exhibits.append(
            Exhibit(
                "top_tags",
                Table(["rank", "tag", "times"], [[r, *row] for r, row in enumerate(zip(words, given, strict=True), 1)]),
                partial(
                    bars.ranking,
                    words,
                    given,
                    x_label="Times given (count)",
                    title=f"The {len(words)} most frequent tags",
                    caption=f"{context.about} Tags of items of the catalogue, whatever their case, before any split.",
                ),
                f"Bars: the most frequent tags, from {words[0]} ({given[0]:,}) to {words[-1]} ({given[-1]:,}).",
            )
        )
    return Chapter("Best rated items and tags", [" ".join(text)], exhibits)
