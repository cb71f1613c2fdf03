import random

import numpy as np
import pytest
from data_samples import CSV_FILES, DAT_FILES, OLD_FILES, write_folder, zip_bytes

from mfx.data.grouplens import GroupLens
from mfx.data.sources import Source
from mfx.errors import DataError

ALL = pytest.mark.parametrize("files", [CSV_FILES, DAT_FILES, OLD_FILES], ids=["csv", "dat", "u.data"])


def names(features, row):
    return [features.names[j] for j in features.indices[features.indptr[row] : features.indptr[row + 1]]]


@ALL
@pytest.mark.parametrize("where", ["zip", "folder", "inner folder"])
def test_ratings_and_catalogue_of_every_layout(files, where, tmp_path):
    if where == "zip":
        path = tmp_path / "a.zip"
        path.write_bytes(zip_bytes(files))
    else:
        path = write_folder(tmp_path / "f", files)
        path = next(path.iterdir()) if where == "inner folder" else path
    ratings = GroupLens(path=str(path), label="named").load()
    assert ratings.name == "named"
    assert ratings.catalogue.user_ids.tolist()[:2] == [1, 2]
    assert ratings.catalogue.item_ids.tolist() == [10, 20, 30]
    assert ratings.users.tolist() == [0, 0, 1, 1]
    assert ratings.items.tolist() == [0, 2, 0, 2]
    assert ratings.timestamps.tolist() == [100, 101, 199, 200]
    assert ratings.timestamps.dtype == np.int64
    assert ratings.values[0] == 3.0
    assert ratings.catalogue.titles[2] == "Élan (2000)"
    genres = ratings.catalogue.item_features["genres"]
    assert genres.names == ("Comedy", "Drama")
    assert [names(genres, i) for i in range(3)] == [["Comedy", "Drama"], [], ["Drama"]]


@pytest.mark.parametrize("files", [CSV_FILES, DAT_FILES], ids=["csv", "dat"])
def test_tags_are_counted_whatever_their_case(files, tmp_path):
    path = write_folder(tmp_path, files)
    tags = GroupLens(path=str(path)).load().catalogue.item_features["tags"]
    assert names(tags, 0) == ["funny"]
    assert tags.weights.tolist() == [2.0, 1.0]
    assert names(tags, 1) == ["slow, long" if files is CSV_FILES else "slow:: long"]
    assert "tags" not in GroupLens(path=str(path), tags=False).load().catalogue.item_features


def test_blank_and_homeless_tags_are_reported(tmp_path, caplog):
    files = {**CSV_FILES, "ml-x/tags.csv": "userId,movieId,tag,timestamp\n1,10, ,5\n1,99,lost,5\n1,10,kept,5\n"}
    tags = GroupLens(path=str(write_folder(tmp_path, files))).load().catalogue.item_features["tags"]
    assert tags.names == ("kept",)
    assert "1 blank tags and 1 tags of items" in caplog.text


def test_only_useless_tags_give_an_empty_block(tmp_path):
    files = {**CSV_FILES, "ml-x/tags.csv": "userId,movieId,tag,timestamp\n1,10,,5\n"}
    tags = GroupLens(path=str(write_folder(tmp_path, files))).load().catalogue.item_features["tags"]
    assert len(tags) == 3
    assert tags.indices.size == 0


def test_users_of_1m_and_100k_are_described(tmp_path):
    one = GroupLens(path=str(write_folder(tmp_path / "1", DAT_FILES))).load().catalogue
    assert one.user_ids.tolist() == [1, 2, 3]
    assert names(one.user_features["gender"], 0) == ["F"]
    assert names(one.user_features["age"], 1) == ["56+"]
    assert [names(one.user_features["occupation"], u)[0] for u in range(3)] == ["K-12 student", "self-employed", "99"]
    old = GroupLens(path=str(write_folder(tmp_path / "2", OLD_FILES))).load().catalogue
    assert names(old.user_features["age"], 0) == ["18-24"]
    assert names(old.user_features["age"], 1) == ["50-55"]
    assert names(old.user_features["occupation"], 1) == ["other"]


@ALL
def test_shuffled_rows_give_the_same_fingerprint(files, tmp_path):
    first = GroupLens(path=str(write_folder(tmp_path / "a", files))).load()
    member = next(name for name in files if name.split("/")[1] in ("ratings.csv", "ratings.dat", "u.data"))
    lines = files[member].splitlines(keepends=True)
    head, rows = (lines[:1], lines[1:]) if member.endswith("csv") else ([], lines)
    random.Random(3).shuffle(rows)
    again = GroupLens(path=str(write_folder(tmp_path / "b", {**files, member: "".join(head + rows)}))).load()
    assert again.fingerprints == first.fingerprints


def test_a_rated_movie_that_no_file_describes_stays(tmp_path):
    files = {**CSV_FILES, "ml-x/movies.csv": "movieId,title,genres\n10,Ten,Drama\n"}
    catalogue = GroupLens(path=str(write_folder(tmp_path, files))).load().catalogue
    assert catalogue.item_ids.tolist() == [10, 30]
    assert catalogue.titles.tolist() == ["Ten", ""]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ml-x/movies.csv": None}, "holds ratings.csv but no movies.csv"),
        ({"ml-x/ratings.csv": None}, "holds no ratings of MovieLens"),
        ({"ml-x/movies.csv": "id,title,genres\n"}, "has no column 'movieId'"),
        ({"ml-x/movies.csv": "movieId,title,genres\n10,Ten\n"}, "line 2 has 2 fields instead of 3"),
        ({"ml-x/movies.csv": "movieId,title,genres\n10,a,b\n10,c,d\n"}, "item 10 is described 2 times"),
        ({"ml-x/movies.csv": "movieId,title,genres\nten,a,b\n"}, "an id is no integer"),
        ({"ml-x/ratings.csv": ""}, "is empty"),
        ({"ml-x/ratings.csv": "userId,movieId,rating,timestamp\n"}, "holds no ratings"),
        ({"ml-x/ratings.csv": "userId,movieId,stars,timestamp\n1,2,3,4\n"}, "has no column 'rating'"),
    ],
)
def test_incomplete_data_sets_are_refused_in_one_line(change, message, tmp_path):
    files = {name: content for name, content in {**CSV_FILES, **change}.items() if content is not None}
    path = tmp_path / "broken.zip"
    path.write_bytes(zip_bytes(files))
    with pytest.raises(DataError, match=message) as caught:
        GroupLens(path=str(path)).load()
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_missing_path_and_nothing_given():
    with pytest.raises(DataError, match=r"nowhere\.zip does not exist"):
        GroupLens(path="nowhere.zip").load()
    with pytest.raises(DataError, match="neither files nor an address"):
        GroupLens().load()


def test_truncated_and_damaged_zips_are_refused(csv_zip):
    whole = csv_zip.read_bytes()
    csv_zip.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is not a whole zip file"):
        GroupLens(path=str(csv_zip)).load()
    text = csv_zip.with_suffix(".csv")
    text.write_text("userId,movieId\n")
    with pytest.raises(DataError, match="dataset=table reads single files"):
        GroupLens(path=str(text)).load()
    broken = bytearray(whole)
    broken[60:70] = b"\xff" * 10
    csv_zip.write_bytes(broken)
    with pytest.raises(DataError, match="is damaged"):
        GroupLens(path=str(csv_zip)).load()


def test_members_that_point_elsewhere_are_only_read(tmp_path):
    path = tmp_path / "evil.zip"
    path.write_bytes(zip_bytes({**CSV_FILES, "../../ratings.csv": "owned", "/movies.csv": "owned"}))
    before = sorted(tmp_path.rglob("*"))
    assert len(GroupLens(path=str(path), cache=False).load()) == 4
    assert sorted(tmp_path.rglob("*")) == before


def test_the_shallowest_member_wins(tmp_path):
    files = Source.at(write_folder(tmp_path, {"deep/er/u.data": "x", "u.data": "y"}))
    assert files.find("u.data") == "u.data"


def test_describe_names_source_licence_and_citation(csv_zip):
    data = GroupLens(path=str(csv_zip), licence="free", citation="Somebody 2015")
    assert data.describe() == {"source": str(csv_zip), "licence": "free", "citation": "Somebody 2015"}
