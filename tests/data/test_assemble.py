import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.data.assemble import assemble
from mfx.data.catalogue import years_of
from mfx.data.ids import index_ids
from mfx.data.raw import Facts, IdColumn, Origin, RawRatings
from mfx.errors import DataError
from mfx.interfaces import Ratings, RatingScale


def raw_of(rows, times=True):
    users, items, values, stamps = (list(column) for column in zip(*rows, strict=True))
    return RawRatings(
        users=IdColumn(np.array(users, np.int64)),
        items=IdColumn(np.array(items, np.int64)),
        values=np.array(values, np.float32),
        timestamps=np.array(stamps, np.int64) if times else None,
        first_line=2,
    )


PAIRS = st.dictionaries(
    st.tuples(st.integers(-5, 5), st.integers(0, 2**40)),
    st.tuples(st.integers(1, 5), st.integers(0, 9)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.randoms())
def test_equals_from_columns_in_any_row_order(pairs, random):
    rows = [(u, i, v, t) for (u, i), (v, t) in pairs.items()]
    random.shuffle(rows)
    expected = Ratings.from_columns(*(np.array(column) for column in zip(*rows, strict=True)))
    ratings = assemble(raw_of(rows), Origin("file"))
    assert ratings.fingerprint == expected.fingerprint
    assert ratings.scale == expected.scale
    for column in ("users", "items", "values", "timestamps"):
        np.testing.assert_array_equal(getattr(ratings, column), getattr(expected, column))


@pytest.mark.parametrize("ids", [[5, 3, 5], [2**62, -(2**62), 0], [10**9, 10**9 + 1, 10**9]])
@pytest.mark.parametrize("more", [[], [4, 7]])
def test_ids_close_together_and_far_apart(ids, more):
    known, index = index_ids(IdColumn(np.array(ids)), np.array(more, np.int64))
    assert known.tolist() == sorted(set(ids) | set(more))
    assert known[index].tolist() == ids
    assert index.dtype == np.int32
    assert known.dtype == np.int64


def test_text_ids():
    known, index = index_ids(IdColumn(np.array([0, 1, 0]), ["zoe", "bob"]), np.array(["adam"]))
    assert known.tolist() == ["adam", "bob", "zoe"]
    assert index.tolist() == [2, 1, 2]


# Of user 1, the first rating is not the lowest, and the last is neither the highest nor the lowest.
REPEATED = [
    (1, 1, 5.0, 20),
    (2, 2, 4.0, 5),
    (1, 1, 4.0, 30),
    (1, 1, 3.0, 10),
    (2, 1, 2.0, 1),
    (2, 2, 2.0, 5),
    (1, 1, 1.0, 25),
]


def test_repeated_pairs_are_refused_with_count_and_lines():
    with pytest.raises(DataError) as caught:
        assemble(raw_of(REPEATED), Origin("ratings.csv"))
    assert caught.value.message == (
        "ratings.csv: 4 rows repeat a (user, item) pair; first: user 1, item 1 on lines 2 and 4."
    )


@pytest.mark.parametrize(
    ("duplicates", "values", "times"),
    [
        ("keep_last", [4.0, 2.0, 4.0], [30, 1, 5]),
        ("keep_first", [3.0, 2.0, 2.0], [10, 1, 5]),
        ("mean", [3.25, 2.0, 3.0], [30, 1, 5]),
    ],
)
def test_repeated_pairs_merge_on_request_whatever_the_row_order(duplicates, values, times, caplog):
    for order in (range(7), reversed(range(7)), (3, 1, 6, 5, 0, 2, 4)):
        origin = Origin("ratings.csv", duplicates=duplicates, scale=RatingScale(1, 5))
        ratings = assemble(raw_of([REPEATED[k] for k in order]), origin)
        assert ratings.users.tolist() == [0, 1, 1]
        assert ratings.items.tolist() == [0, 0, 1]
        assert ratings.values.tolist() == values
        assert ratings.timestamps.tolist() == times
        assert origin.dropped == {f"repeated pair (duplicates={duplicates})": 4}
    assert "merged 4 rows" in caplog.text


def test_last_needs_timestamps_but_mean_does_not():
    with pytest.raises(DataError, match="keep_last needs timestamps"):
        assemble(raw_of(REPEATED, times=False), Origin("ratings.csv", duplicates="keep_last"))
    ratings = assemble(raw_of(REPEATED, times=False), Origin("ratings.csv", duplicates="mean"))
    assert ratings.values.tolist() == [3.25, 2.0, 3.0]
    assert ratings.timestamps is None


def test_facts_in_any_order_meet_their_items():
    items = Facts("items.csv", ["9", "1", "4"], ["nine", "one", "four"], {"genres": [["b"], ["a", "b"], []]})
    ratings = assemble(raw_of([(1, 4, 3.0, 1), (1, 1, 3.0, 2)]), Origin("ratings.csv", items=items))
    assert ratings.catalogue.item_ids.tolist() == [1, 4, 9]
    assert ratings.catalogue.titles.tolist() == ["one", "four", "nine"]
    assert ratings.catalogue.item_features["genres"].dense().tolist() == [[1, 1], [0, 0], [0, 1]]
    assert ratings.items.tolist() == [0, 1]


def test_years_at_the_end_of_titles_are_features_in_fives():
    titles = ["Toy Story (1995)", "1984", "Gone (2012) ", "(2000) Odd", "Alien 3 (1994)", ""]
    years = years_of(np.array(titles))
    assert years.names == ("1990-1994", "1995-1999", "2010-2014")
    assert years.dense().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert years_of(np.array(["1984", ""])) is None


@pytest.mark.parametrize(("features", "expected"), [({}, ["1995-1999"]), ({"year": [["mine"], []]}, ["mine"])])
def test_years_of_titles_enter_the_catalogue_unless_the_data_have_their_own(features, expected):
    items = Facts("items.csv", ["1", "4"], ["Heat (1995)", "four"], features)
    ratings = assemble(raw_of([(1, 4, 3.0, 1), (1, 1, 3.0, 2)]), Origin("ratings.csv", items=items))
    assert list(ratings.catalogue.item_features["year"].names) == expected


def test_ids_at_the_end_of_64_bits_keep_every_digit_beside_no_facts():
    top = 2**63 - 1
    rows = [(1, top, 3.0, 0), (1, top - 1, 4.0, 0)]
    ratings = assemble(raw_of(rows), Origin("f", items=Facts("items", [], [])))
    assert ratings.catalogue.item_ids.tolist() == [top - 1, top]
    assert ratings.catalogue.item_ids.dtype == np.int64


def test_ids_of_facts_beyond_64_bits_are_refused():
    with pytest.raises(DataError, match="an id is no integer"):
        assemble(raw_of([(1, 2, 3.0, 0)]), Origin("f", items=Facts("items", [str(2**63)], [""])))
