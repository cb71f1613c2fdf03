"""One long title or id among many short ones: memory goes by what is read, not by rows times the longest."""

import pickle
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mfx.data.partitioned import Partitioned
from mfx.data.streaming import partition_dataset
from mfx.data.table import Table
from mfx.models.popularity import Popularity
from mfx.split.random import RandomSplit

ROWS, LONG = 4_000, "é" * 40_000
TITLES = [LONG if item == 77 else f"Title {item}" for item in range(ROWS)]
IDS = [LONG if row == 77 else f"{row:06}" for row in range(ROWS)]
LIMIT = 60e6
"""Bytes; text of fixed width takes ``ROWS * len(LONG) * 4`` of them, 640e6."""


def columns(ids):
    return {"user_id": ids, "item_id": ids, "rating": [1 + row % 5 for row in range(ROWS)], "timestamp": range(ROWS)}


def as_csv(path, table, more=""):
    path.write_text(
        "\n".join([",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True)), more])
    )
    return str(path)


def dataset(folder, reader, ids, **settings):
    table = columns(ids)
    if reader == "parquet":
        pq.write_table(pa.table({name: list(column) for name, column in table.items()}), folder / "r.parquet")
        path = str(folder / "r.parquet")
    else:
        path = as_csv(folder / "r.csv", table, {"quick": "", "careful": "1,1,none,1\n"}[reader])
    return Table(path=path, on_bad_rows="drop", **settings)


@pytest.fixture(params=["quick", "careful", "parquet"])
def texts(request, tmp_path):
    """Return a data set with a long user id and item id, and one with a long title."""
    items = as_csv(tmp_path / "items.csv", {"item_id": range(ROWS), "title": TITLES, "genres": ["A|B"] * ROWS})
    (tmp_path / "ids").mkdir()
    return (
        dataset(tmp_path / "ids", request.param, IDS),
        dataset(tmp_path, request.param, list(range(ROWS)), items_path=items),
    )


def test_the_way_of_a_long_text_takes_memory_for_it_once(texts, tmp_path):
    for number, made in enumerate(texts):
        folder = tmp_path / str(number)
        made.load()  # imports and compiled kernels are not what is measured
        made.cache = False
        tracemalloc.start()
        try:
            made.load()
            made.cache = True
            ratings = made.load()
            partition_dataset(made, folder / "parts", 2, lambda *_: None)
            again = Partitioned(path=str(folder / "parts")).load()
            parts = RandomSplit(seed=1).split(again)
            model = Popularity().fit(parts.train)
            loaded = Popularity.load(model.save(folder / "model"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < LIMIT
        catalogue = loaded.catalogue_
        assert ratings.fingerprint == again.fingerprint
        assert len(pickle.dumps(catalogue)) < 2e6
        if catalogue.titles is None:
            assert catalogue.item_ids.tolist() == catalogue.user_ids.tolist() == sorted(IDS)
        else:
            assert catalogue.titles.tolist() == TITLES


def test_columns_of_python_with_a_long_id_take_memory_for_it_once():
    from mfx.interfaces import Ratings

    tracemalloc.start()
    try:
        ratings = Ratings.from_columns(IDS, IDS, np.ones(ROWS))
        assert ratings.catalogue.item_index(IDS).min() == 0
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()
