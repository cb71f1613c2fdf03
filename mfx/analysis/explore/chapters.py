"""The chapters about ratings as such: how many, how high, whose, of what, when, and how they lie in memory."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import partial
from typing import Any

from mfx.analysis.explore import counts, layout
from mfx.analysis.explore.exhibits import Chapter, Exhibit, percent
from mfx.analysis.explore.plan import ExploreSettings
from mfx.analysis.page import Table
from mfx.interfaces import Ratings

_LABELS = {
    "ratings": "ratings",
    "users": "users with ratings",
    "items": "items with ratings",
    "items_in_catalogue": "items in the catalogue",
    "density": "density: ratings / (users · items with ratings)",
    "mean_rating": "mean rating (rating points)",
    "first_date": "first rating (UTC)",
    "last_date": "last rating (UTC)",
}


@dataclass(frozen=True)
class Context:
    """What all chapters are made from.

    Attributes
    ----------
    about : str
        Start of the caption of every figure: the data.
    facts : dict
        Of `counts.summary`.
    """

    ratings: Ratings
    settings: ExploreSettings
    about: str
    facts: dict[str, Any]

    @property
    def whole(self) -> str:
        """Caption of figures that show all ratings."""
        return f"{self.about} All ratings, before any split."


def overview(context: Context) -> Chapter:
    """Say how much there is."""
    facts = context.facts
    rows = [[label, facts[name]] for name, label in _LABELS.items() if name in facts]
    shown = [[label, percent(value, 3) if label.startswith("density") else value] for label, value in rows]
    sides = [
        [f"ratings per {side}", *(facts[f"per_{side}_{name}"] for name in ("min", "median", "mean", "max"))]
        for side in ("user", "item")
    ]
    prose = ["Users and items without ratings do not count in the numbers per user and per item."]
    if "first_date" not in facts:
        prose.append("This data set has no timestamps.")
    tables = [
        Table(["what", "number"], [[a, b if isinstance(b, str) else _written(b)] for a, b in shown]),
        Table(["", "least", "median", "mean", "most"], sides),
    ]
    numbers = Table(["fact", "value"], [[name, value] for name, value in facts.items()])
    return Chapter("Summary", prose, [Exhibit("summary", numbers)], tables)


def _written(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def distribution(context: Context) -> Chapter:
    """Say how high ratings are."""
    from mfx.figures import bars

    found = counts.distribution(context.ratings)
    share = found.counts / found.counts.sum()
    mode = int(found.counts.argmax())
    what = "value" if found.width is None else f"bin of width {found.width:.3g} around"
    text = f"The most frequent {what} is {found.values[mode]:g}, {percent(share[mode])} of all ratings."
    draw = partial(
        bars.distribution,
        found.values.tolist(),
        found.counts.tolist(),
        width=found.width,
        title="How ratings are distributed",
        caption=context.whole,
    )
    rows = list(zip(found.values.tolist(), found.counts.tolist(), share.tolist(), strict=True))
    numbers = Table(["rating", "count", "share"], rows)
    return Chapter("Rating distribution", [text], [Exhibit("rating_distribution", numbers, draw, f"Bars. {text}")])


def most(context: Context) -> Chapter:
    """Name the most active users and the most rated items."""
    from mfx.figures import bars

    ratings, k = context.ratings, context.settings.top
    users, items = counts.top(ratings.user_counts, k), counts.top(ratings.item_counts, k)
    user_ids, item_ids = ratings.catalogue.user_ids[users].tolist(), ratings.catalogue.item_ids[items].tolist()
    by_user, by_item = ratings.user_counts[users].tolist(), ratings.item_counts[items].tolist()
    names = counts.titles(ratings.catalogue, items)
    share = by_user[0] / len(ratings), by_item[0] / context.facts["users"]
    text = (
        f"User {user_ids[0]} gave the most ratings, {by_user[0]:,} ({percent(share[0], 2)} of all). "
        f"“{names[0]}” got the most, {by_item[0]:,}: {percent(share[1])} of the users rated it."
    )
    draw_users = partial(
        bars.ranking,
        [f"user {one}" for one in user_ids],
        by_user,
        x_label="Ratings given (count)",
        title=f"The {len(users)} most active users",
        caption=context.whole,
    )
    draw_items = partial(
        bars.ranking,
        names,
        by_item,
        x_label="Ratings received (count)",
        title=f"The {len(items)} most rated items",
        caption=context.whole,
    )
    exhibits = [
        Exhibit(
            "top_users",
            Table(["rank", "user_id", "ratings"], _ranked(user_ids, by_user)),
            draw_users,
            f"Bars: the most active users, from {by_user[0]:,} down to {by_user[-1]:,} ratings.",
        ),
        Exhibit(
            "top_items",
            Table(["rank", "item_id", "title", "ratings"], _ranked(item_ids, names, by_item)),
            draw_items,
            f"Bars: the most rated items, from {names[0]} with {by_item[0]:,} to {names[-1]} with {by_item[-1]:,}.",
        ),
    ]
    return Chapter("Most active users, most rated items", [text], exhibits)


def _ranked(*columns: list[Any]) -> list[list[Any]]:
    return [[rank, *row] for rank, row in enumerate(zip(*columns, strict=True), 1)]


def time(context: Context) -> Chapter:
    """Say when ratings were given."""
    from mfx.figures import bars

    found = counts.months(context.ratings)
    heading = "Ratings over time"
    if found is None:
        return Chapter(heading, ["This data set has no timestamps."])
    axis, per_month = found[0], found[1].tolist()
    dates: list[datetime.date] = axis.astype("datetime64[D]").tolist()
    named = ", ".join(f"{dates[place]:%B %Y} ({per_month[place]:,})" for place in bars.peaks(per_month, 3))
    text = f"The busiest months, each the highest within half a year: {named}."
    draw = partial(bars.over_time, dates, per_month, title="Ratings per month", caption=context.whole)
    rows = list(zip(map(str, axis.tolist()), per_month, strict=True))
    numbers = Table(["month", "ratings"], [[month[:7], count] for month, count in rows])
    return Chapter(heading, [text], [Exhibit("ratings_per_month", numbers, draw, f"A line over months. {text}")])


def memory(context: Context) -> Chapter:
    """Say what the index and the sparse layouts cost, measured."""
    from mfx.figures import bars

    found = layout.measure(context.ratings)
    names = [part.name for part in found.parts]
    notes = ["" if part.seconds is None else f", built in {_seconds(part.seconds)}" for part in found.parts]
    whole = sum(part.bytes for part in found.parts)
    text = (
        f"Raw ids become positions in two sorted arrays; {found.ids_per_second / 1e6:,.3g} million ids are looked up "
        f"in a second. Both sparse layouts were built in {_seconds(sum(part.seconds or 0.0 for part in found.parts))}. "
        f"Together {bars.in_bytes(whole)}, {whole / len(context.ratings):.1f} bytes a rating; a full table would take "
        f"{bars.in_bytes(found.dense_bytes)}."
    )
    draw = partial(
        bars.sizes,
        names,
        [part.bytes for part in found.parts],
        notes,
        dense=found.dense_bytes,
        title="What the ratings take in memory",
        caption=f"{context.whole} Sizes of arrays and times were measured on this machine.",
    )
    rows = [[part.name, part.what, part.bytes, part.seconds] for part in found.parts]
    numbers = Table(["part", "what", "bytes", "seconds"], rows)
    exhibit = Exhibit("sparse_layout", numbers, draw, f"Bars of megabytes. {text}")
    return Chapter("Index and sparse layouts", [text], [exhibit], [numbers])


def _seconds(value: float) -> str:
    return f"{1000 * value:.2g} ms" if value < 0.0995 else f"{value:.2g} s"
