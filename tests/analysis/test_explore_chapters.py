import numpy as np
import pytest

from mfx.analysis.explore import chapters, counts, liked, spread, study
from mfx.analysis.explore.chapters import Context
from mfx.analysis.explore.plan import ExploreSettings
from mfx.analysis.explore.spread import PartCounts
from mfx.analysis.page import Table, write_csv
from mfx.interfaces import Catalogue, Features, Ratings


def context(ratings, **settings):
    return Context(ratings, ExploreSettings(**settings), "planted.", counts.summary(ratings))


@pytest.fixture
def planted():
    """Users 10 to 13, films 1 to 5; film 5 has no rating; "War" never comes without "Drama"."""
    genres = Features.from_lists([["Drama", "War"], ["Drama", "War"], ["Drama"], ["Comedy"], []])
    tags = Features(
        ("dull", "good"), np.array([0, 2, 3, 3, 3, 3]), np.array([0, 1, 1], np.int32), np.float32([1, 4, 2])
    )
    titles = np.array(["Alpha", "Beta", "Gamma", "Delta", "Epsilon"])
    catalogue = Catalogue(np.arange(10, 14), np.arange(1, 6), titles, {"genres": genres, "tags": tags})
    rows = [(10, 1, 5), (10, 2, 3), (10, 3, 3), (11, 1, 4), (12, 1, 3), (12, 2, 3), (13, 4, 1)]
    times = [0, 0, 86400 * 40, 0, 0, 0, 0]
    return Ratings.from_columns(*zip(*rows, strict=True), times, catalogue=catalogue)


def prose(chapter):
    return " ".join(chapter.prose)


def numbers(chapter, name):
    (found,) = [one.numbers.rows for one in chapter.exhibits if one.name == name]
    return [list(row) for row in found]


def test_most(planted):
    chapter = chapters.most(context(planted, top=2))
    assert "User 10 gave the most ratings, 3 (42.86 % of all)" in prose(chapter)
    assert "“Alpha” got the most, 3: 75.0 % of the users" in prose(chapter)
    assert numbers(chapter, "top_users") == [[1, 10, 3], [2, 12, 2]]
    assert numbers(chapter, "top_items") == [[1, 1, "Alpha", 3], [2, 2, "Beta", 2]]


def test_distribution_and_time(planted):
    chapter = chapters.distribution(context(planted))
    assert "The most frequent value is 3, 57.1 % of all ratings." in prose(chapter)
    assert numbers(chapter, "rating_distribution") == [[1, 1, 1 / 7], [3, 4, 4 / 7], [4, 1, 1 / 7], [5, 1, 1 / 7]]
    chapter = chapters.time(context(planted))
    assert numbers(chapter, "ratings_per_month") == [["1970-01", 6], ["1970-02", 1]]
    assert "January 1970 (6)" in prose(chapter)


def test_genres_and_tags(planted):
    means = counts.item_means(planted)
    chapter = liked.genres(context(planted))
    assert "3 genres; the most frequent is Drama, on 60 % of the items. 1 item has no genre." in prose(chapter)
    assert "100 % of War is Drama too" in prose(chapter)
    assert ["War", "Drama", 1.0] in numbers(chapter, "genres_together")
    assert ["Drama", "War", pytest.approx(2 / 3)] in numbers(chapter, "genres_together")
    chapter = liked.best(context(planted, min_ratings=2), means)
    assert numbers(chapter, "best_rated") == [[1, 1, "Alpha", 4.0, 3], [2, 2, "Beta", 3.0, 2]]
    assert numbers(chapter, "top_tags") == [[1, "good", 6], [2, "dull", 1]]
    assert "The tag that was given most often is “good”, 6 times." in prose(chapter)


def test_corner_and_popularity(planted):
    chapter = liked.corner(context(planted, corner=2))
    assert numbers(chapter, "top_users_and_items") == [[10, 1, 5.0], [10, 2, 3.0], [12, 1, 3.0], [12, 2, 3.0]]
    assert "rated 100.0 % of the 2 most rated items" in prose(chapter)
    chapter = liked.popularity(context(planted), counts.item_means(planted))
    assert "Items with 1 rating have a mean rating of 2.00 on average, those with 3 ratings one of 4.00" in prose(
        chapter
    )


def test_parts_tell_cold_items(planted):
    held = np.arange(len(planted)) % 2 == 0
    train, test = planted.take(~held), planted.take(held)
    found = {name: PartCounts(one.user_counts, one.item_counts) for name, one in (("train", train), ("test", test))}
    found["valid"] = PartCounts(np.zeros(4, np.int64), np.zeros(5, np.int64))
    chapter = spread.parts(context(planted), "odd", "every second", found)
    assert "The rule: every second. 2 items of test have no rating outside test." in prose(chapter)
    assert {row[1] for row in numbers(chapter, "degrees_by_part")} == {"train", "test"}
    assert chapter.tables[0].rows[1] == ["test", 4, 3, 3]


def one_rating():
    return Ratings.from_columns([1], [2], [3.0], [10**9])


def always_the_same():
    return Ratings.from_columns([1, 1, 2, 3], [2, 3, 2, 5], [3.0] * 4)


def texts():
    return Ratings.from_columns(["a<b", "a<b", "c$d$"], ["x_1$", "y^2", "x_1$"], [1.0, 2, 5], [-5, 0, 10**9])


@pytest.mark.parametrize("make", [one_rating, always_the_same, texts])
def test_tiny_data_have_every_chapter(make):
    ratings = make()
    parts = dict.fromkeys(("train", "valid", "test"), PartCounts(ratings.user_counts, ratings.item_counts))
    shown = study._chapters(context(ratings), "random", "rule", parts)
    assert len(shown) == 12
    assert all(chapter.prose for chapter in shown)
    assert "too few users for a fit" in prose(shown[3])


def test_csv_leaves_open_what_is_not_known(tmp_path):
    path = tmp_path / "new" / "a.csv"
    write_csv(path, Table(["name", "x"], [["a,b", float("nan")], ["é\n", None], [np.int64(3), 0.1 + 0.2]]))
    assert path.read_text(encoding="utf-8") == 'name,x\n"a,b",\n"é\n",\n3,0.3\n'
