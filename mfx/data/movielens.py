"""The three file layouts of MovieLens: what lies in which file, and how to read it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from mfx.data.items_table import genres_in
from mfx.data.layout import Layout, readable, rows_of
from mfx.data.raw import Facts, Tags
from mfx.data.sources import Source
from mfx.errors import DataError
from mfx.interfaces import RatingScale
from mfx.quoting import Opener, Quotes, read_with_quotes

_UNKNOWN = "unknown"
"""The genre that MovieLens 100K gives to movies of unknown genre; elsewhere the word is a genre like any other."""

_AGES = {"1": "under 18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55", "56": "56+"}
_OCCUPATIONS = (
    "other", "educator", "artist", "clerical", "student", "customer service", "doctor", "executive", "farmer",
    "homemaker", "K-12 student", "lawyer", "programmer", "retired", "sales", "scientist", "self-employed",
    "technician", "tradesman", "unemployed", "writer",
)  # fmt: skip
_OLD_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


@dataclass(frozen=True)
class MovieLensLayout:
    """One of the layouts, found in a source.

    Attributes
    ----------
    ratings : str
        Member that holds the ratings.
    columns : Layout
        How it is written.
    items, users, tags : callable
        Read what is known of them; None where the data set says nothing.
    """

    ratings: str
    columns: Layout
    items: Callable[[Source], Facts | None]
    users: Callable[[Source], Facts | None]
    tags: Callable[[Source], Tags | None]


def layout_of(files: Source, scale: RatingScale | None) -> MovieLensLayout:
    """Tell the layout by the files that are there.

    Raises
    ------
    DataError
        If no file of ratings is among them, or the one that describes the movies is missing.
    """
    for ratings, movies, columns, readers in _LAYOUTS:
        member = files.find(ratings)
        if member is not None:
            if files.find(movies) is None:
                raise DataError(f"{files.path} holds {ratings} but no {movies}.", "Fetch the complete data set again.")
            return MovieLensLayout(member, replace(columns, scale=scale), *readers)
    found = ", ".join(files.members[:8]) + (", ..." if len(files.members) > 8 else "")
    raise DataError(
        f"{files.path} holds no ratings of MovieLens (u.data, ratings.dat or ratings.csv), only: {found or 'nothing'}.",
        "Set dataset.path to the zip that GroupLens publishes or to the folder it unpacks to.",
    )


def genres_of(field: str) -> list[str]:
    """Split "Action|Comedy" into its genres."""
    return genres_in(field.split("|"), "|") or []


def _lines(files: Source, member: str, separator: str, fields: int) -> Iterator[list[str]]:
    """Yield the fields of each line; the text between the first and the last ones may hold the separator."""
    for number, line in enumerate(io.StringIO(files.text(member)), 1):
        row = line.rstrip("\r\n").split(separator)
        if row == [""]:
            continue
        if len(row) < fields:
            raise DataError(
                f"{files.where(member)}: line {number} has {len(row)} fields instead of {fields}.",
                "Fetch the data set again.",
            )
        yield row


def _csv(files: Source, member: str, names: tuple[str, ...]) -> list[list[str]]:
    """Return the named columns of a CSV file."""
    where = files.where(member)

    def read(opener: Opener, quotes: Quotes) -> list[list[str]]:
        with opener() as stream, readable(where):
            rows = rows_of(stream, ",", quotes)
            _, header = next(rows, (0, []))
            missing = [name for name in names if name not in header]
            if missing:
                raise DataError(f"{where} has no column '{missing[0]}'.", "Fetch the data set again.")
            at = [header.index(name) for name in names]
            columns: list[list[str]] = [[] for _ in names]
            for number, row in rows:
                if len(row) != len(header):
                    raise DataError(
                        f"{where}: line {number} has {len(row)} fields instead of {len(header)}.",
                        "Fetch the data set again.",
                    )
                for column, place in zip(columns, at, strict=True):
                    column.append(row[place])
            return columns

    return read_with_quotes(lambda: files.open(member), read, quoting="csv", separator=",", where=where, setting="")


def _member(files: Source, name: str) -> str:
    member = files.find(name)
    if member is None:
        raise DataError(f"{files.path} holds no {name}.", "Fetch the complete data set again.")
    return member


def _items_100k(files: Source) -> Facts:
    member = _member(files, "u.item")
    listed = files.find("u.genre")
    order = {}
    for name, number in (row for row in _lines(files, listed, "|", 2)) if listed else ():
        order[int(number)] = name
    genres = [order[number] for number in sorted(order)] or list(_OLD_GENRES)
    rows = list(_lines(files, member, "|", 5 + len(genres)))
    carried = [
        [genre for genre, flag in zip(genres, row[-len(genres) :], strict=True) if flag == "1" and genre != _UNKNOWN]
        for row in rows
    ]
    return Facts(files.where(member), [row[0] for row in rows], [row[1] for row in rows], {"genres": carried})


def _users_100k(files: Source) -> Facts | None:
    member = files.find("u.user")
    if member is None:
        return None
    rows = list(_lines(files, member, "|", 5))
    blocks = {
        "age": [[_age_group(row[1])] for row in rows],
        "gender": [[row[2]] for row in rows],
        "occupation": [[row[3]] for row in rows],
    }
    return Facts(files.where(member), [row[0] for row in rows], None, blocks)


def _age_group(years: str) -> str:
    """Put an age in years into the groups of MovieLens 1M."""
    if not years.isdecimal():
        return years
    return _AGES[str(max((int(start) for start in _AGES if int(start) <= int(years)), default=1))]


def _items_dat(files: Source) -> Facts:
    member = _member(files, "movies.dat")
    rows = list(_lines(files, member, "::", 3))
    return Facts(
        files.where(member),
        [row[0] for row in rows],
        ["::".join(row[1:-1]) for row in rows],
        {"genres": [genres_of(row[-1]) for row in rows]},
    )


def _users_dat(files: Source) -> Facts | None:
    member = files.find("users.dat")
    if member is None:
        return None
    rows = list(_lines(files, member, "::", 5))
    blocks = {
        "age": [[_AGES.get(row[2], row[2])] for row in rows],
        "gender": [[row[1]] for row in rows],
        "occupation": [[_occupation(row[3])] for row in rows],
    }
    return Facts(files.where(member), [row[0] for row in rows], None, blocks)


def _occupation(code: str) -> str:
    return _OCCUPATIONS[int(code)] if code.isdecimal() and int(code) < len(_OCCUPATIONS) else code


def _tags_dat(files: Source) -> Tags | None:
    member = files.find("tags.dat")
    if member is None:
        return None
    rows = list(_lines(files, member, "::", 4))
    return Tags(files.where(member), [row[1] for row in rows], ["::".join(row[2:-1]) for row in rows])


def _items_csv(files: Source) -> Facts:
    member = _member(files, "movies.csv")
    ids, titles, genres = _csv(files, member, ("movieId", "title", "genres"))
    return Facts(files.where(member), ids, titles, {"genres": [genres_of(field) for field in genres]})


def _tags_csv(files: Source) -> Tags | None:
    member = files.find("tags.csv")
    if member is None:
        return None
    ids, tags = _csv(files, member, ("movieId", "tag"))
    return Tags(files.where(member), ids, tags)


def _nothing(files: Source) -> None:
    return None


_LAYOUTS = (
    ("u.data", "u.item", Layout(separator="\t", quoting="none"), (_items_100k, _users_100k, _nothing)),
    ("ratings.dat", "movies.dat", Layout(separator="::"), (_items_dat, _users_dat, _tags_dat)),
    (
        "ratings.csv",
        "movies.csv",
        Layout(user="userId", item="movieId", columns=()),
        (_items_csv, _nothing, _tags_csv),
    ),
)
