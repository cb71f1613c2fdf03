"""Parts of a test set that are worth a look of their own: cold, tail and head items, light and heavy users, genres."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mfx.interfaces import BoolArray, Catalogue, IndexArray, PointerArray, Ratings


@dataclass(frozen=True, eq=False)
class Slice:
    """Some items, or some users.

    Attributes
    ----------
    name : str
        Such as ``"tail items"``.
    rule : str
        What belongs to it.
    items, users : bool array or None
        Which items, or which users, of the catalogue; one of the two is None.
    """

    name: str
    rule: str
    items: BoolArray | None = None
    users: BoolArray | None = None

    def ratings(self, part: Ratings) -> BoolArray:
        """Say which ratings of a part belong to the slice."""
        if self.items is not None:
            return self.items[part.items]
        assert self.users is not None
        return self.users[part.users]

    def over(self, catalogue: Catalogue, other: Catalogue) -> Slice:
        """Return the slice of a catalogue over another one; users and items that only the other one has are outside."""
        if self.items is not None:
            return replace(self, items=_marked(self.items, catalogue.item_index(other.item_ids)))
        assert self.users is not None
        return replace(self, users=_marked(self.users, catalogue.user_index(other.user_ids)))


def _marked(marks: BoolArray, places: IndexArray) -> BoolArray:
    return (places >= 0) & marks[places]


def slices(history: Ratings, held_out: Ratings) -> list[Slice]:
    """Cut a held-out part by what was known before.

    Parameters
    ----------
    history : Ratings
        What models were fitted on, train and valid; nothing else decides who is heavy and what is popular.
    held_out : Ratings
        Slices without ratings here are left out.

    Returns
    -------
    list of Slice
        Cold, tail and head items, which are all items; light and heavy users, which are all users; then a slice for
        each genre of the catalogue, by number of held-out ratings. An item has several genres, so these overlap.
    """
    items, users = half_of_the_ratings(history.item_counts), half_of_the_ratings(history.user_counts)
    cold = history.item_counts == 0
    found = [
        Slice("cold items", "no rating to learn from", items=cold),
        Slice("tail items", "some ratings to learn from, but no head item", items=~cold & ~items),
        Slice("head items", "the fewest items that hold half of the ratings to learn from", items=items),
        Slice("light users", "all users but the heavy ones", users=~users),
        Slice("heavy users", "the fewest users who gave half of the ratings to learn from", users=users),
    ]
    found += _genres(held_out)
    return [one for one in found if one.ratings(held_out).any()]


def half_of_the_ratings(counts: PointerArray) -> BoolArray:
    """Mark the fewest rows that together have at least half of all ratings; ties go to the lower index."""
    order = np.argsort(-counts, kind="stable")
    reached = np.cumsum(counts[order])
    marked = np.zeros(counts.size, dtype=np.bool_)
    if counts.size and reached[-1]:
        marked[order[: int(np.searchsorted(reached, reached[-1] / 2)) + 1]] = True
    return marked


def _genres(held_out: Ratings) -> list[Slice]:
    genres = held_out.catalogue.item_features.get("genres")
    if genres is None:
        return []
    rows = np.repeat(np.arange(len(genres)), np.diff(genres.indptr))
    found = []
    for column, name in enumerate(genres.names):
        items = np.zeros(len(genres), dtype=np.bool_)
        items[rows[genres.indices == column]] = True
        found.append(Slice(name, "items of this genre", items=items))
    return sorted(found, key=lambda one: (-int(one.ratings(held_out).sum()), one.name))
