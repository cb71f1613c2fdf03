from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfx.errors import SettingError, SplitError
from mfx.interfaces import Catalogue, Ratings
from mfx.split.chance import rating_hash
from mfx.split.predefined import PredefinedSplit

ROWS = [(u, i, float((u + i) % 5 + 1), 100 * u + i) for u in range(1, 6) for i in range(10, 16)]
TEST = [row for row in ROWS if row[1] >= 14]
TRAIN = [row for row in ROWS if row[1] < 14]


@pytest.fixture
def ratings() -> Ratings:
    users, items, values, times = zip(*ROWS, strict=True)
    return Ratings.from_columns(
        users, items, values, times, catalogue=Catalogue(np.arange(9), np.arange(30)), name="ml"
    )


def write(path: Path, rows: list[tuple[Any, ...]], separator: str = "\t", header: str = "") -> str:
    lines = [separator.join(f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in row) for row in rows]
    path.write_text(header + "\n".join(lines) + "\n")
    return str(path)


def pairs(part: Ratings) -> set[tuple[int, int]]:
    ids = part.catalogue
    return set(zip(ids.user_ids[part.users].tolist(), ids.item_ids[part.items].tolist(), strict=True))


def test_published_files_are_matched(tmp_path: Path, ratings: Ratings) -> None:
    split = PredefinedSplit(
        train_path=write(tmp_path / "u1.base", TRAIN[::-1]), test_path=write(tmp_path / "u1.test", TEST)
    ).split(ratings)
    assert pairs(split.test) == {row[:2] for row in TEST}
    assert pairs(split.train_and_valid) == {row[:2] for row in TRAIN}
    assert len(split.valid) == len(TRAIN) // 10
    assert split.test.catalogue is ratings.catalogue
    assert split.test.values.tolist() == [row[2] for row in TEST]


def test_row_order_of_the_files_does_not_matter(tmp_path: Path, ratings: Ratings) -> None:
    made = [
        PredefinedSplit(
            train_path=write(tmp_path / "a", TRAIN[::step]), test_path=write(tmp_path / "b", TEST[::step])
        ).split(ratings)
        for step in (1, -1)
    ]
    assert made[0].fingerprint == made[1].fingerprint


@pytest.mark.parametrize(
    ("name", "separator"),
    [("comma", ","), ("::", "::"), (";", ";"), ("space", " "), ("semicolon", ";"), ("\\t", "\t"), ("tab", "\t")],
)
def test_separators_headers_and_columns(tmp_path: Path, ratings: Ratings, name: str, separator: str) -> None:
    def turned(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(item, "text", user) for user, item, *_ in rows]

    header = separator.join(("movie", "note", "user")) + "\n"
    split = PredefinedSplit(
        train_path=write(tmp_path / "a", turned(TRAIN), separator, header),
        test_path=write(tmp_path / "b", turned(TEST), separator, header),
        separator=name,
        columns=["item_id", "-", "user_id"],
        header=True,
    ).split(ratings)
    assert pairs(split.test) == {row[:2] for row in TEST}


def test_text_ids(tmp_path: Path) -> None:
    rows = [(f"u{u}", f"i{i}", 3.0, 1) for u in range(4) for i in range(5)]
    users, items, values, times = zip(*rows, strict=True)
    ratings = Ratings.from_columns(users, items, values, times)
    split = PredefinedSplit(
        train_path=write(tmp_path / "a", rows[:15]), test_path=write(tmp_path / "b", rows[15:])
    ).split(ratings)
    assert pairs(split.test) == {row[:2] for row in rows[15:]}


def test_stray_quotes_hide_no_rows(tmp_path: Path, ratings: Ratings) -> None:
    def noted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(user, ('"' if item == 12 else "") + "note", item) for user, item, *_ in rows]

    columns = ["user_id", "-", "item_id"]
    paths = {"train_path": write(tmp_path / "a", noted(TRAIN)), "test_path": write(tmp_path / "b", noted(TEST))}
    for quoting in ("auto", "none"):
        split = PredefinedSplit(**paths, columns=columns, quoting=quoting).split(ratings)
        assert pairs(split.train_and_valid) == {row[:2] for row in TRAIN}
    with pytest.raises(SplitError, match=r"/a: line 3 has a quote that does not surround a field") as caught:
        PredefinedSplit(**paths, columns=columns, quoting="csv").split(ratings)
    assert "split.quoting=none" in caught.value.hint


def test_fields_in_quotes(tmp_path: Path, ratings: Ratings) -> None:
    def noted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(f'"{user}"', '"several, in ""two""\nlines"', item) for user, item, *_ in rows]

    split = PredefinedSplit(
        train_path=write(tmp_path / "a", noted(TRAIN), ","),
        test_path=write(tmp_path / "b", noted(TEST), ","),
        separator="comma",
        columns=["user_id", "-", "item_id"],
    ).split(ratings)
    assert pairs(split.test) == {row[:2] for row in TEST}


def test_ids_spelled_otherwise(tmp_path: Path, ratings: Ratings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mfx")

    def decimals(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(f"{user}.0", f"{item}.0", *rest) for user, item, *rest in rows]

    train_path, test_path = write(tmp_path / "a", decimals(TRAIN)), write(tmp_path / "b", decimals(TEST))
    split = PredefinedSplit(train_path=train_path, test_path=test_path).split(ratings)
    assert pairs(split.test) == {row[:2] for row in TEST}
    assert f"5 of 5 users of {train_path} are among the 9 of 'ml'" in caplog.text
    zeros = write(tmp_path / "zeros", [(f"00{user}", *rest) for user, *rest in TEST])
    with pytest.raises(SplitError, match="user ids look like '001' there and 0 in the data set"):
        PredefinedSplit(train_path=train_path, test_path=zeros).split(ratings)
    others = write(tmp_path / "others", [(user, item + 100, *rest) for user, item, *rest in TEST])
    with pytest.raises(SplitError, match=r"No item of .*others is in 'ml': ids look like 114 .* and 0 in the latter"):
        PredefinedSplit(train_path=train_path, test_path=others, unknown_rows="drop").split(ratings)


def test_valid_from_a_file_and_by_time(tmp_path: Path, ratings: Ratings) -> None:
    test_path = write(tmp_path / "test", TEST)
    late = PredefinedSplit(
        train_path=write(tmp_path / "train", TRAIN), test_path=test_path, valid_rule="temporal", valid_fraction=0.25
    ).split(ratings)
    assert pairs(late.valid) == {(u, 13) for u in range(1, 6)}
    given = PredefinedSplit(
        train_path=write(tmp_path / "early", TRAIN[5:]),
        valid_path=write(tmp_path / "valid", TRAIN[:5]),
        test_path=test_path,
    ).split(ratings)
    assert pairs(given.valid) == {row[:2] for row in TRAIN[:5]}


def test_valid_is_the_smallest_hashes_of_train(tmp_path: Path, ratings: Ratings) -> None:
    paths = {"train_path": write(tmp_path / "train", TRAIN), "test_path": write(tmp_path / "test", TEST)}
    split = PredefinedSplit(**paths, valid_fraction=0.3, seed=5).split(ratings)
    train = np.flatnonzero(ratings.items < 14)
    chosen = train[np.argsort(rating_hash(5, ratings, stream=2)[train])][: 3 * len(TRAIN) // 10]
    assert pairs(split.valid) == pairs(ratings.take(np.isin(np.arange(len(ratings)), chosen)))
    for rule in ("random", "temporal"):
        without = PredefinedSplit(**paths, valid_fraction=0.0, valid_rule=rule).split(ratings)
        assert (len(without.valid), pairs(without.train)) == (0, {row[:2] for row in TRAIN})
    with pytest.raises(SplitError, match="valid part is empty"):
        PredefinedSplit(**paths, valid_fraction=0.01).split(ratings)


def test_timestamps_are_needed_only_where_valid_goes_by_time(tmp_path: Path) -> None:
    timeless = Ratings.from_columns(*zip(*[row[:3] for row in ROWS], strict=True))
    columns = ["user_id", "item_id", "rating", "-"]
    paths = {"train_path": write(tmp_path / "train", TRAIN[5:]), "test_path": write(tmp_path / "test", TEST)}
    given = write(tmp_path / "valid", TRAIN[:5])
    split = PredefinedSplit(**paths, valid_path=given, columns=columns, valid_rule="temporal").split(timeless)
    assert len(split.valid) == 5
    with pytest.raises(SplitError, match="needs timestamps"):
        PredefinedSplit(**paths, columns=columns, valid_rule="temporal", unlisted_rows="drop").split(timeless)
    with pytest.raises(SplitError, match="valid part is empty") as caught:
        PredefinedSplit(**paths, columns=columns, valid_fraction=0.01, unlisted_rows="drop").split(timeless)
    assert "split.valid_fraction" in caught.value.hint


def test_defaults_are_those_of_movielens_100k() -> None:
    assert PredefinedSplit(train_path="u1.base", test_path="u1.test").settings() == {
        "train_path": "u1.base",
        "test_path": "u1.test",
        "valid_path": None,
        "separator": "tab",
        "quoting": "auto",
        "columns": ["user_id", "item_id", "rating", "timestamp"],
        "header": False,
        "timestamp_unit": "s",
        "unknown_rows": "refuse",
        "unlisted_rows": "refuse",
        "valid_rule": "random",
        "valid_fraction": 0.1,
        "seed": 42,
    }


def test_rows_that_the_data_set_lacks_are_refused_or_counted(tmp_path: Path, ratings: Ratings) -> None:
    paths = {
        "train_path": write(tmp_path / "a", TRAIN),
        "test_path": write(tmp_path / "b", [*TEST, (5, 29, 1.0, 1), (77, 10, 1.0, 1)]),
    }
    with pytest.raises(SplitError, match=r"2 of 12 rows .* user 5, item 29"):
        PredefinedSplit(**paths).split(ratings)
    split = PredefinedSplit(**paths, unknown_rows="drop").split(ratings)
    assert len(split.test) == 10
    assert "2 rows of the files not in the data set" in split.rule


def test_ratings_that_no_file_lists_are_refused_or_counted(tmp_path: Path, ratings: Ratings) -> None:
    paths = {"train_path": write(tmp_path / "a", TRAIN[3:]), "test_path": write(tmp_path / "b", TEST)}
    with pytest.raises(SplitError, match=r"3 of 30 ratings .* are in no file"):
        PredefinedSplit(**paths).split(ratings)
    split = PredefinedSplit(**paths, unlisted_rows="drop").split(ratings)
    assert len(split.train_and_valid) + len(split.test) == 27
    assert "dropped 3 ratings" in split.rule


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (TRAIN, [*TEST, TRAIN[0]], "1 ratings of .* are listed twice"),
        ([*TRAIN, TRAIN[0]], TEST, "1 ratings of .* are listed twice"),
        (TRAIN, [(*TEST[0][:2], 9.0, TEST[0][3]), *TEST[1:]], "another rating .* user 1, item 14: 9.0 against 1.0"),
        (TRAIN, [(*TEST[0][:3], 5), *TEST[1:]], "another timestamp"),
        (TRAIN, [("x", *TEST[0][1:]), *TEST[1:]], "not the table that was described"),
        (TRAIN, [row[:3] for row in TEST], "not the table that was described"),
    ],
)
def test_wrong_files_are_refused(
    tmp_path: Path, ratings: Ratings, train: list[Any], test: list[Any], message: str
) -> None:
    splitter = PredefinedSplit(train_path=write(tmp_path / "a", train), test_path=write(tmp_path / "b", test))
    with pytest.raises(SplitError, match=message) as caught:
        splitter.split(ratings)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_missing_and_empty_files_are_refused(tmp_path: Path, ratings: Ratings) -> None:
    train = write(tmp_path / "a", TRAIN)
    with pytest.raises(SplitError, match="there is no file"):
        PredefinedSplit(train_path=train, test_path=str(tmp_path / "none")).split(ratings)
    (tmp_path / "empty").write_text("")
    with pytest.raises(SplitError, match="empty"):
        PredefinedSplit(train_path=train, test_path=str(tmp_path / "empty")).split(ratings)


@pytest.mark.parametrize("pairs", [([1, 1, 1], [1, 1, 2]), ([1, 1, 1], [1, 2, 2])])
def test_a_data_set_with_repeated_pairs_is_refused(tmp_path: Path, pairs: tuple[list[int], list[int]]) -> None:
    ratings = Ratings.from_columns(*pairs, [3, 4, 5])
    with pytest.raises(SplitError, match=r"1 ratings .* repeat a user and item"):
        PredefinedSplit(
            train_path=write(tmp_path / "a", [(1, 1)]),
            test_path=write(tmp_path / "b", [(1, 2)]),
            columns=["user_id", "item_id"],
        ).split(ratings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"test_path": None},
        {"columns": ["user_id", "rating"]},
        {"columns": ["user_id", "item_id", "stars"]},
        {"columns": ["user_id", "item_id", "item_id"]},
        {"separator": ""},
        {"separator": "::", "quoting": "csv"},
        {"quoting": "double"},
        {"unknown_rows": "ignore"},
        {"unlisted_rows": "ignore"},
        {"valid_rule": "last"},
        {"valid_fraction": 1.0},
        {"valid_fraction": -0.1},
        {"seed": -1},
        {"train_path": None},
        {"columns": ["user_id", "rating", "-"]},
        {"columns": ["item_id", "rating", "-"]},
    ],
)
def test_wrong_settings_are_refused_before_reading(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=r"^(PredefinedSplit\b|split 'predefined' needs)"):
        PredefinedSplit(**{"train_path": "a", "test_path": "b", **wrong})
