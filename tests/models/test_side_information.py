"""Blocks of features beside each other: which columns, which numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from mfx.errors import ModelError
from mfx.interfaces import Features
from mfx.models import side_information
from mfx.models.bayes_mf import BayesMF
from mfx.models.genre_als import GenreALS
from mfx.models.side_information import Counterparts, gather
from mfx.sweep.space import build

GENRES = Features.from_lists([["A", "B"], ["B"], [], ["A", "B", "C", "D"]])
TAGS = Features(("x", "y"), np.array([0, 1, 3, 3, 3]), np.array([0, 0, 1], np.int32), np.array([2, 1, 3], np.float32))
KNOWN = {"genres": GENRES, "tags": TAGS}
COUNTS = np.array([1, 100, 0, 10])


def test_blocks_stand_side_by_side_in_the_order_named():
    side = gather(["count", "tags", "constant", "genres"], KNOWN, COUNTS)
    genres = ["genres: A", "genres: B", "genres: C", "genres: D"]
    assert side.names == ("count", "tags: x", "tags: y", "constant", *genres)
    assert {block: (part.start, part.stop) for block, part in side.columns.items()} == {
        "count": (0, 1),
        "tags": (1, 3),
        "constant": (3, 4),
        "genres": (4, 8),
    }
    assert side.own == (0,)
    dense = side.matrix.toarray()
    np.testing.assert_allclose(dense[:, 1:3], [[1, 0], [0.25, 0.75], [0, 0], [0, 0]])
    np.testing.assert_allclose(dense[:, 3], 1.0)
    np.testing.assert_allclose(dense[:, 4:], [[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0.25] * 4])
    np.testing.assert_allclose(side.overlap(np.arange(4.0)), dense.T @ np.diag(np.arange(4.0)) @ dense)
    assert gather(["genres"], KNOWN, COUNTS).own == ()


def test_sums_and_rare_features():
    side = gather(["genres", "tags"], KNOWN, COUNTS, pooling="sum", min_rows=2)
    assert side.names == ("genres: A", "genres: B", "tags: x")
    assert side.matrix.toarray().tolist() == [[1, 1, 2], [0, 1, 1], [0, 0, 0], [1, 1, 0]]
    assert gather(["genres"], KNOWN, np.zeros(4, np.int64), min_rows=2).n_features == 0


def test_counts_are_standard_logarithms_and_a_row_without_ratings_is_met_like_any_other():
    column = gather(["count"], {}, COUNTS).matrix.toarray()[:, 0]
    logarithms = np.log([1, 100, 10])
    mean = np.average(logarithms, weights=[1, 100, 10])
    np.testing.assert_allclose(column[[0, 1, 3]], (logarithms - mean) / logarithms.std())
    assert column[2] == 0.0
    assert gather(["count"], {}, np.array([7, 7])).matrix.toarray().tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("unrated", [0.0, 0.3, 1.0])
def test_rows_without_ratings_lie_between_the_average_and_those_with_one(unrated):
    column = gather(["count"], {}, COUNTS, unrated=unrated).matrix.toarray()[:, 0]
    assert column[2] == pytest.approx(unrated * column[0])
    assert column[0] < 0.0


@pytest.mark.parametrize("model", [GenreALS, BayesMF])
def test_sweeps_search_what_the_count_of_rows_without_ratings_is_taken_for(model):
    space = {one.name: one for one in build([], {"model": {"name": model.name, **model().settings()}})}
    searched = space["model.unrated"]
    assert (searched.kind, searched.low, searched.high, searched.default) == ("float", 0.0, 1.0, 0.2)


@given(st.integers(0, 3), st.sampled_from(["mean", "sum"]), st.sampled_from([1, 2]), st.sampled_from([0.0, 0.4]))
def test_a_new_row_has_the_features_of_a_known_one(row, pooling, min_rows, unrated):
    rules = {"pooling": pooling, "min_rows": min_rows, "unrated": unrated}
    side = gather(["constant", "genres", "count"], KNOWN, COUNTS, **rules)
    own = GENRES.indices[GENRES.indptr[row] : GENRES.indptr[row + 1]]
    names = [GENRES.names[j] for j in own if f"genres: {GENRES.names[j]}" in side.names]
    found = side.of_new_row({"genres": names[::-1]}, int(COUNTS[row]), pooling=pooling)
    np.testing.assert_allclose(found, side.matrix.toarray()[row])


def test_whom_rows_met_among_those_who_are_met_most(monkeypatch):
    met = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]], dtype=np.int8)
    counterparts = Counterparts(sparse.csr_array(met), np.array(["a", "b", "c", "d", "e"]))
    side = gather(["rated", "constant"], {}, met.sum(axis=1), counterparts=counterparts)
    assert side.names == ("rated: a", "rated: b", "rated: c", "rated: d", "constant")  # nobody met e
    counts = met.sum(axis=1)
    expected = met[:, :4] / np.sqrt(np.maximum(counts, 1))[:, None]
    expected[2] = counts @ expected / counts.sum()  # nothing is known of whom it would have met
    np.testing.assert_allclose(side.matrix.toarray()[:, :4], expected)
    monkeypatch.setattr(side_information, "_MOST_RATED", 2)
    side = gather(["rated"], {}, met.sum(axis=1), counterparts=counterparts)
    assert side.names == ("rated: a", "rated: c")  # d is met as often as a and comes later
    root = 0.5**0.5
    mean = [7 * root / 8, (7 * root + 1) / 8]
    np.testing.assert_allclose(side.matrix.toarray(), [[root, root], [0, 1], mean, [root, root]])
    for row in range(4):
        rated = np.flatnonzero(met[row])[::-1]
        np.testing.assert_allclose(side.of_new_row({}, rated.size, rated=rated), side.matrix.toarray()[row])
    assert gather(["rated"], {}, met.sum(axis=1), min_rows=3, counterparts=counterparts).names == ("rated: c",)


def test_what_is_not_there_is_named():
    with pytest.raises(ModelError, match="no features 'genre'") as caught:
        gather(["genre"], KNOWN, COUNTS)
    assert "Did you mean 'genres'?" in caught.value.hint
    with pytest.raises(ModelError, match="named twice"):
        gather(["count", "count"], {}, COUNTS)
    with pytest.raises(ModelError, match="a name that the model gives to its own"):
        gather(["count"], {"count": GENRES}, COUNTS)
    with pytest.raises(ModelError, match="no features 'empty'"):
        gather(["empty"], {"empty": Features.from_lists([[]] * 4)}, COUNTS)
    side = gather(["constant", "genres"], KNOWN, COUNTS)
    with pytest.raises(ModelError, match="Unknown genres: E, F") as caught:
        side.of_new_row({"genres": ["F", "A", "E"]})
    assert caught.value.hint == "Known: A, B, C, D."
    for block in ("constant", "tags"):
        with pytest.raises(ModelError, match=f"knows no features '{block}'"):
            side.of_new_row({block: ["x"]})
