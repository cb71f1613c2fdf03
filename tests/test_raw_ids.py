"""Spellings of raw ids, and files that belong together."""

import logging

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx.data.fields import BadField, parse_id
from mfx.data.ids import integers_spelled
from mfx.errors import DataError
from mfx.interfaces import Catalogue
from mfx.raw_ids import IdsOfFile, check_matched, is_whole, look_up, without_decimals

TEXTS = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,20}(\.0{1,2})?", fullmatch=True),
    st.sampled_from(["", "-0", "-0.0", "+7", "007", ".0", "1e3", "1_0", "１２", "9223372036854775808", "1.0\n"]),
    st.integers(-(2**63), 2**63 - 1).map(str),
)


@pytest.mark.parametrize("text", ["0", "7", "-7", "10", "10.0", "9223372036854775807", "-9223372036854775808"])
def test_spellings_of_integers(text):
    assert is_whole(text)


@pytest.mark.parametrize(
    "text", ["", "007", "+7", "-0", "10.00", "1.5", "1e3", "1_0", "0x10", "9223372036854775808", "٣"]
)
def test_spellings_of_text(text):
    assert not is_whole(text)


@given(st.lists(TEXTS, min_size=1))
def test_a_column_is_read_as_each_id_alone(texts):
    for plainly in (True, False):
        numbers, spelled = integers_spelled(pa.array(texts, pa.string()), plainly=plainly)
        for text, number, is_integer in zip(texts, numbers.tolist(), spelled.tolist(), strict=True):
            try:
                expected = parse_id(text, integer=True) if not plainly or is_whole(text.strip()) else None
            except BadField:
                expected = None
            assert (number if is_integer else None) == expected


def test_ids_of_files_that_describe_lose_decimals_as_the_setting_says():
    assert without_decimals(["10.0", "", "9"], "auto") == ["10", "", "9"]
    assert without_decimals(["10.0", "007"], "auto") == ["10.0", "007"]
    assert without_decimals(["10.0", "007", "x"], "integer") == ["10", "7", "x"]
    assert without_decimals(["10.0", "9"], "text") == ["10.0", "9"]


def test_ids_of_the_other_kind_are_looked_up():
    integers = Catalogue(np.arange(1), np.array([7, 10])).item_index
    texts = Catalogue(np.arange(1), np.array(["007", "10", "7"])).item_index
    assert look_up(integers, np.array([10, 8]), integer=True).tolist() == [1, -1]
    assert look_up(integers, np.array(["7.0", "x", "007", "10"]), integer=True).tolist() == [0, -1, -1, 1]
    assert look_up(integers, np.array(["x"]), integer=True).tolist() == [-1]
    assert look_up(texts, np.array([7, 10, 8]), integer=False).tolist() == [2, 1, -1]
    assert look_up(texts, np.array(["007"]), integer=False).tolist() == [0]


def test_files_that_belong_together_say_how_many_ids_match(caplog):
    caplog.set_level(logging.INFO, "mfx")
    one, other = IdsOfFile("a.csv", 10, "tt7"), IdsOfFile("b.csv", 4, np.int64(7))
    check_matched(2, one, other, "item", DataError)
    check_matched(1, one, other, "item", DataError)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "2 of 10 items of a.csv are among the 4 of b.csv."),
        (
            "WARNING",
            "Only 1 of 10 items of a.csv are among the 4 of b.csv; "
            "ids look like 'tt7' in the former and 7 in the latter.",
        ),
    ]
    with pytest.raises(DataError, match=r"No item of a\.csv is in b\.csv: ids look like 'tt7' in the former and 7 in"):
        check_matched(0, one, other, "item", DataError)
    check_matched(0, one, IdsOfFile("c.csv", 0, None), "item", DataError)
