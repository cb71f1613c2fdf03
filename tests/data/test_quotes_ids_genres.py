"""Quotes, spellings of ids and shapes of genres, in every reader."""

import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_samples import CSV_FILES, write_folder

from mfx.data import delimited
from mfx.data.grouplens import GroupLens
from mfx.data.partitioned import Partitioned
from mfx.data.streaming import partition_dataset
from mfx.data.table import Table
from mfx.errors import DataError, SettingError

STRAY = 'user_id\theadline\titem_id\trating\n1\t"Great\tA\t5\n2\tok\tB\t4\n3\tthe "best"\tC\t1\n4\tfine\tD\t2\n'


def table(tmp_path, text=None, items=None, **given):
    """Make a data set of files with these texts, columns or Arrow tables."""
    paths = {}
    for name, content in (("path", text), ("items_path", items)):
        if content is None:
            continue
        if isinstance(content, str):
            path = tmp_path / f"{name}.csv"
            path.write_text(content)
        else:
            path = tmp_path / f"{name}.parquet"
            pq.write_table(content if isinstance(content, pa.Table) else pa.table(content), path)
        paths[name] = str(path)
    return Table(**paths, **{"timestamp_column": None, "cache": False, **given})


def rows_of(ratings):
    ids = ratings.catalogue
    return list(
        zip(
            ids.user_ids[ratings.users].tolist(),
            ids.item_ids[ratings.items].tolist(),
            ratings.values.tolist(),
            strict=True,
        )
    )


def read(dataset, way, tmp_path):
    """Read a data set in one process, or in partitions."""
    if way == "whole":
        return dataset.load()
    partition_dataset(dataset, tmp_path / "parts", 2, lambda *_: None)
    return Partitioned(path=str(tmp_path / "parts")).load()


BOTH = pytest.mark.parametrize("way", ["whole", "partitions"])


# Quotes


@BOTH
@pytest.mark.parametrize("quoting", ["auto", "none"])
def test_stray_quotes_swallow_no_rows(way, quoting, tmp_path):
    ratings = read(table(tmp_path, STRAY, separator="tab", quoting=quoting), way, tmp_path)
    assert rows_of(ratings) == [(1, "A", 5.0), (2, "B", 4.0), (3, "C", 1.0), (4, "D", 2.0)]


def test_stray_quotes_in_one_row_of_a_hundred_change_nothing(tmp_path):
    rng = np.random.default_rng(0)
    text = "user_id\theadline\titem_id\trating\n"
    expected = []
    for user in range(1, 1001):
        item, rating = int(rng.integers(1, 50)), int(rng.integers(1, 6))
        mark = '"' if rng.random() < 0.01 else ""
        text += f"{user}\t{mark}good\t{item}\t{rating}\n"
        expected.append((user, item, float(rating)))
    assert '"' in text
    assert rows_of(table(tmp_path, text, separator="tab").load()) == expected


def test_what_may_be_one_row_or_two_is_refused(tmp_path):
    text = STRAY.replace("ok", 'ok"')
    with pytest.raises(DataError, match="quotes from line 2 on") as caught:
        table(tmp_path, text, separator="tab").load()
    assert "dataset.quoting=none" in caught.value.hint
    assert len(table(tmp_path, text, separator="tab", quoting="none").load()) == 4
    assert len(table(tmp_path, text, separator="tab", quoting="csv").load()) == 3


def test_fields_in_quotes_may_have_lines_and_bad_rows_keep_their_line(tmp_path):
    text = 'user_id,note,item_id,rating\n1,"a, b",2,3\n1,"c\nd",3,4\n1,"e ""f""",4,5\n1,g,5,x\n'
    data = table(tmp_path, text, on_bad_rows="drop")
    assert rows_of(data.load()) == [(1, 2, 3.0), (1, 3, 4.0), (1, 4, 5.0)]
    with pytest.raises(DataError, match=r"1 of 4 rows .* first at line 6"):
        table(tmp_path, text).load()


def test_csv_is_strict(tmp_path):
    with pytest.raises(DataError, match="line 2 has a quote that does not surround a field"):
        table(tmp_path, STRAY, separator="tab", quoting="csv").load()


@pytest.mark.parametrize("wrong", [{"quoting": "minimal"}, {"quoting": "csv", "separator": "::"}, {"separator": '"'}])
def test_wrong_settings_of_quotes(wrong):
    with pytest.raises(SettingError, match="quot"):
        Table(path="x.csv", **wrong)


def test_stray_quotes_in_a_file_of_items(tmp_path):
    items = 'item_id\ttitle\tgenres\nA\t"Crocodile" Dundee\tComedy\nB\t"Oh\tDrama\nC\tOh"\tDrama\nD\tx\tWar\n'
    catalogue = table(tmp_path, STRAY, items, separator="tab").load().catalogue
    assert catalogue.titles.tolist() == ['"Crocodile" Dundee', '"Oh', 'Oh"', "x"]
    assert catalogue.item_features["genres"].dense().tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(DataError, match=r"items_path\.csv: line 2 has a quote"):
        table(tmp_path, STRAY.replace('"', ""), items, separator="tab", quoting="csv").load()


@pytest.mark.parametrize("member", ["ml-x/movies.csv", "ml-x/tags.csv"])
def test_movielens_files_with_stray_quotes_are_refused(member, tmp_path):
    text = CSV_FILES[member]
    header, _, rest = text.partition("\n")
    spoiled = header + "\n" + rest.replace(",", ',"', 2)
    with pytest.raises(DataError, match="line 2 has a quote that does not surround a field"):
        GroupLens(path=str(write_folder(tmp_path, {**CSV_FILES, member: spoiled})), cache=False).load()


# Ids


SPELLINGS = {
    "leading zeros": (["007", "7", "8"], ["007", "7", "8"]),
    "leading zeros later": (["7", "8", "007"], ["007", "7", "8"]),
    "a plus": (["7", "+7", "8"], ["+7", "7", "8"]),
    "minus zero": (["0", "-0", "8"], ["-0", "0", "8"]),
    "decimals": (["10.0", "9.0", "-8.0"], [-8, 9, 10]),
    "some decimals": (["10", "9.0", "8"], [8, 9, 10]),
    "fractions": (["10.5", "9.0", "8"], ["10.5", "8", "9.0"]),
    "beyond 64 bits": (["9223372036854775808", "1", "2"], ["1", "2", "9223372036854775808"]),
    "at the end of 64 bits": (["9223372036854775807", "1", "2"], [1, 2, 2**63 - 1]),
    "blanks": ([" 7", "8 ", "9"], [7, 8, 9]),
}


@BOTH
@pytest.mark.parametrize("form", ["csv", "careful", "parquet", "categories"])
@pytest.mark.parametrize(("written", "read_as"), SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_that_would_collapse_are_text_and_whole_numbers_are_integers(
    written, read_as, form, way, tmp_path, monkeypatch
):
    columns = {"user_id": written, "item_id": written[::-1], "rating": ["1", "2", "3"]}
    content = pd.DataFrame(columns).to_csv(index=False)
    if form == "careful":
        monkeypatch.setattr(delimited._Fast, "is_read", lambda *_: False)
    elif form != "csv":
        kind = pa.string() if form == "parquet" else pa.dictionary(pa.int32(), pa.string())
        ids = {name: pa.array(columns[name], kind) for name in ("user_id", "item_id")}
        content = {**ids, "rating": [1.0, 2.0, 3.0]}
    catalogue = read(table(tmp_path, content), way, tmp_path).catalogue
    assert catalogue.user_ids.tolist() == read_as
    assert catalogue.item_ids.tolist() == read_as


@pytest.mark.parametrize("values", [[10.0, 9.0], pd.Categorical([10.0, 9.0]), pd.Categorical([10, 9])])
def test_whole_numbers_in_parquet_are_integers_however_they_are_stored(values, tmp_path):
    frame = pd.DataFrame({"user_id": values, "item_id": [1, 2], "rating": [1.0, 2.0]})
    ratings = table(tmp_path, pa.Table.from_pandas(frame)).load()
    assert rows_of(ratings) == [(9, 2, 2.0), (10, 1, 1.0)]


def test_settings_decide_about_spellings(tmp_path):
    text = "user_id,item_id,rating\n007,10.0,1\n+8,11.0,2\n"
    kept = table(tmp_path, text, user_ids="text", item_ids="text").load()
    assert rows_of(kept) == [("+8", "11.0", 2.0), ("007", "10.0", 1.0)]
    assert rows_of(table(tmp_path, text, user_ids="integer").load()) == [(7, 10, 1.0), (8, 11, 2.0)]


RATINGS = "user_id,item_id,rating\n1,10,4\n1,11,5\n2,12,3\n"


@BOTH
@pytest.mark.parametrize(
    ("ratings", "items"),
    [
        (RATINGS, {"item_id": [10.0, 11.0, 12.0], "genres": ["a", "b", "c"]}),
        (RATINGS, "item_id,genres\n10.0,a\n11.0,b\n12.0,c\n"),
        (RATINGS.replace(",1", ",1").replace("0,", "0.0,").replace("1,5", "1.0,5").replace("2,3", "2.0,3"),
         "item_id,genres\n10,a\n11,b\n12,c\n"),
    ],
    ids=["float", "text", "ratings"],
)  # fmt: skip
def test_ratings_and_items_spelled_with_and_without_decimals_meet(ratings, items, way, tmp_path):
    catalogue = read(table(tmp_path, ratings, items, title_column=None), way, tmp_path).catalogue
    assert catalogue.item_ids.tolist() == [10, 11, 12]
    assert catalogue.item_features["genres"].dense().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@BOTH
@pytest.mark.parametrize(
    ("rated", "described", "examples"),
    [
        (["0113497", "0114709"], ["tt0113497", "tt0114709"], ["'tt0113497'", "'0113497'"]),
        (["113497", "114709"], ["tt0113497", "tt0114709"], ["'tt0113497'", "113497"]),
        (["B00A", "B00B"], ["b00a", "b00b"], ["'b00a'", "'B00A'"]),
        (["1", "2"], ["3", "4"], ["3", "1"]),
    ],
)
def test_files_without_an_id_in_common_are_refused_with_examples(rated, described, examples, way, tmp_path):
    ratings = "user_id,item_id,rating\n" + "".join(f"{u},{item},3\n" for u, item in enumerate(rated))
    items = "item_id,title\n" + "".join(f"{item},x\n" for item in described)
    with pytest.raises(DataError, match=r"items_path\.csv") as caught:
        read(table(tmp_path, ratings, items, genres_column=None), way, tmp_path)
    for example in examples:
        assert example in caught.value.message
    assert "Give both" in caught.value.hint


@BOTH
def test_files_say_how_many_ids_match_and_warn_below_half(way, tmp_path, caplog):
    caplog.set_level(logging.INFO, "mfx")
    rated = "user_id,item_id,rating\n" + "".join(f"1,{item},3\n" for item in range(1, 11))
    for first, level in ((6, logging.INFO), (7, logging.WARNING)):
        caplog.clear()
        items = "item_id\n" + "".join(f"{item}\n" for item in range(first, first + 20))
        data = table(tmp_path, rated, items, title_column=None, genres_column=None)
        read(data, way, tmp_path / str(first)) if way == "whole" else partition_dataset(
            data, tmp_path / str(first), 2, lambda *_: None
        )
        said = [(one.levelno, one.getMessage()) for one in caplog.records if "are among" in one.getMessage()]
        matched = 11 - first
        assert len(said) == 1
        assert said[0][0] == level
        assert f"{matched} of 20 items of {tmp_path}/items_path.csv are among the 10 of " in said[0][1]


def test_tags_of_no_item_are_refused(tmp_path):
    files = {**CSV_FILES, "ml-x/tags.csv": "userId,movieId,tag,timestamp\n1,99,lost,5\n"}
    with pytest.raises(DataError, match=r"No item of .*tags\.csv is in the catalogue: ids look like 99 .* and 10 in"):
        GroupLens(path=str(write_folder(tmp_path, files)), cache=False).load()


# Genres


GENRES = [["Action", "Comedy"], [], ["Comedy"]]
SHAPES = {
    "lists": pa.array(GENRES),
    "lists with nothing": pa.array([["Action", " Comedy ", None], None, ["Comedy", "nan"]]),
    "large lists": pa.array(GENRES, pa.large_list(pa.string())),
    "lists of categories": pa.array(GENRES, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    "text": pa.array(["Action|Comedy", None, "Comedy"]),
    "categories": pa.array(["Action|Comedy", "", "Comedy"]).dictionary_encode(),
    "python": pa.array(["['Action', 'Comedy']", "[]", "['Comedy']"]),
    "json": pa.array(['["Action", "Comedy"]', "[ ]", '["Comedy"]']),
    "numpy": pa.array(["['Action' 'Comedy']", "[]", "['Comedy']"]),
}


@pytest.mark.parametrize(
    ("shape", "form"),
    [(shape, form) for shape in SHAPES for form in ("parquet", "csv") if form == "parquet" or "lists" not in shape],
)
def test_genres_in_every_shape(shape, form, tmp_path):
    items = pa.table({"item_id": [10, 11, 12], "genres": SHAPES[shape]})
    if form == "csv":
        items = items.to_pandas().to_csv(index=False)
    genres = table(tmp_path, RATINGS, items, title_column=None).load().catalogue.item_features["genres"]
    assert genres.names == ("Action", "Comedy")
    assert genres.dense().tolist() == [[1, 1], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    "word", ["", "(no genres listed)", "(No Genres Listed)", "\\N", "N/A", "nan", "NaN", "NULL", "None"]
)
def test_words_for_no_genre_are_none(word, tmp_path):
    items = f"item_id,title,genres\n10,nan,{word}\n11,NULL,Drama|{word}\n12,c,Unknown\n"
    catalogue = table(tmp_path, RATINGS, items).load().catalogue
    genres = catalogue.item_features["genres"]
    assert genres.names == ("Drama", "Unknown")
    assert genres.dense().tolist() == [[0, 0], [1, 0], [0, 1]]
    assert catalogue.titles.tolist() == ["nan", "NULL", "c"]


@pytest.mark.parametrize(
    "cell", ["['Action', 3]", "[{'id': 16, 'name': 'Animation'}]", '{"a": 1}', "['Action'", "[Action]"]
)
def test_other_lists_are_refused_with_their_line(cell, tmp_path):
    items = pd.DataFrame({"item_id": [10, 11], "genres": ["Drama", cell]}).to_csv(index=False)
    with pytest.raises(DataError, match="line 3 has genres that are neither text nor a list of text"):
        table(tmp_path, RATINGS, items, title_column=None).load()


@pytest.mark.parametrize(
    "column", [pa.array([[{"name": "Action"}]] * 3), pa.array([b"Action"] * 3), pa.array([True] * 3)]
)
def test_columns_that_hold_no_text_are_refused(column, tmp_path):
    with pytest.raises(DataError, match=r"column 'genres' is .*, not text"):
        table(tmp_path, RATINGS, {"item_id": [10, 11, 12], "genres": column}, title_column=None).load()


def test_missing_titles_in_parquet_are_empty(tmp_path):
    items = {"item_id": [10, 11, 12], "title": pa.array([1917.0, None, float("nan")])}
    catalogue = table(tmp_path, RATINGS, items, genres_column=None).load().catalogue
    assert catalogue.titles.tolist() == ["1917", "", ""]
