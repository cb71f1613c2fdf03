import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfx.errors import DataError
from mfx.interfaces import Catalogue, Features, Ratings, RatingScale, Split

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 10), st.integers(0, 9)), min_size=1)


def ratings(rows, **extra):
    users, items, values, times = (np.array(column) for column in zip(*rows, strict=True))
    return Ratings.from_columns(users, items, values / 2, times, **extra)


@given(ROWS, st.randoms())
def test_row_order_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = ratings(rows), ratings(shuffled)
    for name in ("users", "items", "values", "timestamps"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.data_fingerprint == second.data_fingerprint


@given(ROWS)
def test_row_pointers_and_counts_agree_with_the_rows(rows):
    made = ratings(rows)
    for user in range(made.n_users):
        mine = made.users[made.user_indptr[user] : made.user_indptr[user + 1]]
        assert (mine == user).all()
        assert mine.size == made.user_counts[user] == (made.users == user).sum()
    assert made.item_counts.sum() == len(made)
    np.testing.assert_array_equal(made.catalogue.user_ids[made.users], sorted(row[0] for row in rows))


def test_a_changed_value_changes_the_fingerprint():
    rows = [(1, 1, 4, 0), (2, 1, 3, 0)]
    assert ratings(rows).rows_fingerprint != ratings([(1, 1, 4, 0), (2, 1, 4, 0)]).rows_fingerprint
    assert ratings(rows).rows_fingerprint != ratings([(1, 2, 4, 0), (2, 1, 3, 0)]).rows_fingerprint


def test_fully_rated_data_have_the_fingerprint_that_they_always_had():
    numbered = Ratings.from_columns([3, 3, 7], [10, 20, 20], [1.0, 2.5, 4.0], [5, 6, 7])
    assert numbered.rows_fingerprint == "7ce0270edd6f90e1afd9bc5d1993706a"
    named = Ratings.from_columns(["a", "b", "b"], [10, 20, 30], [1.0, 2.5, 4.0])
    assert named.rows_fingerprint == "1e5baa5b2b066a69b7c11d96b57b4c5f"
    assert Split(named, named, named, "").fingerprint == "a8cdff90a157bd365e59f053779c0237"


GENRES = Features.from_lists([["Drama"], ["Comedy"], []])
CATALOGUE = Catalogue(
    np.array([1, 2, 3]),
    np.array([1, 2, 3]),
    titles=np.array(["a", "b", "c"]),
    item_features={"genres": GENRES},
    user_features={"age": Features.from_lists([["18"], ["25"], []])},
)
AROUND = {
    "catalogue.item_features.genres": {"item_features": {"genres": Features.from_lists([["Drama"], ["Drama"], []])}},
    "catalogue.item_features.tags": {"item_features": {"genres": GENRES, "tags": GENRES}},
    "catalogue.user_features.age": {"user_features": {}},
    "catalogue.titles": {"titles": np.array(["a", "b", "d"])},
}


@pytest.mark.parametrize("part", AROUND)
def test_what_a_model_may_learn_from_is_in_the_fingerprint_of_data_and_not_in_that_of_rows(part):
    rows = [(1, 1, 4, 0), (2, 2, 3, 0), (2, 3, 3, 0)]
    made = ratings(rows, catalogue=CATALOGUE)
    other = ratings(rows, catalogue=dataclasses.replace(CATALOGUE, **AROUND[part]))
    assert {
        k for k in {**made.fingerprints, **other.fingerprints} if made.fingerprints.get(k) != other.fingerprints.get(k)
    } == {part}
    assert made.data_fingerprint != other.data_fingerprint
    assert made.rows_fingerprint == other.rows_fingerprint


def test_weights_and_the_scale_are_in_the_fingerprint_of_data():
    rows = [(1, 1, 4, 0), (2, 2, 3, 0), (2, 3, 3, 0)]
    weights = [dataclasses.replace(GENRES, weights=np.array([1, w], np.float32)) for w in (1, 2)]
    weighted = [dataclasses.replace(CATALOGUE, item_features={"genres": one}) for one in weights]
    assert len({ratings(rows, catalogue=one).data_fingerprint for one in weighted}) == 2
    scaled = [ratings(rows, scale=RatingScale(0.5, high)) for high in (5.0, 10.0)]
    assert scaled[0].rows_fingerprint == scaled[1].rows_fingerprint
    assert scaled[0].data_fingerprint != scaled[1].data_fingerprint


@given(ROWS, st.sets(st.integers(-3, 9)), st.sets(st.integers(-3, 9)))
def test_rows_are_the_same_in_every_catalogue_and_for_every_width_of_ids(rows, users, items):
    made = ratings(rows)
    more = [
        np.union1d(ids, np.array(list(extra), np.int64))
        for ids, extra in zip((made.catalogue.user_ids, made.catalogue.item_ids), (users, items), strict=True)
    ]
    around = made.over(Catalogue(more[0].astype(np.int16), more[1]))
    assert around.rows_fingerprint == made.rows_fingerprint
    assert around.over(made.catalogue).data_fingerprint == made.data_fingerprint
    for name, index in (("user_ids", "users"), ("item_ids", "items")):
        np.testing.assert_array_equal(*(getattr(one.catalogue, name)[getattr(one, index)] for one in (made, around)))
    grown = any(
        one.size > ids.size for one, ids in zip(more, (made.catalogue.user_ids, made.catalogue.item_ids), strict=True)
    )
    assert (around.data_fingerprint != made.data_fingerprint) == grown


def test_rows_do_not_fit_over_a_catalogue_that_lacks_their_items():
    with pytest.raises(DataError, match="lacks users or items"):
        ratings([(1, 9, 4, 0)]).over(CATALOGUE)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"values": np.array([1.0, np.nan], np.float32)}, "1 of 2 values are not finite"),
        ({"values": np.array([1.0, 2.0])}, "values must be float32"),
        ({"items": np.array([0], np.int32)}, "items has 1 rows"),
        ({"items": np.array([0, 7], np.int32)}, "outside the catalogue"),
        ({"users": np.array([-1, 0], np.int32)}, "outside the catalogue"),
        ({"users": np.array([1, 0], np.int32)}, "not ordered"),
    ],
)
def test_broken_ratings_are_refused(change, part):
    good = ratings([(1, 1, 4, 0), (2, 2, 3, 0)])
    with pytest.raises(DataError) as caught:
        dataclasses.replace(good, **change)
    assert part in str(caught.value)


def test_ids_missing_from_the_catalogue_are_counted():
    catalogue = Catalogue(np.array([1, 2]), np.array([1]))
    with pytest.raises(DataError, match="2 rows have a item id"):
        ratings([(1, 1, 4, 0), (1, 2, 4, 0), (2, 3, 4, 0)], catalogue=catalogue)


def test_ids_are_translated_and_unknown_ones_are_minus_one():
    catalogue = Catalogue(np.array([3, 5, 9]), np.array(["a", "c"]))
    assert catalogue.user_index([9, 4, 3]).tolist() == [2, -1, 0]
    assert catalogue.item_index(["c", "b"]).tolist() == [1, -1]
    assert catalogue.item_index([1]).tolist() == [-1]
    assert Catalogue(np.array([], np.int64), np.array([1])).user_index([1]).tolist() == [-1]


WIDTHS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
COLUMNS = {
    **{width: lambda ids, width=width: np.array(ids, dtype=width) for width in WIDTHS},
    "list": list,
    "objects": lambda ids: np.array(ids, dtype=object),
    "Series": pd.Series,
    "Index": pd.Index,
    "Int64": lambda ids: pd.Series(ids, dtype="Int64"),
    "arrow": lambda ids: pd.Series(ids, dtype="int64[pyarrow]"),
    "Categorical": pd.Categorical,
    "codes": lambda ids: pd.Series(pd.Categorical(range(10))).cat.codes.iloc[ids],
}
TEXTS = {
    "list": list,
    "numpy": lambda ids: np.array(ids),
    "StringDType": lambda ids: np.array(ids, dtype=np.dtypes.StringDType()),
    "objects": lambda ids: np.array(ids, dtype=object),
    "Series": pd.Series,
    "Categorical": pd.Categorical,
    "string": lambda ids: pd.Series(ids, dtype="string[python]"),
    "pyarrow": lambda ids: pd.Series(ids, dtype="string[pyarrow]"),
    "Array": pa.array,
}


@pytest.mark.parametrize(
    ("column", "ids"),
    [*((form, [3, 1, 7]) for form in COLUMNS.values()), *((form, ["b", "a ", "é"]) for form in TEXTS.values())],
)
def test_ids_of_any_type_are_int64_or_text_and_are_found_again(column, ids):
    made = Ratings.from_columns(column(ids), column(ids), [1.0, 2.0, 3.0])
    plain = Ratings.from_columns(ids, ids, [1.0, 2.0, 3.0])
    assert made.catalogue.user_ids.tolist() == made.catalogue.item_ids.tolist() == sorted(ids)
    assert made.catalogue.user_ids.dtype == (np.int64 if ids[0] == 3 else object)
    assert {type(raw) for raw in made.catalogue.user_ids.tolist()} == {type(ids[0])}
    assert made.catalogue.user_index(column(ids)).tolist() == plain.catalogue.user_index(ids).tolist()
    assert made.rows_fingerprint == plain.rows_fingerprint


@pytest.mark.parametrize(
    ("ids", "part"),
    [
        ([1, "1"], "user ids mix numbers and text: 1 and '1'"),
        ([1, None], "None is neither an integer nor text"),
        (["a", None], "None is neither"),
        (pd.Series(["a", None]), "missing|neither"),
        (pd.Series([1, None], dtype="Int64"), "nan is missing"),
        ([1.0, float("nan")], "nan is missing"),
        (np.array([1.0, 2.5]), "2.5 is no integer"),
        (np.array([1, 2**24 + 1], dtype=np.float32), "16777216.0 may be another integer, rounded"),
        ([True, False], "True is neither an integer nor text"),
        (np.array([True, False]), "bool is neither integers nor text"),
        ([2**63, 1], "9223372036854775808 is beyond 64 bits"),
        (np.array([2**63, 1], dtype=np.uint64), "9223372036854775808 is beyond 64 bits"),
        ([b"a", b"b"], "neither an integer nor text"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"), "neither integers nor text"),
        (["a", "\ud800"], "no valid Unicode"),
    ],
)
def test_what_is_no_id_is_refused_in_a_line(ids, part):
    with pytest.raises(DataError, match=part) as caught:
        Ratings.from_columns(ids, [1, 2], [1.0, 2.0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("users", "items", "part"),
    [
        (2**31, 1, "2,147,483,648 users; an int32 index can tell 2,147,483,647 apart"),
        (1, 2**30 + 1, "1,073,741,825 items; an int32 index can tell 1,073,741,824 apart"),
    ],
)
def test_a_catalogue_has_room_for_int32_indices_only(users, items, part):
    with pytest.raises(DataError, match=part):
        Catalogue(np.broadcast_to(np.int64(1), users), np.broadcast_to(np.int64(1), items))


def test_titles_that_are_no_text_are_refused():
    with pytest.raises(DataError, match="titles: None is no text"):
        Catalogue(np.array([1]), np.array([1, 2]), np.array(["a", None], dtype=object))


@pytest.mark.parametrize(("name", "part"), [(1995, "names: 1995 is no text"), ("\ud800", "no valid Unicode")])
def test_names_of_features_that_cannot_be_saved_are_refused(name, part):
    with pytest.raises(DataError, match=part):
        Features((name,), np.array([0]), np.array([], np.int32))


def test_many_text_ids_are_found_like_single_ones():
    catalogue = Catalogue(np.array([1]), [f"{n:04}" for n in range(1000)])
    wanted = ["0999", "x", "0000", "", "0500"] * 20
    assert catalogue.item_index(wanted).tolist() == [catalogue.item_index(one)[0] for one in wanted]


def test_catalogues_must_fit_together():
    features = Features.from_lists([["x"], []])
    with pytest.raises(DataError, match="2 rows for 1 items"):
        Catalogue(np.array([1]), np.array([1]), item_features={"genres": features})
    with pytest.raises(DataError, match="strictly increasing"):
        Catalogue(np.array([2, 1]), np.array([1]))
    with pytest.raises(DataError, match="1 titles for 2 items"):
        Catalogue(np.array([1]), np.array([1, 2]), titles=np.array(["x"]))


def test_features_are_multi_hot():
    features = Features.from_lists([["b", "a"], [], ["b", "b"]])
    assert features.names == ("a", "b")
    np.testing.assert_array_equal(features.dense(), [[1, 1], [0, 0], [0, 1]])
    with pytest.raises(DataError):
        Features(("a",), np.array([0, 1]), np.array([3], np.int32))


@pytest.mark.parametrize("repeats", [1, 3])
def test_train_and_valid_together_are_in_canonical_order(repeats):
    pairs = [(u, i) for u in range(4) for i in range(5)]
    whole = ratings([(u, i, 1 + (u * i + n) % 9, u + i - n) for u, i in pairs for n in range(repeats)])

    def part(keep):
        columns = {name: getattr(whole, name)[keep] for name in ("users", "items", "values", "timestamps")}
        return dataclasses.replace(whole, **columns)

    rows = np.random.default_rng(0).permutation(len(whole))
    split = Split(part(rows % 3 == 0), part(rows % 3 == 1), part(rows % 3 == 2), rule="by thirds")
    both = part(rows % 3 != 2)
    assert split.train_and_valid.rows_fingerprint == both.rows_fingerprint
    assert split.fingerprint != Split(split.valid, split.train, split.test, rule="by thirds").fingerprint


def test_scale_and_mean():
    made = ratings([(1, 1, 1, 0), (1, 2, 9, 0)])
    assert (made.scale, made.rating_range) == (None, RatingScale(0.5, 4.5))
    declared = dataclasses.replace(made, scale=RatingScale(0.5, 5.0))
    assert declared.take(declared.items == 0).rating_range == RatingScale(0.5, 5.0)
    assert made.take(made.items == 0).rating_range == RatingScale(0.5, 0.5), "a part has a range of its own"
    assert made.mean == 2.5
    empty = Ratings.from_columns([], [], [], catalogue=made.catalogue)
    assert (len(empty), empty.mean) == (0, 0.0)
