import io
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.data import careful, delimited
from mfx.data.delimited import read_ratings
from mfx.data.layout import Layout
from mfx.data.pieces import Gathered
from mfx.errors import DataError
from mfx.interfaces import RatingScale

HEADER = Layout(user="u", item="i", rating="r", timestamp="t", columns=(), user_ids="auto", item_ids="auto")


def read(text, layout=HEADER, on_bad_rows="refuse"):
    content = text if isinstance(text, bytes) else text.encode()
    return gathered(read_ratings, lambda: io.BytesIO(content), layout, "ratings.csv", on_bad_rows)


def gathered(reader, *given):
    sink = Gathered()
    rejected = reader(*given, sink)
    return sink.whole(), rejected


def rows_of(raw):
    times = [None] * raw.values.size if raw.timestamps is None else raw.timestamps.tolist()
    ids = [(raw.users.raw(r), raw.items.raw(r)) for r in range(raw.values.size)]
    return [(u, i, v, t) for (u, i), v, t in zip(ids, raw.values.tolist(), times, strict=True)]


@pytest.fixture
def only_fast(monkeypatch):
    def fail(*_):
        raise AssertionError("the fast reader gave up on a clean file")

    monkeypatch.setattr(delimited, "read_carefully", fail)


def test_clean_files_take_the_fast_way(only_fast):
    raw, rejected = read("x,u,i,r,t\n9,1,2,3.5,10\n9,-4,5000000000,1,11\n")
    assert rows_of(raw) == [(1, 2, 3.5, 10), (-4, 5_000_000_000, 1.0, 11)]
    assert raw.values.dtype == np.float32
    assert raw.timestamps.dtype == np.int64
    assert rejected.total == 0
    assert [raw.line(0), raw.line(1)] == [2, 3]


def test_text_ids(only_fast):
    raw, _ = read('u,i,r,t\nann,"a, b",3,1\nbob,c,4,2\nann,c,5,3\n')
    assert rows_of(raw) == [("ann", "a, b", 3.0, 1), ("bob", "c", 4.0, 2), ("ann", "c", 5.0, 3)]


def test_auto_turns_to_text_as_soon_as_one_id_is_no_integer():
    raw, _ = read("u,i,r,t\n1,7,3,1\n2,B07,4,2\n")
    assert rows_of(raw) == [(1, "7", 3.0, 1), (2, "B07", 4.0, 2)]


def test_text_keeps_leading_zeros(only_fast):
    layout = Layout(user="u", item="i", rating="r", timestamp=None, columns=(), user_ids="text", item_ids="integer")
    assert rows_of(read("u,i,r\n007,1,2\n", layout)[0]) == [("007", 1, 2.0, None)]


@pytest.mark.parametrize(
    ("unit", "field", "time", "time_unit"),
    [
        ("s", "1500000000", 1_500_000_000, "s"),
        ("s", "1500000000.25", 1_500_000_000_250, "ms"),
        ("s", "-0.000000001", -1, "ns"),
        ("ms", "1500000000999", 1_500_000_000_999, "ms"),
        ("ms", "1500000000999.5", 1_500_000_000_999_500, "us"),
        ("us", "-1", -1, "us"),
        ("us", "-1000000", -1, "s"),
        ("ns", "1500000000999999999", 1_500_000_000_999_999_999, "ns"),
        ("ns", "1500000000999999000.0", 1_500_000_000_999_999, "us"),
        ("iso", "2017-07-14T02:40:00", 1_500_000_000, "s"),
        ("iso", "2017-07-14 02:40:00.75", 1_500_000_000_750, "ms"),
        ("iso", "2017-07-14 02:40:00.000000001", 1_500_000_000_000_000_001, "ns"),
    ],
)
def test_units_of_time_agree_in_both_readers(unit, field, time, time_unit, only_fast, monkeypatch):
    layout = Layout(user="u", item="i", rating="r", timestamp="t", columns=(), unit=unit)
    text = f"u,i,r,t\n1,2,3,{field}\n"
    raw, _ = read(text, layout)
    assert (raw.timestamps.tolist(), raw.time_unit) == ([time], time_unit)
    raw, _ = gathered(careful.read_carefully, lambda: io.BytesIO(text.encode()), layout, list("uirt"), "x", "refuse")
    assert (raw.timestamps.tolist(), raw.time_unit) == ([time], time_unit)


def test_offsets_of_iso_time_count():
    layout = Layout(user="u", item="i", rating="r", timestamp="t", columns=(), unit="iso")
    assert read("u,i,r,t\n1,2,3,2017-07-14T04:40:00+02:00\n", layout)[0].timestamps.tolist() == [1_500_000_000]


def test_whole_seconds_written_as_decimals():
    assert read("u,i,r,t\n1,2,3,1500000000.0\n")[0].timestamps.tolist() == [1_500_000_000]


def test_double_colons_across_block_borders(only_fast, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    rows = [(u, i, float(1 + (u * i) % 5), 1000 + u) for u in range(1, 60) for i in range(1, 9)]
    text = "".join(f"{u}::{i}::{v:g}::{t}\n" for u, i, v, t in rows)
    assert rows_of(read(text, Layout(separator="::"))[0]) == rows


def test_tabs_quotes_crlf_and_byte_order_mark(only_fast):
    raw, _ = read("\ufeffu\ti\tr\tt\r\n1\t2\t3\t4\r\n", Layout("u", "i", "r", "t", (), separator="\t"))
    assert rows_of(raw) == [(1, 2, 3.0, 4)]


BAD = {
    "1,2,nan,4": "rating is not finite",
    "1,2,inf,4": "rating is not finite",
    "1,2,1e39,4": "rating is not finite",
    "1,2,good,4": "rating is no number",
    "1,2,1_0,4": "rating is no number",
    "1,2,,4": "missing rating",
    ",2,3,4": "missing user id",
    "1,,3,4": "missing item id",
    "1,x,3,4": "item id is no integer",
    "99999999999999999999,2,3,4": "user id is no integer",
    "1,2,9,4": "rating outside 1 to 5",
    "1,2,0.5,4": "rating outside 1 to 5",
    "1,2,3,soon": "timestamp is no number",
    "1,2,3,": "missing timestamp",
    "1,2,3": "wrong number of fields",
    "1,2,3,4,5": "wrong number of fields",
}
STRICT = Layout("u", "i", "r", "t", (), scale=RatingScale(1, 5))


@pytest.mark.parametrize("line", BAD)
def test_a_bad_row_is_refused_with_its_line_or_dropped_on_request(line, caplog):
    text = f"u,i,r,t\n5,5,3,1\n{line}\n6,6,4,2\n{line}\n"
    with pytest.raises(DataError) as caught:
        read(text, STRICT)
    message = caught.value.message
    assert (
        f"ratings.csv: 2 of 4 rows cannot be used (2 {BAD[line]}); first at line 3 ({BAD[line]}): '{line}'" in message
    )
    assert "on_bad_rows=drop" in caught.value.hint
    assert "\n" not in message
    raw, rejected = read(text, STRICT, "drop")
    assert rows_of(raw) == [(5, 5, 3.0, 1), (6, 6, 4.0, 2)]
    assert [raw.line(0), raw.line(1)] == [2, 4]
    assert rejected.counts == {BAD[line]: 2}
    assert "left out 2 of 4 rows" in caplog.text


def test_reasons_are_counted_apart_and_the_first_line_is_named_across_blank_ones():
    with pytest.raises(DataError, match=r"3 of 4 rows .*1 missing rating, 2 rating is no number\); first at line 4"):
        read("u,i,r,t\n1,1,3,1\n\n1,2,a,1\n1,3,,1\n1,4,b,1\n", STRICT)


def test_long_bad_rows_are_shortened():
    with pytest.raises(DataError) as caught:
        read("u,i,r,t\n1,2,3," + "x" * 5000 + "\n", STRICT)
    assert len(str(caught.value)) < 350


def test_a_file_of_bad_rows_only_is_refused_with_the_first_of_them():
    with pytest.raises(DataError, match=r"2 of 2 rows cannot be used .*first at line 2 .*'1,2,x,4'\. Correct them\.$"):
        read("u,i,r,t\n1,2,x,4\n1,3,y,4\n", STRICT, "drop")


def test_no_such_column_suggests_the_nearest():
    with pytest.raises(DataError, match=r"has no column 'r'.*Available: i, rating, t, u"):
        read("u,i,rating,t\n1,2,3,4\n")


def test_text_that_is_not_utf8():
    with pytest.raises(DataError, match="is not UTF-8"):
        read(b"u,i,r,t\n\xe9,2,3,4\n")


FIELD = st.sampled_from(["1", "2", "30", " 4", "x", "", "-1", "nan"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD, st.sampled_from(["1", "2.5", "0", "x", "", "inf"]), FIELD), min_size=1))
def test_both_readers_agree_on_any_file(rows):
    text = "u,i,r,t\n" + "".join(",".join(row) + "\n" for row in rows)
    outcomes = []
    for reader in (
        lambda: read(text, STRICT, "drop"),
        lambda: gathered(
            careful.read_carefully, lambda: io.BytesIO(text.encode()), STRICT, list("uirt"), "ratings.csv", "drop"
        ),
    ):
        try:
            outcomes.append(rows_of(reader()[0]))
        except DataError as error:
            outcomes.append(error.message.partition(":")[0])
    assert outcomes[0] == outcomes[1]


def test_a_random_clean_file_reads_alike_both_ways(only_fast):
    rng = random.Random(0)
    rows = [(rng.randrange(9), rng.randrange(99), rng.randrange(1, 11) / 2, rng.randrange(10**9)) for _ in range(500)]
    text = "u,i,r,t\n" + "".join(f"{u},{i},{v},{t}\n" for u, i, v, t in rows)
    assert rows_of(read(text)[0]) == rows


def test_hexadecimal_ids_are_no_integers(tmp_path):
    import mfx

    path = tmp_path / "r.csv"
    path.write_text("user_id,item_id,rating\n1,5,3\n2,0x10,4\n")
    settings = {"path": str(path), "timestamp_column": None, "cache": False}
    with pytest.raises(DataError, match="item id is no integer"):
        mfx.create("dataset", "table", settings | {"item_ids": "integer"}).load()
    assert mfx.create("dataset", "table", settings).load().catalogue.item_ids.tolist() == ["0x10", "5"]
