"""Play counts beyond 2**24, which float32 rounds: read, and said."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mfx.data.delimited import read_ratings
from mfx.data.layout import Layout
from mfx.data.pieces import Gathered
from mfx.data.streaming import partition_dataset
from mfx.data.table import Table
from mfx.interfaces import Ratings

COUNTS = [352_698, 2**24, 20_000_001, 16_777_218, -20_000_001, 20_000_000.5]
READ = [352_698, 2**24, 20_000_000, 16_777_218, -20_000_000, 20_000_000]
SAID = "float32 rounds 3 ratings beyond 16,777,216; first at"


def table(folder, reader, counts):
    ids = list(range(len(counts)))
    settings = {"timestamp_column": None, "on_bad_rows": "drop"}
    if reader == "parquet":
        pq.write_table(pa.table({"user_id": ids, "item_id": ids, "rating": counts}), folder / "r.parquet")
        return Table(path=str(folder / "r.parquet"), **settings)
    rows = "".join(f"{raw},{raw},{count}\n" for raw, count in zip(ids, counts, strict=True))
    bad = "1,1,none\n" if reader == "careful" else ""
    (folder / "r.csv").write_text("user_id,item_id,rating\n" + rows + bad)
    return Table(path=str(folder / "r.csv"), **settings)


@pytest.mark.parametrize(("reader", "where"), [("quick", "line 4"), ("careful", "line 4"), ("parquet", "row 3")])
def test_every_reader_counts_them(reader, where, tmp_path, caplog):
    made = table(tmp_path, reader, COUNTS)
    assert made.load().values.tolist() == READ
    assert f"{SAID} {where}: 20,000,001" in caplog.text
    caplog.clear()
    partition_dataset(made, tmp_path / "parts", 2, lambda *_: None)
    assert f"{SAID} {where}: 20,000,001" in caplog.text


@pytest.mark.parametrize("dtype", [np.float64, object])
def test_columns_of_python_are_counted(dtype, caplog):
    made = Ratings.from_columns(range(6), range(6), np.array(COUNTS, dtype=dtype))
    assert made.values.tolist() == READ
    assert f"{SAID} row 3: 20,000,001.0 becomes 20,000,000" in caplog.text


@pytest.mark.parametrize("reader", ["quick", "careful", "parquet", "python"])
def test_what_float32_holds_and_decimals_pass_in_silence(reader, tmp_path, caplog):
    counts = [352_698, 2**24, 2**24 + 2, 3.7, 0.1, 2**40]
    with caplog.at_level(logging.WARNING):
        ratings = (
            Ratings.from_columns(range(6), range(6), counts)
            if reader == "python"
            else table(tmp_path, reader, counts).load()
        )
    assert ratings.values.tolist() == np.array(counts, dtype=np.float32).tolist()
    assert "float32 rounds" not in caplog.text


def test_the_first_of_several_pieces_is_named(caplog, monkeypatch, tmp_path):
    from mfx.data import careful

    monkeypatch.setattr(careful, "_PIECE", 2)
    made = table(tmp_path, "careful", [1, 2, 3, 20_000_001, 20_000_003])
    made.load()
    assert "float32 rounds 2 ratings beyond 16,777,216; first at line 5: 20,000,001" in caplog.text


def test_the_quick_reader_rounds_like_the_careful_one():
    # Half way between two numbers of float32, but for a digit that float64 cannot hold either.
    text = "u,i,r\n1,1,1.00000005960464477539062500000000001\n"
    layout = Layout(user="u", item="i", rating="r", timestamp=None, columns=())
    import io

    found = []
    for more in ("", "2,2,none\n"):
        sink = Gathered()
        read_ratings(lambda more=more: io.BytesIO((text + more).encode()), layout, "r", "drop", sink)
        found.append(sink.whole().values[0])
    assert found[0] == found[1]
