"""What double quotes in a file mean: never fewer rows in silence, whichever reader reads it."""

import contextlib
import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx import quoting
from mfx.data.layout import rows_of
from mfx.errors import DataError


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Cut files into many blocks."""
    monkeypatch.setattr(quoting, "_BLOCK", 16)
    monkeypatch.setattr(quoting, "_LONGEST", 64)


def read(text, how="auto", separator=",", n_fields=None):
    content = text if isinstance(text, bytes) else text.encode()

    def rows(opener, quotes):
        with opener() as stream:
            return [row for _, row in rows_of(stream, separator, quotes)]

    return quoting.read_with_quotes(
        lambda: contextlib.closing(io.BytesIO(content)),
        rows,
        quoting=how,
        separator=separator,
        where="file",
        setting="dataset.quoting",
        n_fields=n_fields,
    )


TEXT_ONLY = {
    "not closed": 'a,b\n1,"Great\n2,ok\n3,fine\n',
    "closed within another field": 'a,b,c\n1,"Great,x\n2,ok,y\n3,the "best",z\n',
    "followed by text": 'a,b\n1,"Great" film\n',
    "in a header": 'a,"b\n1,2\n',
    "with carriage returns": 'a,b\r1,"Great\r2,ok\r',
    "after a byte order mark": '\ufeffa,b\n1,"Great\n2,ok\n',
    "around a separator": 'a,b,c\n1,"x,y"\n2,3,4\n',
}


@pytest.mark.parametrize("text", TEXT_ONLY.values(), ids=TEXT_ONLY)
def test_quotes_that_do_not_surround_fields_are_text(text):
    assert read(text) == [line.split(",") for line in text.removeprefix("\ufeff").splitlines()] == read(text, "none")


SURROUNDING = {
    "all": ('"a","b"\n"1","x"\n', [["a", "b"], ["1", "x"]]),
    "a separator": ('a,b\n1,"x, y"\n', [["a", "b"], ["1", "x, y"]]),
    "doubled quotes": ('a,b\n1,"x ""y"" z"\n2,""""\n', [["a", "b"], ["1", 'x "y" z'], ["2", '"']]),
    "quotes that begin no field": ('a,b\n1,the "best"\n2,"x, y"\n', [["a", "b"], ["1", 'the "best"'], ["2", "x, y"]]),
    "several lines": ('a,b,c\n1,"x\n\ny",3\n2,"z",4\n', [["a", "b", "c"], ["1", "x\n\ny", "3"], ["2", "z", "4"]]),
    "a name": ('"a, b",c\n1,2\n', [["a, b", "c"], ["1", "2"]]),
    "nothing": ('a,b\n"",1\n', [["a", "b"], ["", "1"]]),
    "the end": ('a,b\n1,"x, y"', [["a", "b"], ["1", "x, y"]]),
}


@pytest.mark.parametrize(("text", "rows"), SURROUNDING.values(), ids=SURROUNDING)
def test_quotes_that_surround_fields(text, rows):
    assert read(text) == rows == read(text, "csv")
    assert read(text.replace("\n", "\r\n")) == [[field.replace("\n", "\r\n") for field in row] for row in rows]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a,b\n0,0\n1,"Great\n2,ok"\n3,x\n', "file: quotes from line 3 on are text, or surround a field of several"),
        ('a,b\n1,"Great\nshort\n2,ok"\n', "file: quotes from line 2 on are text, or"),
        ('a,b,c\n1,"Great\n2,ok"\n', "file: quotes from line 2 on are text, or"),
        ('a,b\n1,"x, y"\n\n2,"Great\n3,z\n', "file: line 4 has a quote that does not .* but line 2 needs quotes"),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused_with_its_line(text, said):
    with pytest.raises(DataError, match=said) as caught:
        read(text)
    assert "dataset.quoting=csv" in caught.value.hint
    assert "dataset.quoting=none" in caught.value.hint
    assert read(text, "none") == [line.split(",") for line in text.splitlines() if line]


def test_csv_is_strict_and_names_the_line():
    with pytest.raises(DataError, match=r"^file: line 3 has a quote that does not surround a field\.") as caught:
        read('a,b\n1,"fine"\n2,"Great" film\n', "csv")
    assert "dataset.quoting=none" in caught.value.hint


def test_separators_of_several_characters_leave_quotes_alone():
    assert read('a::b\n"1"::"x\n', "auto", "::") == [["a", "b"], ['"1"', '"x']]


def test_a_file_without_quotes_is_read_once():
    opened = []

    def opener():
        opened.append(1)
        return contextlib.closing(io.BytesIO(b"a,b\n1,2\n" * 100))

    def rows(opener, quotes):
        assert quotes == quoting.NO_QUOTES
        with opener() as stream:
            return stream.read()

    given_ = {"separator": ",", "where": "file", "setting": ""}
    assert len(quoting.read_with_quotes(opener, rows, quoting="auto", **given_)) == 800
    assert len(opened) == 1


def test_a_file_without_line_ends_is_refused_before_it_fills_the_memory():
    with pytest.raises(DataError, match="line 1 is no line of a table"):
        read('a,"' + "x" * 500)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='",\n\rab', max_size=40).filter(lambda text: text.strip("\r\n")))
def test_csv_accepts_what_pythons_strict_reader_accepts(text):
    try:
        expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        with pytest.raises(DataError, match=r"line [0-9]+ has a quote"):
            read(text, "csv")
    else:
        assert read(text, "csv") == expected


FIELDS = st.text(alphabet='", \nab', max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(FIELDS, FIELDS, FIELDS), min_size=1, max_size=6), st.booleans())
def test_what_was_written_as_csv_is_read_as_it_was_or_refused(rows, every):
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL)
    writer.writerows([("a", "b", "c"), *rows])
    with contextlib.suppress(DataError):
        assert read(stream.getvalue()) == [["a", "b", "c"], *map(list, rows)]


STRAY = st.text(alphabet='"ab ', max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STRAY, STRAY, STRAY), min_size=1, max_size=8))
def test_no_row_of_unquoted_text_is_lost(rows):
    text = "\n".join("\t".join(row) for row in [("a", "b", "c"), *rows])
    with contextlib.suppress(DataError):
        found = read(text, separator="\t")
        assert len(found) == len(rows) + 1
        for row, written in zip(found[1:], rows, strict=True):
            assert row == list(written) or row == next(csv.reader(["\t".join(written)], delimiter="\t"))
