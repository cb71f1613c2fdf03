import gzip

import numpy as np
import pandas as pd
import pytest

from mfx.data.table import Table
from mfx.errors import DataError, SettingError
from mfx.interfaces import RatingScale

FRAME = pd.DataFrame(
    {
        "who": ["ann", "bob", "ann", "cid"],
        "what": [3, 1, 2, 3],
        "stars": [4.0, 2.5, 5.0, 1.0],
        "when": [1_000_000, 2_000_000, 3_000_000, 4_000_000],
        "noise": ["x", "y", "z", "w"],
    }
)
COLUMNS = {"user_column": "who", "item_column": "what", "rating_column": "stars", "timestamp_column": "when"}


def write(frame, path, **options):
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, **options)
    return str(path)


@pytest.mark.parametrize("name", ["r.csv", "r.parquet", "r.csv.gz", "r.txt"])
def test_every_format_gives_the_same_ratings(name, tmp_path):
    options = {"sep": "|"} if name == "r.txt" else {}
    path = write(FRAME, tmp_path / name, **options)
    ratings = Table(path=path, separator=options.get("sep", ","), timestamp_unit="ms", **COLUMNS).load()
    assert ratings.name == "r"
    assert ratings.catalogue.user_ids.tolist() == ["ann", "bob", "cid"]
    assert ratings.catalogue.item_ids.tolist() == [1, 2, 3]
    assert ratings.users.tolist() == [0, 0, 1, 2]
    assert ratings.items.tolist() == [1, 2, 0, 2]
    assert ratings.values.tolist() == [5.0, 4.0, 2.5, 1.0]
    assert ratings.timestamps.tolist() == [3000, 1000, 2000, 4000]
    assert (ratings.scale, ratings.rating_range) == (None, RatingScale(1.0, 5.0))


def test_shuffled_rows_give_the_same_fingerprint(tmp_path):
    first = Table(path=write(FRAME, tmp_path / "a.csv"), **COLUMNS).load()
    for name in ("b.csv", "b.parquet"):
        again = Table(path=write(FRAME.sample(frac=1, random_state=1), tmp_path / name), **COLUMNS).load()
        assert again.fingerprints == first.fingerprints


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ratings_that_a_float_must_round_are_rounded(suffix, tmp_path):
    path = write(FRAME.assign(stars=[1, 2, 2**53 + 1, 2**60 + 1]), tmp_path / f"r.{suffix}")
    assert sorted(Table(path=path, **COLUMNS).load().values.tolist()) == [1.0, 2.0, 2.0**53, 2.0**60]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_milliseconds_are_not_taken_for_seconds(suffix, tmp_path):
    frame = FRAME.assign(when=[1_700_000_000_000, 1_600_000_000_000, 10**12, 5])
    path = write(frame, tmp_path / f"r.{suffix}")
    with pytest.raises(DataError, match=r"3 of 4 rows cannot be used \(3 timestamp beyond the year 9999: is it in ms"):
        Table(path=path, **COLUMNS).load()
    assert Table(path=path, timestamp_unit="ms", **COLUMNS).load().timestamps.max() == 1_700_000_000_000
    last = write(FRAME.assign(when=253_402_300_799), tmp_path / f"last.{suffix}")
    assert Table(path=last, **COLUMNS).load().timestamps.max() == 253_402_300_799


def test_without_timestamps(tmp_path):
    path = write(FRAME.drop(columns="when"), tmp_path / "r.csv")
    with pytest.raises(DataError, match="has no column 'when'"):
        Table(path=path, **COLUMNS).load()
    assert Table(path=path, **{**COLUMNS, "timestamp_column": None}).load().timestamps is None


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "datetime64[s]", "iso"])
def test_typed_and_written_times_in_parquet(dtype, tmp_path):
    moments = pd.to_datetime(FRAME["when"], unit="s")
    when = moments.dt.strftime("%Y-%m-%dT%H:%M:%S") if dtype == "iso" else moments.astype(dtype)
    path = write(FRAME.assign(when=when), tmp_path / "r.parquet")
    ratings = Table(path=path, timestamp_unit="iso", **COLUMNS).load()
    assert sorted(ratings.timestamps.tolist()) == FRAME["when"].tolist()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_items_file_gives_titles_genres_and_unrated_items(suffix, tmp_path):
    items = pd.DataFrame({"id": [3, 1, 7], "name": ["c", "a", None], "kinds": ["x; y", None, "y"]})
    ratings = Table(
        path=write(FRAME, tmp_path / "r.csv"),
        items_path=write(items, tmp_path / f"items.{suffix}"),
        items_id_column="id",
        title_column="name",
        genres_column="kinds",
        genres_separator=";",
        **COLUMNS,
    ).load()
    assert ratings.catalogue.item_ids.tolist() == [1, 2, 3, 7]
    assert ratings.catalogue.titles.tolist() == ["a", "", "c", ""]
    genres = ratings.catalogue.item_features["genres"]
    assert genres.names == ("x", "y")
    assert genres.dense().tolist() == [[0, 0], [0, 0], [1, 1], [0, 1]]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("stars", np.nan, "missing rating"),
        ("stars", np.inf, "rating is not finite"),
        ("stars", 7.0, "rating outside 1 to 5"),
        ("who", None, "missing user id"),
        ("who", "  ", "missing user id"),
        ("when", None, "missing timestamp"),
    ],
)
def test_bad_rows_are_refused_or_dropped(suffix, column, value, reason, tmp_path, caplog):
    frame = FRAME.copy()
    frame[column] = [*frame[column][:2], value, frame[column][3]]
    path = write(frame, tmp_path / f"r.{suffix}")
    given = {"path": path, "rating_min": 1.0, "rating_max": 5.0, **COLUMNS}
    place = "line 4" if suffix == "csv" else "row 3"
    with pytest.raises(DataError, match=rf"1 of 4 rows cannot be used \(1 {reason}\); first at {place}"):
        Table(**given).load()
    for _ in range(2):  # read, then from the cache
        data = Table(on_bad_rows="drop", **given)
        assert len(data.load()) == 3
        assert data.dropped_ == {f"{reason} (on_bad_rows=drop)": 1}
        assert data.describe()["left_out"] == f"1 rows ({reason} (on_bad_rows=drop))"
    assert "left out" in caplog.text


def test_parquet_integers_beside_missing_ones(tmp_path):
    frame = FRAME.assign(who=[1.0, 2.0, np.nan, 2.5])
    path = write(frame, tmp_path / "r.parquet")
    data = Table(path=path, on_bad_rows="drop", **COLUMNS)
    assert data.load().catalogue.user_ids.tolist() == [1, 2]
    reasons = ("missing user id", "user id is no integer")
    assert data.dropped_ == {f"{reason} (on_bad_rows=drop)": 1 for reason in reasons}


def test_text_that_looks_like_integers_in_parquet(tmp_path):
    path = write(FRAME.assign(who=["7", "8", "9", "10.0"]), tmp_path / "r.parquet")
    assert Table(path=path, **COLUMNS).load().catalogue.user_ids.tolist() == [7, 8, 9, 10]
    assert Table(path=path, user_ids="text", **COLUMNS).load().catalogue.user_ids[0] == "10.0"


def test_duplicates(tmp_path):
    path = write(pd.concat([FRAME, FRAME.iloc[[0]].assign(stars=1.0, when=9)]), tmp_path / "r.csv")
    with pytest.raises(DataError, match=r"1 rows repeat .* user ann, item 3 on lines 2 and 6"):
        Table(path=path, **COLUMNS).load()
    data = Table(path=path, duplicates="keep_first", **COLUMNS)
    assert data.load().values.tolist() == [5.0, 1.0, 2.5, 1.0]
    assert data.dropped_ == {"repeated pair (duplicates=keep_first)": 1}


def test_wrong_files(tmp_path):
    with pytest.raises(DataError, match="was given no file"):
        Table().load()
    with pytest.raises(DataError, match="does not exist"):
        Table(path=str(tmp_path / "no.csv")).load()
    fake = tmp_path / "fake.parquet"
    fake.write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(DataError, match="no whole Parquet file"):
        Table(path=str(fake)).load()
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(b"user_id,item_id,rating,timestamp\n" + b"1,2,3,4\n" * 5000)[:60])
    with pytest.raises(DataError, match="cannot be read"):
        Table(path=str(cut)).load()
    path = write(FRAME.assign(stars="good"), tmp_path / "r.parquet")
    with pytest.raises(DataError, match="not numbers"):
        Table(path=path, **COLUMNS).load()


@pytest.mark.parametrize(
    "wrong",
    [
        {"separator": ";;"},
        {"timestamp_unit": "minutes"},
        {"on_bad_rows": "ignore"},
        {"duplicates": "all"},
        {"user_column": "item_id"},
        {"rating_min": 1.0},
        {"rating_min": 5.0, "rating_max": 1.0},
        {"rating_min": float("nan"), "rating_max": 1.0},
        {"genres_separator": ""},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(SettingError):
        Table(path="x.csv", **wrong)
