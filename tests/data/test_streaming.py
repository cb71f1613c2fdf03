"""Parts that were streamed are those of the whole, to the byte; so are errors and warnings. Memory stays what it is."""

import contextlib
import errno
import gzip
import json
import logging
import os
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_samples import CSV_FILES, DAT_FILES, OLD_FILES, write_folder, zip_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

import mfx
from mfx.data import careful, delimited, ids, parquet
from mfx.data.grouplens import GroupLens
from mfx.data.partitioned import Partitioned
from mfx.data.parts_writer import partition
from mfx.data.pieces import Gathered
from mfx.data.raw import IdColumn, Origin, RawRatings
from mfx.data.streaming import partition_dataset
from mfx.data.table import Table
from mfx.errors import DataError
from mfx.interfaces import Ratings
from mfx.testing import planted_ratings


def silent(*_):
    pass


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Make pieces so small that every file has several, and let ids take every way."""
    monkeypatch.setattr(delimited, "_BLOCK", 96)
    monkeypatch.setattr(careful, "_PIECE", 3)
    monkeypatch.setattr(parquet, "_PIECE", 4)
    monkeypatch.setattr(ids, "_FEW", 5)


@contextlib.contextmanager
def warnings():
    """Gather what is logged as a warning."""
    said = []

    class Handler(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    handler = Handler(logging.WARNING)
    logging.getLogger("mfx").addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger("mfx").removeHandler(handler)


def outcome(way, dataset, folder, n_parts):
    """Return every byte that was written, or what was complained of, and the warnings."""
    with warnings() as said:
        try:
            way(dataset, folder, n_parts)
        except DataError as error:
            assert list(folder.parent.iterdir()) == []
            return str(error), said
    return {path.name: path.read_bytes() for path in folder.iterdir()}, said


def whole(dataset, folder, n_parts):
    return partition(dataset.load(), folder, n_parts, getattr(dataset, "dropped_", {}))


def streamed(dataset, folder, n_parts):
    return partition_dataset(dataset, folder, n_parts, silent)


def both(make, n_parts=3):
    """Write a data set both ways; return what they agree on."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        expected = outcome(whole, make(), Path(one) / "parts", n_parts)
        found = outcome(streamed, make(), Path(other) / "parts", n_parts)
        assert found == expected
        if isinstance(found[0], dict):
            loaded = Partitioned(path=str(Path(other) / "parts")).load()
            assert loaded.fingerprint == make().load().fingerprint
        return found


IDS = {
    "close": st.integers(-3, 8),
    "sparse": st.sampled_from([-(2**62), -5, 0, 7, 2**31, 2**40, 2**63 - 1]),
    "text": st.sampled_from(["7", "ann", "bob ", " bob", "cid", "Éa", "a,b", "007"]),
    "late text": st.sampled_from(["1", "2", "3", "4", "5", "66", "7", "88", "9", "10", "eleven"]),
}
FRACTIONS = ["1000000000.5", "1000000001.000002", "1000000001.000000003", "16725225600"]  # the last in 2500
BAD = st.sampled_from([("rating", "x"), ("rating", ""), ("rating", "nan"), ("user_id", ""), ("timestamp", "1e30")])


@st.composite
def tables(draw):
    """Draw a table of ratings as text, how it is to be written, and the settings it is read with."""
    rows = draw(
        st.lists(
            st.tuples(
                IDS[draw(st.sampled_from(sorted(IDS)))],
                IDS[draw(st.sampled_from(sorted(IDS)))],
                st.sampled_from(["0.5", "1", "3", "3.5", "5"]),
                st.one_of(*[st.integers(0, 3).map(lambda t: str(10**9 + t))] * 5, st.sampled_from(FRACTIONS)),
            ),
            min_size=1,
            max_size=40,
        )
    )
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"]).astype(str)
    if draw(st.booleans()):  # no pair twice, so that there is more to see than refusals
        frame = frame.drop_duplicates(["user_id", "item_id"])
    frame = frame.reset_index(drop=True)
    for column, value in draw(st.lists(BAD, max_size=2)):
        if draw(st.booleans()):
            frame.loc[draw(st.integers(0, len(frame) - 1)), column] = value
    timed = draw(st.booleans())
    given = {
        "on_bad_rows": draw(st.sampled_from(["refuse", "drop", "drop"])),
        "duplicates": draw(st.sampled_from(["refuse", "keep_last", "keep_first", "mean"])),
        "timestamp_column": "timestamp" if timed else None,
        "cache": False,
    }
    if draw(st.booleans()):
        given |= {"rating_min": 1.0, "rating_max": 5.0}
    form = draw(st.sampled_from(["csv", "gz", "tab", "::", "text.parquet", "typed.parquet"]))
    given["separator"] = form if form in ("tab", "::") else ","
    return frame, form, given, draw(st.integers(1, 6))


def write(frame, form, folder):
    path = folder / f"r.{form if form.endswith(('parquet', 'gz')) else 'csv'}"
    if form.endswith("parquet"):
        numbers = {column: pd.to_numeric(frame[column], errors="coerce") for column in ("rating", "timestamp")}
        frame = frame.assign(**numbers)
    if form == "typed.parquet":
        with contextlib.suppress(ValueError, OverflowError):
            frame = frame.assign(user_id=frame["user_id"].astype(np.int64))
    if form.endswith("parquet"):
        pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=7)
    elif form == "::":
        lines = ["::".join(row) for row in [list(frame.columns), *frame.to_numpy().tolist()]]
        path.write_text("\n".join(lines) + "\n")
    else:
        text = frame.to_csv(index=False, sep="\t" if form == "tab" else ",")
        path.write_bytes(gzip.compress(text.encode()) if form == "gz" else text.encode())
    return str(path)


@settings(max_examples=120, deadline=None)
@given(tables())
def test_any_table_gives_the_parts_and_complaints_of_the_whole(drawn):
    frame, form, given_settings, n_parts = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = write(frame, form, Path(folder))
        both(lambda: Table(path=path, **given_settings), n_parts)


def ratings_of(users, items, seed=0, times=True):
    rng = np.random.default_rng(seed)
    cells = rng.permutation(users * items)[: users * items // 2]
    frame = pd.DataFrame({"user_id": cells // items + 1, "item_id": 3 * (cells % items) + 5})
    frame["rating"] = rng.integers(1, 11, cells.size) / 2
    if times:
        frame["timestamp"] = 10**9 + rng.integers(0, 10**6, cells.size)
    return frame


@pytest.mark.parametrize("form", ["csv", "gz", "tab", "::", "text.parquet", "typed.parquet"])
def test_many_pieces_and_several_parts_of_each_form(form, tmp_path):
    path = write(ratings_of(30, 20).astype(str), form, tmp_path)
    sep = form if form in ("tab", "::") else ","
    files, said = both(lambda: Table(path=path, separator=sep, cache=False), 7)
    assert sum(name.startswith("part-") for name in files) == 7
    assert said == []


def test_what_readers_hand_on_is_never_more_than_a_piece(tmp_path):
    frame = ratings_of(30, 20).astype(str)
    spoiled = frame.copy()
    spoiled.loc[0, "rating"] = "x"
    largest = {}
    for form, rows in (("csv", frame), ("text.parquet", frame), ("gz", spoiled)):
        sizes = []

        class Watching(Gathered):
            def add(self, piece, sizes=sizes):
                sizes.append(piece.values.size)
                super().add(piece)

        Table(path=write(rows, form, tmp_path), on_bad_rows="drop").read_into(Watching(), {})
        assert sum(sizes) >= len(frame) - 1
        largest[form] = max(sizes)
    # A line takes 15 bytes or more, a block 96.
    assert largest["csv"] <= 96 // 15
    assert largest["text.parquet"] == 4
    assert largest["gz"] == 3


@pytest.mark.parametrize("row_group_size", [60_000, 600_000])
def test_parquet_is_not_held_whatever_its_row_groups(row_group_size, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_PIECE", 1 << 14)
    monkeypatch.setattr(parquet, "_BUFFER", 1 << 16)
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**40, (2, 600_000))
    table = pa.table({"user_id": numbers[0], "item_id": numbers[1], "rating": rng.random(600_000)})
    pq.write_table(table, tmp_path / "r.parquet", row_group_size=row_group_size, use_dictionary=False)
    del table
    before, held = pa.total_allocated_bytes(), []

    class Watching:
        def restart(self):
            pass

        def add(self, piece):
            held.append(pa.total_allocated_bytes() - before)

    Table(path=str(tmp_path / "r.parquet"), timestamp_column=None).read_into(Watching(), {})
    assert len(held) == 37
    assert max(held) < 0.35 * (tmp_path / "r.parquet").stat().st_size


def test_memory_grows_with_the_whole_but_not_with_the_stream(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 1 << 16)
    monkeypatch.setattr(ids, "_FEW", 1 << 20)
    peaks = {}
    for items, parts in ((100, 2), (400, 8)):
        path = tmp_path / f"{items}.csv"
        ratings_of(2_000, items).to_csv(path, index=False)
        for way in (streamed, whole):
            way(Table(path=str(path), cache=False), tmp_path / f"warm-{way.__name__}-{items}", parts)
            tracemalloc.start()
            way(Table(path=str(path), cache=False), tmp_path / f"{way.__name__}-{items}", parts)
            peaks[way.__name__, items] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert peaks["whole", 400] > 2.5 * peaks["whole", 100]
    assert peaks["streamed", 400] < 1.4 * peaks["streamed", 100]


@pytest.mark.parametrize("duplicates", ["refuse", "keep_last", "keep_first", "mean"])
def test_merged_pairs_move_the_bounds_of_parts(duplicates, tmp_path):
    frame = ratings_of(12, 10)
    one = frame[frame["user_id"] == 1]
    again = pd.concat([frame, *[one.assign(timestamp=k, rating=1 + k / 2) for k in range(6)]])
    again = again.sample(frac=1, random_state=3)
    path = write(again.astype(str), "csv", tmp_path)
    found, said = both(lambda: Table(path=path, duplicates=duplicates, cache=False), 4)
    extra = len(again) - len(frame)
    if duplicates == "refuse":
        assert f"{extra} rows repeat a (user, item) pair; first: user 1, item " in found
    else:
        assert f"merged {extra} rows" in said[0]


@pytest.mark.parametrize("block", [96, 1 << 20])
def test_repeated_pairs_are_told_with_the_lines_of_the_file(block, tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", block)
    frame = ratings_of(30, 20).sample(frac=1, random_state=1)
    again = pd.concat([frame, frame.iloc[[250, 40, 41, 299] * 3].assign(rating=1.0)])
    told, _ = both(lambda: Table(path=write(again.astype(str), "csv", tmp_path), cache=False))
    user, item = frame.iloc[40][["user_id", "item_id"]].astype(int)
    assert f"12 rows repeat a (user, item) pair; first: user {user}, item {item} on lines 42 and 303." in told
    again = frame.assign(rating=[5.0] * 123 + [None] * 2 + [4.0] * 175)
    told, _ = both(lambda: Table(path=write(again, "typed.parquet", tmp_path), cache=False))
    assert "2 of 300 rows cannot be used (2 missing rating); first at row 124" in told


def test_items_that_nobody_rated_and_ids_far_apart(tmp_path):
    frame = ratings_of(9, 8)
    frame["user_id"] = frame["user_id"] * 2**57
    items = pd.DataFrame({"item_id": [*range(0, 40), 10**12], "title": [f"T{i} (199{i % 10})" for i in range(41)]})
    items["genres"] = "a|b"
    items.to_csv(tmp_path / "items.csv", index=False)
    path = write(frame.astype(str), "csv", tmp_path)
    files, _ = both(lambda: Table(path=path, items_path=str(tmp_path / "items.csv"), cache=False))
    assert b"1990-1994" in files["catalogue.mfx"]
    items.loc[1, "item_id"] = 0
    items.to_csv(tmp_path / "items.csv", index=False)
    assert (
        "item 0 is described 2 times"
        in both(lambda: Table(path=path, items_path=str(tmp_path / "items.csv"), cache=False))[0]
    )


@pytest.mark.parametrize("files", [CSV_FILES, DAT_FILES, OLD_FILES])
@pytest.mark.parametrize("zipped", [True, False])
def test_layouts_of_movielens(files, zipped, tmp_path):
    path = tmp_path / "ml.zip"
    if zipped:
        path.write_bytes(zip_bytes(files))
    else:
        path = write_folder(tmp_path / "ml", files)
    found, _ = both(lambda: GroupLens(path=str(path), cache=False), 2)
    assert len(found) == 4


def test_a_cut_short_zip_and_ids_that_turn_out_to_be_text_late(tmp_path):
    text = "".join(f"{u},{i},3,{u}\n" for u in range(1, 400) for i in range(3))
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(f"user_id,item_id,rating,timestamp\n{text}".encode())[:-40])
    assert "cannot be read" in both(lambda: Table(path=str(path), cache=False))[0]
    frame = ratings_of(30, 20).astype(str)
    frame.loc[len(frame) - 1, ["user_id", "item_id"]] = ["ann", "x"]
    for form in ("csv", "text.parquet"):
        late = write(frame, form, tmp_path)
        assert isinstance(both(lambda late=late: Table(path=late, cache=False))[0], dict)


@pytest.mark.parametrize(("before", "after"), [(4, 7), (7, 1), (1, 5), (3, 3)])
@pytest.mark.parametrize("times", [True, False])
def test_parts_are_cut_anew(before, after, times, tmp_path):
    frame = ratings_of(25, 12, times=times)
    columns = [frame[name].to_numpy() for name in frame]
    partition(Ratings.from_columns(*columns), tmp_path / "old", before)
    both(lambda: Partitioned(path=str(tmp_path / "old")), after)


def test_parts_with_users_without_ratings_are_cut_anew(tmp_path):
    partition(planted_ratings(silent=5), tmp_path / "old", 3)
    both(lambda: Partitioned(path=str(tmp_path / "old")), 1000)


def test_damaged_parts_are_not_cut(tmp_path):
    partition(planted_ratings(), tmp_path / "old", 3)
    parts = [tmp_path / "old" / f"part-0000{number}.parquet" for number in (0, 1)]
    parts[1].write_bytes(parts[0].read_bytes())
    assert "is not the file that was written" in both(lambda: Partitioned(path=str(tmp_path / "old")))[0]
    partition(planted_ratings(), tmp_path / "new", 3)
    manifest = tmp_path / "new" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "fingerprint": "00"}))
    assert "does not hold the ratings" in both(lambda: Partitioned(path=str(tmp_path / "new")))[0]


def test_a_data_set_that_cannot_be_read_in_pieces_is_loaded(tmp_path):
    class Plain:
        def load(self):
            return planted_ratings(silent=2)

    both(Plain)


class ThirdParty:
    """Reads in pieces through the documented door alone; restarts once."""

    def __init__(self, pieces):
        self._pieces = pieces

    def read_into(self, sink, dropped):
        sink.restart()
        sink.add(piece_of([77, 3])(1))
        sink.restart()
        for number, piece in enumerate(self._pieces):
            sink.add(piece(3 * number + 1))
        return Origin("their server", "theirs")

    def load(self):
        raise AssertionError("it was loaded")


def piece_of(users, times=None, labels=None):
    def made(first_line):
        n = len(users)
        at = None if times is None else np.array(times, np.int64)
        codes = IdColumn(np.array(users), labels)
        items = IdColumn(np.arange(n))
        return RawRatings(codes, items, np.ones(n, np.float32), at, first_line=first_line, unit="record")

    return made


def test_the_door_for_third_parties(tmp_path):
    made = partition_dataset(ThirdParty([piece_of([5, 3, 3]), piece_of([9, 9, 9])]), tmp_path / "a", 2, silent)
    assert (made.n_ratings, made.empty.name, made.empty.catalogue.user_ids.tolist()) == (6, "theirs", [3, 5, 9])
    text = [piece_of([1, 0, 1], labels=["b", "a"]), piece_of([0, 0, 0], labels=["c"])]
    assert partition_dataset(ThirdParty(text), tmp_path / "b", 2, silent).empty.catalogue.user_ids.tolist() == list(
        "abc"
    )
    with pytest.raises(DataError, match=r"user 1, item 0 on records 1 and 4"):
        partition_dataset(ThirdParty([piece_of([1, 2, 3]), piece_of([1, 2, 3])]), tmp_path / "c", 2, silent)


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([], "their server holds no ratings"),
        ([piece_of([1]), piece_of([0], labels=["a"])], "another kind"),
        ([piece_of([1]), piece_of([2], times=[1])], "has timestamps"),
        ([piece_of([1]), piece_of([])], "is empty"),
        ([piece_of([1, 2], times=[1])], "differ in length"),
    ],
)
def test_pieces_that_do_not_fit_each_other_are_refused(pieces, said, tmp_path):
    with pytest.raises(DataError, match=said):
        partition_dataset(ThirdParty(pieces), tmp_path / "parts", 2, silent)
    assert list(tmp_path.iterdir()) == []


class TestInterrupted:
    @pytest.fixture
    def table(self, tmp_path):
        return Table(path=write(ratings_of(30, 20).astype(str), "csv", tmp_path), cache=False)

    @pytest.fixture
    def target(self, tmp_path):
        (tmp_path / "out").mkdir()
        return tmp_path / "out" / "parts"

    def test_at_any_step_nothing_is_left(self, table, target):
        steps = []
        partition_dataset(table, target.with_name("first"), 4, lambda *step: steps.append(step))
        assert {text.partition(",")[0] for text, _, _ in steps} == {
            "reading", "dividing ratings among parts", "writing part",
        }  # fmt: skip
        assert ("writing part", 4, 4) in steps
        for stop in range(0, len(steps), 7):
            left = iter(range(stop))

            def interrupt(*_, left=left):
                if next(left, None) is None:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                partition_dataset(table, target, 4, interrupt)
            assert [path.name for path in target.parent.iterdir()] == ["first"]

    @pytest.mark.parametrize(
        "where",
        [
            "mfx.data.scratch.PieceFile.append",
            "mfx.data.scratch.Divided.add",
            "pyarrow.parquet.write_table",
            "mfx.data.parts_writer.write_columns",
            "mfx.data.parts_writer.write_text",
            "os.rename",
        ],
    )
    def test_a_full_disk_is_told_as_that_of_the_folder_and_leaves_nothing(self, where, table, target, monkeypatch):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(where, full)
        with pytest.raises(DataError, match=r"out/parts cannot be written: No space left on device"):
            partition_dataset(table, target, 4, silent)
        assert list(target.parent.iterdir()) == []

    def test_a_place_that_cannot_be(self, table, target):
        target.write_text("a file")
        with pytest.raises(DataError, match=r"parts/below cannot be written: Not a directory"):
            partition_dataset(table, target / "below", 4, silent)
        assert list(target.parent.iterdir()) == [target]

    def test_a_place_that_is_taken_is_told_before_anything_is_read(self, target):
        target.mkdir()
        with pytest.raises(DataError, match="exists already"):
            partition_dataset(Table(path="nowhere.csv"), target, 4, silent)


def test_the_command_streams_and_tells_the_same(tmp_path, monkeypatch, capsys):
    from mfx.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Table, "load", lambda self: pytest.fail("the data set was loaded"))
    write(ratings_of(30, 20).astype(str), "csv", tmp_path)
    assert main(["data", "partition", "dataset=table", "dataset.path=r.csv", "to=parts", "parts=3", "--json"]) == 0
    printed = capsys.readouterr()
    assert '"ratings": 300' in printed.out
    assert printed.err == ""
    loaded = mfx.create("dataset", "partitioned", {"path": "parts"}).load()
    assert len(loaded) == 300


def test_parts_remember_what_was_left_out_when_they_were_written(tmp_path):
    frame = pd.concat([ratings_of(12, 10), ratings_of(12, 10).iloc[:2].assign(timestamp=10**6)]).astype(str)
    frame.iloc[5, frame.columns.get_loc("rating")] = "x"
    path = write(frame, "csv", tmp_path)
    partition_dataset(
        Table(path=path, on_bad_rows="drop", duplicates="keep_last", cache=False), tmp_path / "old", 2, silent
    )
    partition_dataset(Partitioned(path=str(tmp_path / "old")), tmp_path / "new", 3, silent)
    for name in ("old", "new"):
        made = Partitioned(path=str(tmp_path / name))
        made.load()
        assert sorted(made.dropped_.values()) == [1, 2]
        assert [reason.partition("(")[2] for reason in sorted(made.dropped_)] == [
            "on_bad_rows=drop)",
            "duplicates=keep_last)",
        ]
