"""Times below a second: each form in which sources write them is read exactly, by every reader, or refused."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mfx
from mfx.data.cache import read_cached, write_cached
from mfx.data.partitioned import Partitioned
from mfx.data.streaming import partition_dataset
from mfx.data.table import Table
from mfx.errors import DataError

SECOND = 1_500_000_000
TEXT = "2017-07-14T02:40:00"  # that second
# Items that the user rated 100, 200 and 900 ms after it: the last one has the lowest id.
ITEMS, AFTER = [9, 5, 1], [100, 200, 900]
MS = [1000 * SECOND + after for after in AFTER]

CSV = {
    "ms": ("ms", [str(time) for time in MS]),
    "ms with fractions": ("ms", [f"{time}.0" for time in MS]),
    "us": ("us", [str(1000 * time) for time in MS]),
    "ns": ("ns", [str(1_000_000 * time) for time in MS]),
    "seconds": ("s", [f"{SECOND}.{after}" for after in AFTER]),
    "exponents": ("s", [f"1500000.000{after}e3" for after in AFTER]),
    "iso": ("iso", [f"{TEXT}.{after}" for after in AFTER]),
    "iso with ns": ("iso", [f"{TEXT}.{after}000000" for after in AFTER]),
    "iso with zone": ("iso", [f"2017-07-14 04:40:00.{after}+02:00" for after in AFTER]),
    "iso of two kinds": ("iso", [f"{TEXT}.100", f"{TEXT}.2000000", f"{TEXT}.900Z"]),
}
PARQUET = {
    "int64 ms": ("ms", pa.array(MS)),
    "timestamp ms": ("s", pa.array(MS, pa.timestamp("ms"))),
    "timestamp us": ("s", pa.array([1000 * time for time in MS], pa.timestamp("us", "Europe/Zurich"))),
    "timestamp ns": ("s", pa.array([1_000_000 * time for time in MS], pa.timestamp("ns"))),
    "float64": ("s", pa.array([time / 1000 for time in MS])),
    "float64 ms": ("ms", pa.array([float(time) for time in MS])),
    "decimal": ("ms", pa.array([decimal.Decimal(f"{time}.000") for time in MS], pa.decimal128(22, 3))),
    "text": ("ms", pa.array([str(time) for time in MS])),
    "decimal text": ("s", pa.array([f"{SECOND}.{after}" for after in AFTER])),
    "iso": ("iso", pa.array([f"{TEXT},{after}" for after in AFTER])),
}


def write_csv(folder, times, items=ITEMS, ratings=None):
    path = folder / "r.csv"
    rows = zip(items, ratings or [3.0] * len(items), times, strict=True)
    path.write_text("user_id,item_id,rating,timestamp\n" + "".join(f"7,{i},{r},{t}\n" for i, r, t in rows))
    return str(path)


def write_parquet(folder, times, items=ITEMS):
    path = folder / "r.parquet"
    columns = {"user_id": [7] * len(items), "item_id": items, "rating": [3.0] * len(items), "timestamp": times}
    pq.write_table(pa.table(columns), path)
    return str(path)


def written(folder, form):
    if form in CSV:
        unit, times = CSV[form]
        return Table(path=write_csv(folder, times), timestamp_unit=unit, cache=False)
    unit, times = PARQUET[form.removeprefix("parquet ")]
    return Table(path=write_parquet(folder, times), timestamp_unit=unit, cache=False)


def in_parts(dataset, folder):
    partition_dataset(dataset, folder, 1, lambda *_: None)
    return Partitioned(path=str(folder)).load()


@pytest.mark.parametrize("form", [*CSV, *(f"parquet {form}" for form in PARQUET)])
def test_every_form_of_milliseconds_is_read_exactly_whole_and_in_parts(form, tmp_path):
    dataset = written(tmp_path, form)
    expected = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, MS, time_unit="ms")
    for ratings in (dataset.load(), in_parts(dataset, tmp_path / "parts")):
        assert (ratings.timestamps.tolist(), ratings.time_unit) == (MS[::-1], "ms")
        assert ratings.rows_fingerprint == expected.rows_fingerprint
        split = mfx.create("split", "leave_last_out", {}).split(ratings)
        ids = ratings.catalogue.item_ids
        assert [ids[part.items].tolist() for part in (split.test, split.valid, split.train)] == [[1], [5], [9]]
        late = mfx.create("split", "global_temporal", {"fraction": 0.4, "valid_fraction": 0.5}).split(ratings)
        assert ids[late.test.items].tolist() == [1]
        assert "after 2017-07-14 02:40:00.2 UTC to test" in late.rule


@pytest.mark.parametrize("unit", ["ms", "us", "ns", "iso", "float", "parquet"])
def test_whole_seconds_are_seconds_in_every_unit(unit, tmp_path):
    seconds = [SECOND + place for place in range(3)]
    per = {"ms": 10**3, "us": 10**6, "ns": 10**9}.get(unit, 1)
    times = [second * per for second in seconds]
    if unit == "parquet":
        dataset = Table(path=write_parquet(tmp_path, pa.array([t * 10**9 for t in times], pa.timestamp("ns"))))
    else:
        text = {"iso": [f"2017-07-14T02:40:0{place}.000" for place in range(3)], "float": [f"{t}.0" for t in times]}
        given = "s" if unit == "float" else unit
        dataset = Table(path=write_csv(tmp_path, text.get(unit, times)), timestamp_unit=given)
    expected = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, seconds)
    for ratings in (dataset.load(), in_parts(dataset, tmp_path / "parts")):
        assert (ratings.time_unit, ratings.rows_fingerprint) == ("s", expected.rows_fingerprint)


def test_the_unit_belongs_to_the_fingerprint_and_survives_the_cache(tmp_path):
    ratings = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, MS, time_unit="ms")
    seconds = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, ratings.timestamps[::-1] // 1000)
    finer = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, MS, time_unit="us")  # the same counts, in 1970
    assert len({one.rows_fingerprint for one in (ratings, seconds, finer)}) == 3
    write_cached(tmp_path / "c.mfx", ratings, {}, [])
    cached = read_cached(tmp_path / "c.mfx")[0]
    assert (cached.time_unit, cached.rows_fingerprint) == ("ms", ratings.rows_fingerprint)


@pytest.mark.parametrize(("rule", "value"), [("keep_last", 1.0), ("keep_first", 5.0)])
def test_last_and_first_of_a_repeated_pair_are_told_within_a_second(rule, value, tmp_path):
    path = write_csv(tmp_path, [MS[2], MS[0], MS[1]], items=[4, 4, 4], ratings=[1.0, 5.0, 2.0])
    dataset = Table(path=path, timestamp_unit="ms", duplicates=rule, cache=False)
    for ratings in (dataset.load(), in_parts(dataset, tmp_path / "parts")):
        assert ratings.values.tolist() == [value]


def test_the_audit_sees_what_is_out_of_order_within_a_second(tmp_path):
    ratings = written(tmp_path, "ms").load()
    one, other, last = (ratings.take(np.array([row])) for row in range(3))  # items 1, 5, 9: 900, 200, 100 ms
    numbers = mfx.audit(mfx.Split(one, other, last, "by hand"))
    assert numbers["test_older_than_user_history"] == 1.0
    assert numbers["valid_older_than_history"] == 1.0


def test_pieces_that_need_other_units_get_one(tmp_path, monkeypatch):
    from mfx.data import careful, delimited

    monkeypatch.setattr(delimited, "_BLOCK", 48)
    monkeypatch.setattr(careful, "_PIECE", 2)
    times = [SECOND, SECOND + 1, f"{SECOND}.5", f"{SECOND}.000001", f"{SECOND}.000000001", SECOND + 9]
    for first in (SECOND, f"{SECOND}.0"):  # the careful reader and the fast one
        dataset = Table(path=write_csv(tmp_path, [first, *times[1:]], items=range(6)), cache=False)
        parts = in_parts(dataset, tmp_path / f"parts{first}")
        expected = [0, 10**9, 5 * 10**8, 1000, 1, 9 * 10**9]
        for ratings in (dataset.load(), parts):
            assert ratings.time_unit == "ns"
            assert (ratings.timestamps - SECOND * 10**9).tolist() == expected


BAD = [
    ("s", "1.0000000001", "finer than a nanosecond"),
    ("s", "1e-400", "finer than a nanosecond"),
    ("ns", "0.5", "finer than a nanosecond"),
    ("iso", f"{TEXT}.0000000001", "finer than a nanosecond"),
    ("iso", "0001-01-01T00:00:00", "before the year 1000"),
    ("s", "-62135596800", "before the year 1000"),
    ("s", "-62135596800.0", "before the year 1000"),
    ("ms", "-62135596800000", "before the year 1000"),
    ("s", "253402300800", "beyond the year 9999"),
    ("s", "1e300000", "beyond the year 9999"),
    ("iso", "9999-12-31T23:59:59.9999999", "outside the years 1678 to 2261"),
    ("s", "16725225600.000000001", "outside the years 1678 to 2261"),
    ("s", "nan", "is no number"),
    ("s", "1_0.5", "is no number"),
    ("iso", "soon", "is not ISO 8601"),
    ("iso", "2017-07-14T02:40:00+02:00:00.5", "is not ISO 8601"),
]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(("unit", "field", "reason"), BAD)
def test_a_time_that_no_unit_holds_is_refused_with_its_line_or_dropped(unit, field, reason, suffix, tmp_path):
    good = TEXT if unit == "iso" else "5"
    if suffix == "csv":
        path, line = write_csv(tmp_path, [good, field, good]), "line 3"
    else:
        path, line = write_parquet(tmp_path, [good, field, good]), "row 2"
    with pytest.raises(DataError, match=rf"1 of 3 rows .*{reason}.*first at {line} "):
        Table(path=path, timestamp_unit=unit).load()
    kept = Table(path=path, timestamp_unit=unit, on_bad_rows="drop").load()
    assert kept.catalogue.item_ids.tolist() == [1, 9]


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (pa.array([5, None, 5], pa.timestamp("us")), "missing timestamp"),
        (pa.array([5, -62_135_596_800_000_000, 5], pa.timestamp("us")), "before the year 1000"),
        (pa.array([5, -719_162, 5], pa.date32()), "before the year 1000"),
        (pa.array([5, 253_402_300_800, 5], pa.timestamp("s")), "beyond the year 9999"),
        (pa.array([5, 2**31 - 1, 5], pa.date32()), "beyond the year 9999"),
        (pa.array([5, -(2**31), 5], pa.date32()), "before the year 1000"),
        (pa.array([5.0, -62_135_596_800.0, 5.0]), "before the year 1000"),
        (pa.array([5, 2**63 - 1, 5], pa.timestamp("ns")), "outside the years 1678 to 2261"),
        (pa.array([5.0, float("nan"), 5.0]), "is no number"),
        (pa.array([5.0, 0.1 + 0.2, 5.0]), "finer than a nanosecond"),
    ],
)
def test_typed_times_that_no_unit_holds_are_refused_with_their_row(array, reason, tmp_path):
    with pytest.raises(DataError, match=rf"1 of 3 rows .*{reason}.*first at row 2 "):
        Table(path=write_parquet(tmp_path, array)).load()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("far", ["2500-01-01", "2262-01-01"])
@pytest.mark.parametrize(("first", "line"), [(None, "line 2"), (TEXT, "line 4"), (f"{TEXT}.000000000", "line 4")])
def test_a_far_year_beside_nanoseconds_is_refused_with_its_line(first, line, far, whole, tmp_path, monkeypatch):
    from mfx.data import delimited

    monkeypatch.setattr(delimited, "_BLOCK", 48)
    path = write_csv(tmp_path, [first or far, f"{TEXT}.000000001", f"{far}T00:00:00"])
    dataset = Table(path=path, timestamp_unit="iso", on_bad_rows="drop", cache=False)
    with pytest.raises(DataError, match=rf"r.csv: the timestamp of {line}, {far} 00:00:00, does not fit beside"):
        dataset.load() if whole else in_parts(dataset, tmp_path / "parts")


def test_floats_mean_the_decimals_that_name_them(tmp_path):
    seconds = np.random.default_rng(0).uniform(-(10**9), 2 * 10**9, 200)
    seconds[:100] = seconds[:100].round(6)
    items = list(range(200))
    found = Table(path=write_parquet(tmp_path, pa.array(seconds), items), cache=False).load()
    text = Table(path=write_csv(tmp_path, [repr(float(t)) for t in seconds], items), cache=False).load()
    assert found.rows_fingerprint == text.rows_fingerprint
    np.testing.assert_allclose(found.timestamps / 1e9, seconds, rtol=0, atol=1e-6)
    assert (found.timestamps[:100] % 1000 == 0).all()


@pytest.mark.parametrize(
    ("unit", "fields"),
    [("ms", MS), ("s", [f"{SECOND}.{after}" for after in AFTER]), ("iso", [f"{TEXT}.{after}" for after in AFTER])],
)
def test_published_files_agree_to_the_millisecond(unit, fields, tmp_path):
    ratings = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, MS, time_unit="ms", name="published")
    paths = {"train_path": str(tmp_path / "train"), "test_path": str(tmp_path / "test"), "valid_fraction": 0.0}
    (tmp_path / "train").write_text("".join(f"7\t{i}\t3\t{t}\n" for i, t in zip(ITEMS[:2], fields[:2], strict=True)))
    (tmp_path / "test").write_text(f"7\t{ITEMS[2]}\t3\t{fields[2]}\n")
    split = mfx.create("split", "predefined", {**paths, "timestamp_unit": unit}).split(ratings)
    assert (split.test.timestamps.tolist(), split.test.time_unit) == ([MS[2]], "ms")
    seconds = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, [SECOND] * 3)
    with pytest.raises(
        mfx.SplitError, match=r"another timestamp .*: 2017-07-14 02:40:00.1 against 2017-07-14 02:40:00\."
    ):
        mfx.create("split", "predefined", {**paths, "timestamp_unit": unit}).split(seconds)
    (tmp_path / "test").write_text(f"7\t{ITEMS[2]}\t3\tsoon\n")
    with pytest.raises(mfx.SplitError, match="line 1: timestamp is no"):
        mfx.create("split", "predefined", {**paths, "timestamp_unit": unit}).split(ratings)


MOMENTS = [datetime.datetime(2017, 7, 14, 2, 40, 0, after * 1000) for after in AFTER]
ZONE = datetime.timezone(datetime.timedelta(hours=2))
SERIES = pd.Series(MOMENTS)


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        (MS, "ms"),
        ([time / 1000 for time in MS], None),
        (np.array([float(time) for time in MS]), "ms"),
        (np.array(MS, "datetime64[ms]"), None),
        (np.array(MOMENTS, "datetime64[us]"), None),
        (np.array(MOMENTS, "datetime64[ns]"), None),
        (np.array(MOMENTS, "datetime64[10ms]"), None),
        (MOMENTS, None),
        ([moment.replace(tzinfo=datetime.UTC).astimezone(ZONE) for moment in MOMENTS], None),
        (SERIES, None),
        (SERIES.astype("datetime64[us]"), None),
        (SERIES.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"), None),
        (pd.DatetimeIndex(SERIES, tz="UTC"), None),
        (list(SERIES), None),
        (pa.array(MOMENTS, pa.timestamp("us")), None),
        (np.array(MS, dtype=object), "ms"),
    ],
)
def test_datetimes_and_numbers_from_python(times, unit):
    ratings = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, times, time_unit=unit)
    assert (ratings.timestamps.tolist(), ratings.time_unit) == (MS[::-1], "ms")


def test_days_and_nanoseconds_from_python():
    def made(times):
        ratings = mfx.Ratings.from_columns([7, 7], [1, 2], [3, 3], times)
        return ratings.timestamps.tolist(), ratings.time_unit

    assert made([datetime.date(1970, 1, 2), datetime.date(1969, 12, 31)]) == ([86_400, -86_400], "s")
    assert made(np.array(["1970-01-02", "2500-01-01"], "datetime64[D]")) == ([86_400, 16_725_225_600], "s")
    assert made([pd.Timestamp(-1, unit="ns"), pd.Timestamp(1, unit="s")]) == ([-1, 10**9], "ns")
    assert made([1, 2]) == ([1, 2], "s")
    assert made(np.array([1000, -2000], "datetime64[ps]")) == ([1, -2], "ns")
    empty = mfx.Ratings.from_columns(np.empty(0, np.int64), np.empty(0, np.int64), [], [])
    assert (empty.timestamps.size, empty.time_unit) == (0, "s")


@pytest.mark.parametrize(
    ("times", "unit", "reason"),
    [
        ([pd.Timestamp(5, unit="s"), pd.NaT], None, r"missing or no datetime \(row 1"),
        (np.array(["1970-01-02", "NaT"], "datetime64[us]"), None, r"missing timestamp \(row 1"),
        (pd.Series([pd.Timestamp(5, unit="s", tz="UTC"), pd.NaT]), None, r"missing timestamp \(row 1"),
        ([1.0, float("nan")], None, r"is no number \(row 1"),
        ([5, None], None, r"missing or no datetime \(row 0"),
        ([datetime.datetime(2020, 1, 1), datetime.datetime(1, 1, 1)], None, r"before the year 1000.* \(row 1"),
        ([SECOND, 1000 * SECOND], None, r"beyond the year 9999: is it in ms.* \(row 1"),
        (np.array([1, 10**19], np.uint64), None, r"no number \(row 1"),
        (np.array([1, 2], "datetime64[ps]"), None, r"finer than a nanosecond \(row 0"),
        (np.array([1, 16_725_225_600_000_000_001], dtype="U"), None, "Give datetimes"),
        ([pd.Timestamp(1, unit="ns"), datetime.datetime(2500, 1, 1)], None, r"row 1, 2500-01-01 00:00:00, does not"),
        (np.array([1, 2], "datetime64[us]"), "us", "Leave time_unit out"),
        ([True, False], None, "timestamps are bool"),
        ([1, 2], "minutes", "none of s, ms, us, ns"),
        ([1], None, "1 timestamps for 2 ratings"),
        (None, "ms", "no timestamps"),
    ],
)
def test_wrong_times_from_python_are_refused(times, unit, reason):
    with pytest.raises(DataError, match=reason) as caught:
        mfx.Ratings.from_columns([7, 7], [1, 2], [3, 3], times, time_unit=unit)
    assert "\n" not in str(caught.value)


def test_parts_of_a_split_count_one_unit():
    ratings = mfx.Ratings.from_columns([7] * 3, ITEMS, [3.0] * 3, MS, time_unit="ms")
    assert ratings.take(np.array([0, 2])).time_unit == "ms"
    one, other = ratings.take(np.array([0])), ratings.take(np.array([1, 2]))
    both = mfx.Split(one, other, one, "by hand").train_and_valid
    assert (both.rows_fingerprint, both.time_unit) == (ratings.rows_fingerprint, "ms")
    seconds = mfx.Ratings.from_columns([7], [9], [3.0], [SECOND], catalogue=ratings.catalogue)
    with pytest.raises(DataError, match="count ms and s"):
        mfx.Split(one, seconds, other, "by hand")
