"""A data set in parts: the same ratings again, whole users in each part; damage and clashes are told."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mfx
from mfx.data.partitioned import Partitioned, digest_of
from mfx.data.parts_writer import partition
from mfx.testing import DatasetContract, planted_ratings


@pytest.fixture
def folder(tmp_path):
    partition(planted_ratings(silent=2), tmp_path / "parts", 4)
    return tmp_path / "parts"


class TestPartitioned(DatasetContract):
    @pytest.fixture
    def component(self, tmp_path):
        partition(mfx.create("dataset", "synthetic", {"preset": "tiny", "cache": False}).load(), tmp_path / "tiny", 3)
        return Partitioned(path=str(tmp_path / "tiny"))


@pytest.mark.parametrize("n_parts", [1, 3, 1000])
def test_parts_hold_the_same_ratings_and_whole_users(tmp_path, n_parts):
    ratings = planted_ratings(silent=2)
    count = len(partition(ratings, tmp_path / "parts", n_parts))
    made = Partitioned(path=str(tmp_path / "parts"))
    assert made.load().fingerprint == made.parts().fingerprint == ratings.fingerprint
    parts = made.parts()
    assert len(parts) == count <= min(n_parts, ratings.n_users)
    assert np.all(np.diff(parts.bounds) > 0)
    features = made.load().catalogue.item_features["genres"]
    np.testing.assert_array_equal(features.indices, ratings.catalogue.item_features["genres"].indices)
    assert made.load().catalogue.titles.tolist() == ratings.catalogue.titles.tolist()


def test_a_place_that_is_taken_is_left_alone(folder):
    before = sorted(path.name for path in folder.parent.iterdir())
    with pytest.raises(mfx.DataError, match="exists already"):
        partition(planted_ratings(), folder, 2)
    assert sorted(path.name for path in folder.parent.iterdir()) == before


def test_damage_is_told_with_the_file(folder):
    (folder / "part-00001.parquet").write_bytes((folder / "part-00000.parquet").read_bytes())
    with pytest.raises(mfx.DataError, match=r"part-00001.parquet is not the file that was written"):
        Partitioned(path=str(folder)).load()
    (folder / "part-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(mfx.DataError, match=r"part-00001.parquet cannot be read"):
        Partitioned(path=str(folder)).load()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "format 99"),
        ({"bounds": [0, 1]}, "does not cover all users"),
        ({"bounds": "x"}, "is damaged"),
        ({"bounds": [[0], [1]]}, "is damaged"),
        ({"bounds": [0, 2**70]}, "does not cover all users"),
        ({"fingerprint": None}, "is damaged"),
        ({"fingerprint": "0" * 32}, "does not hold the ratings"),
        ({"ratings": 3}, "does not hold the ratings"),
        ({"dropped": ["x"]}, "is damaged"),
        ({"dropped": {"x": "y"}}, "is damaged"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(folder, change, said):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(mfx.DataError, match=said):
        Partitioned(path=str(folder)).load()


@pytest.mark.parametrize(
    ("column", "place", "value"), [("item", 0, 10**6), ("item", 0, -1), ("user", -1, 10**6), ("user", -1, 0)]
)
def test_a_part_with_what_is_not_its_own_is_refused_though_its_digest_fits(folder, column, place, value):
    path = folder / "part-00001.parquet"
    held = {name: np.array(one) for name, one in pq.read_table(path).to_pydict().items()}
    kinds = {"user": np.int32, "item": np.int32, "rating": np.float32, "timestamp": np.int64}
    held = {name: one.astype(kinds[name]) for name, one in held.items()}
    held[column][place] = value
    pq.write_table(pa.table(held), path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["digests"][1] = digest_of(tuple(held.get(name) for name in kinds))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(mfx.DataError, match=r"part-00001.parquet is not the file that was written"):
        Partitioned(path=str(folder)).load()


def test_a_folder_of_something_else_and_none_at_all_are_refused(tmp_path):
    with pytest.raises(mfx.DataError, match="no partitioned data set"):
        Partitioned(path=str(tmp_path)).load()
    with pytest.raises(mfx.DataError, match=r"needs dataset\.path"):
        Partitioned().load()
