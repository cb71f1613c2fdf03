"""Finding an item by what a person calls it: case, accents, articles and small slips do not matter."""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mfx.errors import MFXError
from mfx.interfaces import AnyArray, Catalogue, PointerArray

CANDIDATES = 6
"""How many items an error names."""
CLOSE, VERY_CLOSE, LEAD = 0.7, 0.85, 0.05
"""Likeness (difflib's ratio) from which a title is suggested; from which it is taken, and by how much it must lead."""

_YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
_BARE_YEAR = re.compile(r"[\s,(]+((?:18|19|20)\d{2})\)?\s*$")
_INITIALS = re.compile(r"\b([^\W\d_]) (?=[^\W\d_]\b)")
_ALIAS = re.compile(r"\(([^()]*)\)")
_ARTICLE = "the|an?|las?|les?|los?|el|il|gli|une?|der|die|das|ein|den|det|os?"
_TRAILING = re.compile(rf",\s*(?:(?:{_ARTICLE})|l')\s*$")
_LEADING = re.compile(rf"^(?:{_ARTICLE})\s+(?=\S)")
_ROMAN = {text: str(number) for number, text in enumerate(["ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"], start=2)}


class UnknownItem(MFXError):
    """No item, or more than one, is meant by what was written."""


@dataclass(frozen=True)
class Match:
    """An item and how it was found.

    Attributes
    ----------
    text : str
        What was written.
    index : int
        The item's index in the catalogue.
    exact : bool
        Whether id or whole title agree; otherwise a part of the title, or its spelling, did.
    """

    text: str
    index: int
    exact: bool


class TitleIndex:
    """Finds items of a catalogue by raw id or title.

    Parameters
    ----------
    catalogue : Catalogue
        Items and their titles.
    counts : int64 array, shape (items,)
        Ratings of each item: in lists of candidates the best known come first.
    """

    def __init__(self, catalogue: Catalogue, counts: PointerArray) -> None:
        self._catalogue, self._counts = catalogue, counts

    def find(self, text: str) -> Match:
        """Find the one item that is meant.

        Tried in turn: ``id:RAW``; the whole title (articles, case, accents, punctuation and Roman numerals aside);
        its beginning; words in a row; all words; any part; a close spelling of the title or its beginning. The year
        is optional.

        Raises
        ------
        UnknownItem
            If nothing fits, or several items fit equally well; names candidates with their ids.
        """
        wanted = text.strip()
        if wanted.lower().startswith("id:"):
            return Match(text, self._by_id(wanted[3:].strip()), True)
        if not wanted:
            raise UnknownItem("An item without a name.", "Write its title, or id: and its id.")
        bare = self._index_of(wanted)
        if not self._names:
            if bare is None:
                raise UnknownItem(
                    f"There is no item with the id '{wanted}', and this data set has no titles.", self._some_ids()
                )
            return Match(text, bare, True)
        name, year = normal_title(wanted)
        found, exact = self._by_title(name, year)
        typed = None if found or year else _BARE_YEAR.search(wanted)
        if typed is not None:
            found, exact = self._by_title(_normal(wanted[: typed.start()]), typed[1])
        if bare is not None and bare not in found:
            found, exact = ([*found, bare], True) if exact else ([bare], True)
        if len(found) == 1:
            return Match(text, found[0], exact)
        if found:
            raise UnknownItem(
                f"'{wanted}' may mean {len(found)} items: {self._listed(found)}.",
                f"Write the year, more of the title, or id:{self._catalogue.item_ids[found[0]]}.",
            )
        return self._by_spelling(text, name, year)

    def label(self, index: int) -> str:
        """Name an item for people: its title, where it has one, and its id."""
        titles, raw = self._catalogue.titles, self._catalogue.item_ids[index]
        return f"{titles[index]} [id {raw}]" if titles is not None and titles[index] else f"id {raw}"

    @functools.cached_property
    def _names(self) -> dict[str, list[int]]:
        """Items by each of their normal names."""
        names: dict[str, list[int]] = defaultdict(list)
        for index, title in enumerate([] if self._catalogue.titles is None else self._catalogue.titles.tolist()):
            for name in normal_names(title):
                names[name].append(index)
        return dict(names)

    @functools.cached_property
    def _own_names(self) -> dict[str, list[int]]:
        """Items by their first normal name: that of the title without what stands in parentheses."""
        own: dict[str, list[int]] = defaultdict(list)
        for index, title in enumerate([] if self._catalogue.titles is None else self._catalogue.titles.tolist()):
            for name in normal_names(title)[:1]:
                own[name].append(index)
        return dict(own)

    @functools.cached_property
    def _years(self) -> list[str]:
        titles = self._catalogue.titles
        found = [] if titles is None else [_YEAR.search(title) for title in titles.tolist()]
        return [match[1] if match else "" for match in found]

    def _by_title(self, name: str, year: str) -> tuple[list[int], bool]:
        whole = [index for index in self._ordered(self._names.get(name, [])) if year in ("", self._years[index])]
        if whole:
            return whole, True
        words = set(name.split())
        ways: tuple[Callable[[str], bool], ...] = (
            lambda other: other.startswith(f"{name} "),
            lambda other: f" {name} " in f" {other} ",
            lambda other: words <= set(other.split()),
            lambda other: len(name) >= 3 and name in other,
        )
        for way in ways if name else ():
            for names in (self._own_names, self._names):
                found = self._ordered(index for other, items in names.items() if way(other) for index in items)
                found = [index for index in found if year in ("", self._years[index])]
                if found:
                    return found, False
        return [], False

    def _by_spelling(self, text: str, name: str, year: str) -> Match:
        spellings = self._spellings(len(name.split())) if name else {}
        close = difflib.get_close_matches(name, spellings, n=CANDIDATES, cutoff=CLOSE)
        found = self._ordered(index for other in close for index in spellings[other])
        likely = [index for index in found if year in ("", self._years[index])]
        likeness = [difflib.SequenceMatcher(None, other, name).ratio() for other in close] + [0.0]
        clear = likeness[0] >= VERY_CLOSE and likeness[0] - likeness[1] >= LEAD
        # A slip of the keyboard makes no second part of a first.
        if likely and clear and _numbers(close[0]) == _numbers(name):
            best = [index for index in likely if index in spellings[close[0]]]
            if len(best) == 1:
                return Match(text, best[0], False)
        if year:
            found = self._by_title(name, "")[0] or found
        hint = f"Close: {self._listed(found)}." if found else "Write a part of the title, or id: and its id."
        raise UnknownItem(f"There is no item called '{text.strip()}'.", hint)

    def _spellings(self, words: int) -> dict[str, list[int]]:
        """Items by what may have been meant: whole names, and the beginnings of longer ones, so many words long."""
        beginnings: dict[str, list[int]] = defaultdict(list)
        for name, items in self._names.items():
            parts = name.split()
            if len(parts) > words:
                beginnings[" ".join(parts[:words])] += items
        return {**beginnings, **self._names}

    def _by_id(self, raw: str) -> int:
        index = self._index_of(raw)
        if index is None:
            raise UnknownItem(f"There is no item with the id '{raw}'.", self._some_ids())
        return index

    def _index_of(self, raw: str) -> int | None:
        try:
            value = parse_id(raw, self._catalogue.item_ids)
        except ValueError:
            return None
        index = int(self._catalogue.item_index([value])[0])
        return None if index < 0 else index

    def _some_ids(self) -> str:
        ids = self._catalogue.item_ids
        return f"Ids of items go from {ids[0]} to {ids[-1]}." if ids.size else "There are no items."

    def _ordered(self, items: Iterable[int]) -> list[int]:
        return sorted(set(items), key=lambda index: (-int(self._counts[index]), index))

    def _listed(self, items: list[int]) -> str:
        more = f" and {len(items) - CANDIDATES} more" if len(items) > CANDIDATES else ""
        return "; ".join(self.label(index) for index in items[:CANDIDATES]) + more


def parse_id(text: str, ids: AnyArray) -> int | str:
    """Read a raw id of the type that `ids` has.

    Raises
    ------
    ValueError
        If ids are whole numbers and the text is none, or one beyond 64 bits.
    """
    if ids.dtype.kind == "O":
        return text
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{number} is beyond 64 bits with a sign.")
    return number


def normal_title(text: str) -> tuple[str, str]:
    """Split a title into its name in normal form and its year ('' without one)."""
    year = _YEAR.search(text)
    name = text[: year.start()] if year else text
    return _normal(name), year[1] if year else ""


def normal_names(title: str) -> list[str]:
    """All names of a title in normal form: that before the year, and those in other parentheses."""
    rest = _YEAR.sub("", title)
    aliases = [re.sub(r"^a\.?k\.?a\.?\s+", "", alias, flags=re.IGNORECASE) for alias in _ALIAS.findall(rest)]
    names = [_normal(part) for part in (_ALIAS.sub(" ", rest), rest, *aliases)]
    return list(dict.fromkeys(name for name in names if name))


def _normal(name: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()
    plain = re.sub(r"['’`]", "", _TRAILING.sub("", plain.strip()).replace("&", " and "))
    words = _INITIALS.sub(r"\1", re.sub(r"[\W_]+", " ", plain).strip())
    return " ".join(_ROMAN.get(word, word) for word in _LEADING.sub("", words).split())


def _numbers(name: str) -> list[str]:
    return [word for word in name.split() if any(map(str.isdigit, word))]
