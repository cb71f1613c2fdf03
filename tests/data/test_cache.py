import importlib.metadata
import logging
import os
import sys
import zipfile

import numpy as np
import pytest
from data_samples import CSV_FILES, DAT_FILES, write_folder, zip_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfx.data import cache as cache_module
from mfx.data import sources
from mfx.data.grouplens import GroupLens
from mfx.data.store import DamagedFile, read_columns, write_columns
from mfx.data.table import Table


def files_of(cache):
    return sorted(cache.glob("columns/*"))


def same(a, b):
    assert a.fingerprints == b.fingerprints
    assert (a.scale, a.name) == (b.scale, b.name)
    for column in ("users", "items", "values", "timestamps"):
        x, y = getattr(a, column), getattr(b, column)
        np.testing.assert_array_equal(x, y)
        assert (x.dtype, type(x), x.flags.writeable) == (y.dtype, type(y), y.flags.writeable)
    for ids in ("user_ids", "item_ids", "titles"):
        x, y = getattr(a.catalogue, ids), getattr(b.catalogue, ids)
        np.testing.assert_array_equal(x, y)
        assert x.dtype == y.dtype
    for side in ("item_features", "user_features"):
        x, y = getattr(a.catalogue, side), getattr(b.catalogue, side)
        assert list(x) == list(y)
        for block in x:
            assert x[block].names == y[block].names
            np.testing.assert_array_equal(x[block].indptr, y[block].indptr)
            np.testing.assert_array_equal(x[block].indices, y[block].indices)
            np.testing.assert_array_equal(x[block].weights, y[block].weights)


@pytest.mark.parametrize("files", [CSV_FILES, DAT_FILES])
def test_the_second_read_is_identical_and_touches_no_reader(files, tmp_path, cache, monkeypatch):
    path = str(write_folder(tmp_path, files))
    first = GroupLens(path=path, label="a b/c").load()
    monkeypatch.setattr(GroupLens, "read", None)
    same(first, GroupLens(path=path, label="a b/c").load())
    assert [file.name.partition("-")[0] for file in files_of(cache)] == ["a_b_c"]


def test_another_source_or_setting_is_another_entry(tmp_path, cache, monkeypatch):
    path = write_folder(tmp_path, CSV_FILES)
    ratings = path / "ml-x" / "ratings.csv"
    GroupLens(path=str(path)).load()
    GroupLens(path=str(path)).load()
    assert len(files_of(cache)) == 1
    GroupLens(path=str(path), tags=False).load()
    assert len(files_of(cache)) == 2
    ratings.write_text(ratings.read_text().replace("4.5", "2.5"))
    os.utime(ratings, ns=(1, 1))
    assert GroupLens(path=str(path)).load().values.max() == 5.0
    assert 4.5 not in GroupLens(path=str(path)).load().values
    monkeypatch.setattr(cache_module, "FORMAT", -1)
    GroupLens(path=str(path)).load()
    assert len(files_of(cache)) == 4


def rewrite(path, content):
    path.write_bytes(content)


def rename_over(path, content):
    other = path.with_name("other")
    other.write_bytes(content)
    other.replace(path)


def table_of(folder):
    (folder / "r.csv").write_text("user_id,item_id,rating,timestamp\n1,10,3.5,5\n2,10,4.5,6\n")
    (folder / "i.csv").write_text("item_id,title,genres\n10,Alien,Horror\n20,Brazil,Satire\n")
    return Table(path=str(folder / "r.csv"), items_path=str(folder / "i.csv"))


def folder_of(folder):
    return GroupLens(path=str(write_folder(folder, CSV_FILES)))


def zip_of(folder):
    (folder / "ml.zip").write_bytes(zip_bytes(CSV_FILES, zipfile.ZIP_STORED))
    return GroupLens(path=str(folder / "ml.zip"))


def facts(ratings):
    catalogue = ratings.catalogue
    return [ratings.values.tolist(), catalogue.titles.tolist(), catalogue.item_features["genres"].names]


@pytest.mark.parametrize("replace", [rewrite, rename_over])
@pytest.mark.parametrize(
    ("make", "file", "before", "after"),
    [
        (table_of, "r.csv", b"4.5", b"1.5"),
        (table_of, "i.csv", b"Alien", b"Alias"),
        (table_of, "i.csv", b"Horror", b"Comedy"),
        (folder_of, "ml-x/ratings.csv", b"4.5", b"1.5"),
        (folder_of, "ml-x/movies.csv", b"Drama", b"Crime"),
        (zip_of, "ml.zip", b"4.5", b"1.5"),
        (zip_of, "ml.zip", b"Drama", b"Crime"),
    ],
)
def test_a_file_replaced_at_equal_size_and_time_is_read_again(make, file, before, after, replace, tmp_path):
    dataset, path = make(tmp_path), tmp_path / file
    first, status, content = facts(dataset.load()), path.stat(), path.read_bytes()
    changed = content.replace(before, after)
    if path.suffix == ".zip":  # with the checksums that belong to it
        changed = zip_bytes(
            {name: CSV_FILES[name].replace(before.decode(), after.decode()) for name in CSV_FILES}, zipfile.ZIP_STORED
        )
    replace(path, changed)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    second = facts(dataset.load())
    dataset.cache = False
    assert second == facts(dataset.load()) != first


def test_a_read_from_the_cache_repeats_the_warnings_of_the_first_read(tmp_path, caplog):
    dataset = table_of(tmp_path)
    (tmp_path / "r.csv").write_text("user_id,item_id,rating,timestamp\n1,A,16777217,5\n2,B,3,6\n2,C,1,6\n2,D,x,6\n")
    (tmp_path / "i.csv").write_text("item_id,title,genres\nA,Alien,Horror\nb,Brazil,Satire\nc,Contact,Drama\n")
    dataset.on_bad_rows = "drop"
    dataset.load()
    first = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["float32 rounds" in text for text in first] == [False, True, False]
    assert "left out 1 of 4 rows" in first[0]
    assert "Only 1 of 3 items" in first[2]
    caplog.clear()
    dataset.load()
    assert [record.getMessage() for record in caplog.records] == first


def test_a_time_of_change_in_whole_milliseconds_does_not_tell_so_the_content_does(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("x")
    assert len(sources.file_stamp(tmp_path / "a")) == 4
    monkeypatch.setattr(sources, "_MILLISECOND", 1)
    first = sources.file_stamp(tmp_path / "a")
    (tmp_path / "a").write_text("y")
    assert sources.file_stamp(tmp_path / "a")[4] != first[4]


PLUGIN = """
from dataclasses import dataclass

from mfx import Ratings
from mfx.data.base import CachedDataset
from {package}reader import VALUE

@dataclass(kw_only=True)
class Mine(CachedDataset):
    title = source = "mine"

    def identity(self):
        return {{}}

    def read(self, dropped):
        return Ratings.from_columns([1, 2], [1, 1], [1.0, VALUE])
"""


def module_of(folder, monkeypatch):
    for name in ("mine_plugin", "mine_plugin.data", "mine_plugin.reader"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("mine_plugin.data")


def test_code_of_a_plugin_that_changed_reads_again(tmp_path, monkeypatch, cache):
    files = {"__init__.py": "", "data.py": PLUGIN.format(package="mine_plugin."), "reader.py": "VALUE = 3.0"}
    folder = write_folder(tmp_path / "mine_plugin", files)
    module = module_of(tmp_path, monkeypatch)
    assert module.Mine().load().values.max() == module.Mine().load().values.max() == 3.0
    assert len(files_of(cache)) == 1
    (folder / "reader.py").write_text("VALUE = 4.0")
    assert module.Mine().load().values.max() == 3.0, "this process still runs the old code"
    assert len(files_of(cache)) == 1, "which must not be taken for the new"
    assert module_of(tmp_path, monkeypatch).Mine().load().values.max() == 4.0
    (folder / "data.py").write_text(files["data.py"].replace("1.0, VALUE", "2.0, VALUE"))
    assert module_of(tmp_path, monkeypatch).Mine().load().values.min() == 2.0
    assert len(files_of(cache)) == 3


def test_another_version_of_the_distribution_reads_again(tmp_path, monkeypatch, cache):
    dataset = GroupLens(path=str(write_folder(tmp_path, CSV_FILES)))
    dataset.load()
    monkeypatch.setattr(importlib.metadata, "version", lambda package: f"99 of {package}")
    dataset.load()
    assert len(files_of(cache)) == 2


def test_code_that_is_in_no_file_is_not_cached(cache):
    scope = {"__name__": "nowhere"}
    exec(PLUGIN.replace("from {package}reader import VALUE", "VALUE = 5.0").replace("{{}}", "{}"), scope)
    assert scope["Mine"]().load().values.max() == 5.0
    assert files_of(cache) == []


def test_no_cache_writes_nothing(tmp_path, cache):
    GroupLens(path=str(write_folder(tmp_path, CSV_FILES)), cache=False).load()
    assert files_of(cache) == []


def damage_length(content):
    return content[: len(content) - 70]


def damage_byte(content):
    at = len(content.rstrip(b"\0")) - 1  # padding is not data
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        damage_length,
        damage_byte,
        lambda c: c[:10],
        lambda c: b"",
        lambda c: b"x" * len(c),
        lambda c: c[:40] + b"?" + c[41:],
    ],
)
def test_a_damaged_file_is_reported_and_made_again(damage, tmp_path, cache, caplog):
    path = str(write_folder(tmp_path, CSV_FILES))
    first = GroupLens(path=path).load()
    (file,) = files_of(cache)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    with caplog.at_level(logging.WARNING):
        same(first, GroupLens(path=path).load())
    assert "cannot be used" in caplog.text
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_reported(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MFX_CACHE", str(tmp_path / "file"))
    assert len(GroupLens(path=str(write_folder(tmp_path / "x", CSV_FILES))).load()) == 4
    assert "cannot be written" in caplog.text


def test_changes_in_memory_never_reach_the_file(tmp_path):
    path = str(write_folder(tmp_path, CSV_FILES))
    first = GroupLens(path=path).load()
    GroupLens(path=path).load().values[:] = 1.0
    same(first, GroupLens(path=path).load())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.tuples(st.sampled_from(["<i4", "<i8", "<f4", "|u1", "|b1"]), st.integers(0, 40)),
        max_size=5,
    )
)
def test_any_columns_come_back(tmp_path, shapes):
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 2, size).astype(dtype) for name, (dtype, size) in shapes.items()}
    write_columns(tmp_path / "f.mfx", columns, {"é": [1, None]})
    back, meta = read_columns(tmp_path / "f.mfx")
    assert meta == {"é": [1, None]}
    assert list(back) == list(columns)
    for name, column in columns.items():
        np.testing.assert_array_equal(back[name], column)
        assert back[name].dtype == column.dtype


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.mfx"
    write_columns(path, {"a": np.arange(3)}, {})
    before = path.read_bytes()
    monkeypatch.setattr(type(path), "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_columns(path, {"a": np.arange(4)}, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_format_is_no_store(tmp_path):
    (tmp_path / "f.mfx").write_bytes(b"ARROW1\0\0" + b"\0" * 100)
    with pytest.raises(DamagedFile, match="another format"):
        read_columns(tmp_path / "f.mfx")
