"""Ratings of somebody new, as a person writes them: ``The Matrix=5; Terminator 2=5; id:541=4.5``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mfx.analysis.titles import TitleIndex
from mfx.errors import SettingError
from mfx.interfaces import Catalogue, RatingScale


@dataclass(frozen=True)
class Taken:
    """One rating and the item it was taken to mean.

    Attributes
    ----------
    exact : bool
        Whether the item's id or whole title was written.
    """

    text: str
    item_id: Any
    title: str
    rating: float
    exact: bool


def parse(text: str) -> list[tuple[str, float]]:
    """Split ``TITLE=RATING; TITLE=RATING`` into pairs.

    Raises
    ------
    SettingError
        Naming the first piece that is no rating.
    """
    pairs = []
    for piece in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (part.strip() for part in piece.rpartition("="))
        if not equals or not name:
            raise SettingError(f"ratings: '{piece}' is no rating.", "Write TITLE=RATING, several with ; between them.")
        try:
            number = float(value)
        except ValueError:
            raise SettingError(f"ratings: '{value}' in '{piece}' is no number.", "Write TITLE=RATING.") from None
        pairs.append((name, number))
    if not pairs:
        raise SettingError("ratings: there are none.", "Write at least one, such as ratings='The Matrix=5'.")
    return pairs


def take(
    index: TitleIndex, catalogue: Catalogue, scale: RatingScale, pairs: Sequence[tuple[str, float]]
) -> list[Taken]:
    """Find the item of each rating.

    Raises
    ------
    SettingError
        If a rating is outside the scale, or an item is rated twice.
    UnknownItem
        If an item is unknown or not the only one of that name.
    """
    taken: dict[int, Taken] = {}
    for text, rating in pairs:
        _check(text, rating, scale)
        match = index.find(text)
        if match.index in taken:
            first = taken[match.index].text
            raise SettingError(
                f"ratings: '{first}' and '{text}' both mean {index.label(match.index)}.", "Rate it once."
            )
        title = "" if catalogue.titles is None else str(catalogue.titles[match.index])
        taken[match.index] = Taken(text, catalogue.item_ids.item(match.index), title, rating, match.exact)
    return list(taken.values())


def _check(text: str, rating: float, scale: RatingScale) -> None:
    outside = scale.low < scale.high and not scale.low <= rating <= scale.high
    if outside or not math.isfinite(rating):
        raise SettingError(f"ratings: {text}={rating:g} is outside the scale, {scale.low:g} to {scale.high:g}.")
