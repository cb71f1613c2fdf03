"""The chapters about how unequally ratings are spread over users and items, before and after the split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mfx.analysis.explore import degrees
from mfx.analysis.explore.chapters import Context
from mfx.analysis.explore.exhibits import Chapter, Exhibit, percent
from mfx.analysis.page import Table
from mfx.interfaces import PointerArray

FITTED = (
    "The dashed line is a power law fitted to the tail by maximum likelihood; the tail begins where law and data are "
    "closest (Clauset, Shalizi and Newman 2009)."
)


def whole(context: Context) -> Chapter:
    """Say how unequally ratings are spread, and how far a power law describes it."""
    from mfx.figures.degrees import Ranked, Reference, rank_plot

    sides = {"users": context.ratings.user_counts, "items": context.ratings.item_counts}
    curves = {side: degrees.rank_curve(found) for side, found in sides.items()}
    laws = {side: degrees.power_law(found) for side, found in sides.items()}
    references = {}
    text, rows = [], []
    for side, law in laws.items():
        if law is None:
            text.append(f"There are too few {side} for a fit.")
            continue
        ranks = np.unique(np.geomspace(1, law.tail, 60).round())
        label = f"power law, exponent {law.exponent:.2f}"
        references[side] = Reference(ranks.tolist(), law.line(ranks).tolist(), label, law.least)
        text.append(
            f"{side.capitalize()}: exponent {law.exponent:.2f} from {law.least:,} ratings on, which holds {law.tail:,} "
            f"of {law.size:,} {side}; the largest distance between law and tail is {law.distance:.3f}."
        )
        rows.append([side, law.exponent, law.least, law.tail, law.size, law.distance])
    draw = partial(
        rank_plot,
        {side: Ranked(curve.ranks.tolist(), curve.counts.tolist()) for side, curve in curves.items()},
        references,
        title="Few users and items hold most ratings",
        caption=f"{context.whole} {FITTED}",
    )
    numbers = [
        [side, rank, count]
        for side, curve in curves.items()
        for rank, count in zip(curve.ranks.tolist(), curve.counts.tolist(), strict=True)
    ]
    fit = Table(["side", "exponent", "least", "in_tail", "of", "distance"], rows)
    exhibit = Exhibit(
        "degrees",
        Table(["side", "rank", "ratings"], numbers),
        draw,
        "Two log-log plots of ratings against rank, users and items, with fitted lines. " + " ".join(text),
        {"fit": fit},
        wide=True,
    )
    halves = [
        f"The top 1 % of {side} hold {percent(_top_share(found), 0)} of the ratings." for side, found in sides.items()
    ]
    return Chapter("Users and items by number of ratings", [" ".join(halves), *text], [exhibit])


def _top_share(found: PointerArray) -> float:
    falling = -np.sort(-found[found > 0])
    return float(falling[: max(1, round(0.01 * falling.size))].sum() / falling.sum())


@dataclass(frozen=True)
class PartCounts:
    """Ratings of each user and each item in one part of a split."""

    users: PointerArray
    items: PointerArray


def parts(context: Context, name: str, rule: str, found: Mapping[str, PartCounts]) -> Chapter:
    """Show what the split does to the number of ratings of users and items.

    Parameters
    ----------
    name, rule : str
        Of the split.
    found : mapping of str to PartCounts
        By part; parts without ratings are left out of the figure.
    """
    from mfx.figures.degrees import Ranked, rank_overlay

    held = {part: one for part, one in found.items() if one.users.any()}
    curves = {
        side: {part: degrees.rank_curve(getattr(one, side)) for part, one in held.items()}
        for side in ("users", "items")
    }
    sizes = [
        [part, int(one.users.sum()), int(np.count_nonzero(one.users)), int(np.count_nonzero(one.items))]
        for part, one in found.items()
    ]
    shown = ", ".join(f"{part} {size:,}" for part, size, *_ in sizes)
    caption = f"{context.about} Split {name}: {shown} ratings."
    draw = partial(
        rank_overlay,
        {
            side: {part: Ranked(curve.ranks.tolist(), curve.counts.tolist()) for part, curve in by_part.items()}
            for side, by_part in curves.items()
        },
        title=f"Ratings by rank in each part of the {name} split",
        caption=caption,
    )
    numbers = [
        [side, part, rank, count]
        for side, by_part in curves.items()
        for part, curve in by_part.items()
        for rank, count in zip(curve.ranks.tolist(), curve.counts.tolist(), strict=True)
    ]
    cold = int(np.count_nonzero((found["test"].items > 0) & (found["train"].items + found["valid"].items == 0)))
    prose = [
        f"The rule: {rule}.",
        f"{cold:,} item{'s' if cold > 1 else ''} of test {'have' if cold > 1 else 'has'} no rating outside test."
        if cold
        else "Every item of test has a rating outside test.",
    ]
    table = Table(["part", "ratings", "users", "items"], sizes)
    alt = f"Two log-log plots of ratings against rank in train, valid and test, users and items. {shown} ratings."
    exhibit = Exhibit(
        "degrees_by_part", Table(["side", "part", "rank", "ratings"], numbers), draw, alt, {"sizes": table}, wide=True
    )
    return Chapter("After the split", prose, [exhibit], [table])
