"""Parts that someone else published as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfx.columns import distinct, positions
from mfx.errors import SettingError, SplitError
from mfx.interfaces import PointerArray, Ratings, Split
from mfx.quoting import QUOTING
from mfx.raw_ids import IdsOfFile, check_matched
from mfx.registry import register
from mfx.settings import Component, setting
from mfx.split.chance import rating_hash, smallest
from mfx.split.parts import ASIDE, TEST, TRAIN, VALID, Labels, build, label_latest, require_ratings, require_timestamps
from mfx.split.settings import MORE_VALID
from mfx.split.shares import floor_share, floor_share_of
from mfx.split.tables import Table, check_columns, read_table
from mfx.timestamps import divided, joined, shown

_SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " ", "\\t": "\t"}
_VALID_STREAM = 2


@register("split", "predefined")
@dataclass(kw_only=True)
class PredefinedSplit(Component):
    """Train and test as listed in published files, such as ``u1.base`` and ``u1.test`` of MovieLens 100K.

    The files only say which rating belongs where; the ratings and the catalogue are those of the data set. A file's
    ratings and timestamps, where it has them, must agree with the data set.

    Parameters
    ----------
    train_path, test_path : str or None
        Files that list the ratings of train and of test; both must be given.
    valid_path : str or None
        File that lists the ratings of valid; None to take valid from train by `valid_rule`.
    separator : str
        Between columns: ``tab``, ``comma``, ``semicolon``, ``space``, or the characters themselves, such as ``::``.
    quoting : {"auto", "csv", "none"}
        What double quotes are. csv: they surround fields, and quotes inside are doubled; none: text like any other;
        auto: whichever of the two fits the file, which is refused if both do and differ. With a separator of several
        characters they are always text.
    columns : list of str
        Meaning of the files' columns from left to right: ``user_id``, ``item_id``, ``rating``, ``timestamp``, or
        ``-`` for a column to leave out.
    header : bool
        Whether the first line of each file names its columns.
    timestamp_unit : {"s", "ms", "us", "ns", "iso"}
        What timestamps of the files count since 1970-01-01 UTC, or ISO 8601 text.
    unknown_rows : {"refuse", "drop"}
        What to do with rows of the files that the data set lacks; when dropped, the rule says how many.
    unlisted_rows : {"refuse", "drop"}
        What to do with ratings of the data set that no file lists; when dropped, the rule says how many.
    valid_rule : {"random", "temporal"}
        How valid is taken from train: at random over all ratings, or the latest of each user.
    valid_fraction : float
        Share of valid in train, rounded down (for ``temporal``, per user); 0 for none, hence no early stopping.
        Not used with `valid_path`.
    seed : int
        Which random choice, for ``valid_rule=random``.

    Attributes
    ----------
    dropped_ : dict of str to int
        After `split`: ratings in no file, and rows of the files that are no ratings, by reason; empty if none.
    """

    train_path: str | None = setting(None)
    test_path: str | None = setting(None)
    valid_path: str | None = setting(None)
    separator: str = setting("tab")
    quoting: str = setting("auto", choices=QUOTING)
    columns: list[str] = setting(["user_id", "item_id", "rating", "timestamp"])
    header: bool = setting(False)
    timestamp_unit: str = setting("s", choices=("s", "ms", "us", "ns", "iso"))
    unknown_rows: str = setting("refuse", choices=("refuse", "drop"))
    unlisted_rows: str = setting("refuse", choices=("refuse", "drop"))
    valid_rule: str = setting("random", choices=("random", "temporal"))
    valid_fraction: float = setting(0.1, ge=0, lt=1)
    seed: int = setting(42, ge=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_columns(self.columns, "PredefinedSplit")
        if not self.train_path or not self.test_path:
            raise SettingError(
                "split 'predefined' needs the files of train and test.",
                "Set split.train_path=... and split.test_path=...",
            )
        if not self.separator:
            raise SettingError("PredefinedSplit.separator is empty.", "Use tab, comma, or the characters themselves.")
        if self.quoting == "csv" and len(_SEPARATORS.get(self.separator, self.separator)) > 1:
            raise SettingError(
                "PredefinedSplit.quoting=csv needs a separator of one character.",
                "With several, quotes are text: set split.quoting=none.",
            )

    @property
    def leaves_aside(self) -> bool:
        """Whether ratings may be in no part: those that no file lists, where that is not refused."""
        return self.unlisted_rows == "drop"

    def split(self, ratings: Ratings) -> Split:
        """Look the rows of the files up among the ratings.

        Raises
        ------
        SplitError
            If a file cannot be read, names a rating that the data set lacks or another file names too, disagrees
            with a rating, or leaves ratings out; or a part would be empty.
        """
        require_ratings(ratings, "predefined")
        if self.valid_rule == "temporal" and self.valid_path is None and self.valid_fraction:
            require_timestamps(ratings, "predefined")
        labels = np.full(len(ratings), ASIDE, dtype=np.int8)
        unknown = 0
        for path, part in ((self.train_path, TRAIN), (self.valid_path, VALID), (self.test_path, TEST)):
            if path is not None:
                unknown += self._mark(labels, part, self._read(path, ratings), ratings)
        unlisted = int(np.count_nonzero(labels == ASIDE))
        if unlisted and self.unlisted_rows == "refuse":
            raise SplitError(
                f"split 'predefined': {unlisted:,} of {len(ratings):,} ratings of '{ratings.name}' are in no file.",
                "Give files that cover the data set, or set split.unlisted_rows=drop.",
            )
        if self.valid_path is None:
            self._choose_valid(labels, ratings)
        left = {"rating in no file (unlisted_rows=drop)": unlisted, "row not in the data (unknown_rows=drop)": unknown}
        self.dropped_ = {reason: count for reason, count in left.items() if count}
        rule = f"predefined: train {self.train_path}, test {self.test_path}, valid {self._valid_text()}"
        if unlisted or unknown:
            rule += f"; dropped {unlisted} ratings in no file and {unknown} rows of the files not in the data set"
        return build(
            ratings,
            labels,
            rule,
            splitter="predefined",
            more_test="Check split.test_path.",
            more_valid=MORE_VALID if self.valid_path is None else "Check split.valid_path.",
            no_valid=self.valid_path is None and self.valid_fraction == 0,
        )

    def _read(self, path: str, ratings: Ratings) -> Table:
        return read_table(
            path,
            separator=_SEPARATORS.get(self.separator, self.separator),
            quoting=self.quoting,
            columns=self.columns,
            header=self.header,
            unit=self.timestamp_unit,
            user_type=ratings.catalogue.user_ids,
            item_type=ratings.catalogue.item_ids,
        )

    def _mark(self, labels: Labels, part: np.int8, table: Table, ratings: Ratings) -> int:
        rows, known = match(table, ratings)
        unknown = int(np.count_nonzero(~known))
        _check_ids(table, ratings)
        if unknown and self.unknown_rows == "refuse":
            first = int(np.flatnonzero(~known)[0])
            raise SplitError(
                f"split 'predefined': {unknown:,} of {len(table):,} rows of {table.path} are not in '{ratings.name}', "
                f"the first being user {table.user_ids[first]}, item {table.item_ids[first]}.",
                "Load the data set that the files were made from, or set split.unknown_rows=drop.",
            )
        refuse_disagreement(table, ratings, rows, known)
        found = rows[known]
        taken = int(np.count_nonzero(labels[found] != ASIDE)) + found.size - np.unique(found).size
        if taken:
            raise SplitError(
                f"split 'predefined': {taken:,} ratings of {table.path} are listed twice, there or in another part.",
                "Each rating belongs to one part: remove the repetition.",
            )
        labels[found] = part
        return unknown

    def _choose_valid(self, labels: Labels, ratings: Ratings) -> None:
        train = np.flatnonzero(labels == TRAIN)
        if self.valid_rule == "random":
            hashes = rating_hash(self.seed, ratings, stream=_VALID_STREAM)[train]
            labels[train] = VALID - smallest(hashes, [floor_share_of(self.valid_fraction, train.size)])
        elif self.valid_fraction:
            part = ratings.take(train)
            counts = floor_share(self.valid_fraction, part.user_counts)
            labels[train] = label_latest(part, require_timestamps(part, "predefined"), np.zeros_like(counts), counts)

    def _valid_text(self) -> str:
        if self.valid_path is not None:
            return self.valid_path
        if self.valid_rule == "random":
            return f"{self.valid_fraction} of train at random (seed {self.seed})"
        return f"the last {self.valid_fraction} of each user in train, equal timestamps in order of item id"


def _check_ids(table: Table, ratings: Ratings) -> None:
    """Log how many ids of a table the data set has; refuse a table that has no user or no item of it."""
    catalogue = ratings.catalogue
    sides = (("user", table.user_ids, catalogue.user_ids), ("item", table.item_ids, catalogue.item_ids))
    for what, listed, held in sides:
        ids = distinct(listed)
        known = positions(held, ids) >= 0
        check_matched(
            int(np.count_nonzero(known)),
            IdsOfFile(str(table.path), ids.size, ids[int(np.argmin(known))]),
            IdsOfFile(f"'{ratings.name}'", held.size, held[0]),
            what,
            SplitError,
        )


def match(table: Table, ratings: Ratings) -> tuple[PointerArray, NDArray[np.bool_]]:
    """Find the rating of each row of a table by its user and item.

    Returns
    -------
    rows : int64 array, shape (len(table),)
        Row of the ratings, meaningful where known.
    known : bool array, same shape
        Whether the data set has such a rating.

    Raises
    ------
    SplitError
        If the data set has several ratings of one user and item, so that a row could mean any of them.
    """
    n_items = np.int64(ratings.n_items)
    keys = ratings.users * n_items + ratings.items
    repeated = int(np.count_nonzero(keys[1:] == keys[:-1]))
    if repeated:
        raise SplitError(
            f"split 'predefined': {repeated:,} ratings of '{ratings.name}' repeat a user and item.",
            "Remove duplicate pairs from the data set first.",
        )
    users = ratings.catalogue.user_index(table.user_ids)
    items = ratings.catalogue.item_index(table.item_ids)
    wanted = users * n_items + items
    rows = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return rows, (users >= 0) & (items >= 0) & (keys[rows] == wanted)


def refuse_disagreement(table: Table, ratings: Ratings, rows: PointerArray, known: NDArray[np.bool_]) -> None:
    """Refuse a table whose ratings or timestamps differ from those of the data set.

    Raises
    ------
    SplitError
        Naming the first row that differs.
    """
    if table.ratings is not None:
        listed, loaded = table.ratings.astype(np.float32), ratings.values[rows]
        _refuse_other("rating", table, ratings, known & (listed != loaded), lambda row: (listed[row], loaded[row]))
    if table.moments is not None and ratings.timestamps is not None:
        times = ratings.timestamps[rows]
        # Counts of two units cannot be compared, but seconds and nanoseconds can.
        same = [one == other for one, other in zip(table.moments, divided(times, ratings.time_unit), strict=True)]
        seconds, nanoseconds = table.moments

        def both(row: int) -> tuple[str, str]:
            count, unit = joined(seconds[row : row + 1], nanoseconds[row : row + 1])
            return shown(int(count[0]), unit), shown(int(times[row]), ratings.time_unit)

        _refuse_other("timestamp", table, ratings, known & ~(same[0] & same[1]), both)


def _refuse_other(
    what: str, table: Table, ratings: Ratings, differs: NDArray[np.bool_], both: Callable[[int], tuple[Any, Any]]
) -> None:
    """Refuse a table with rows that differ; `both` returns what table and data set say in a row."""
    if not differs.any():
        return
    first = int(np.argmax(differs))
    listed, loaded = both(first)
    unit = ", set split.timestamp_unit" if what == "timestamp" else ""
    raise SplitError(
        f"split 'predefined': {int(differs.sum()):,} rows of {table.path} have another {what} than "
        f"'{ratings.name}', the first being user {table.user_ids[first]}, item {table.item_ids[first]}: "
        f"{listed} against {loaded}.",
        f"Load the data set that the files were made from{unit}, or mark the column '-' in split.columns.",
    )
