import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gaussian_kde

import mfx
from mfx.analysis.explore import counts, degrees, layout, tastes
from mfx.errors import DataError
from mfx.interfaces import Catalogue, Features, Ratings


@pytest.fixture(scope="module")
def ratings():
    return mfx.create("dataset", "movielens_demo", {"cache": False}).load()


@pytest.fixture(scope="module")
def table(ratings):
    columns = {name: getattr(ratings, name) for name in ("users", "items", "values", "timestamps")}
    return pd.DataFrame(columns).astype({"values": "float64"})


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(counts, "BLOCK", 7919)  # many blocks, the last of them smaller


def made(rows, **catalogue):
    users, items, values, *times = zip(*rows, strict=True)
    whole = Catalogue(np.unique(users), np.unique(items), **catalogue) if catalogue else None
    return Ratings.from_columns(users, items, values, *times, catalogue=whole)


def test_summary_against_pandas(ratings, table):
    found = counts.summary(ratings)
    per_user, per_item = table.groupby("users").size(), table.groupby("items").size()
    times = pd.to_datetime(table["timestamps"], unit="s")
    assert found["ratings"] == len(table)
    assert (found["users"], found["items"]) == (len(per_user), len(per_item))
    assert found["density"] == pytest.approx(len(table) / len(per_user) / len(per_item))
    assert found["mean_rating"] == pytest.approx(table["values"].mean())
    for name, one in (("per_user", per_user), ("per_item", per_item)):
        expected = one.min(), one.median(), one.mean(), one.max()
        assert [found[f"{name}_{what}"] for what in ("min", "median", "mean", "max")] == pytest.approx(expected)
    assert (found["first_date"], found["last_date"]) == (str(times.min())[:10], str(times.max())[:10])


def test_summary_counts_only_those_with_ratings():
    one = made([(1, 5, 3.0), (2, 6, 4.0)])
    catalogue = Catalogue(np.arange(1, 9), np.arange(1, 12))
    wider = Ratings.from_columns([1, 2], [5, 6], [3.0, 4.0], catalogue=catalogue)
    found = counts.summary(wider)
    assert found == counts.summary(one) | {"items_in_catalogue": 11}
    assert found["per_item_min"] == 1
    assert "first_date" not in found


def test_nothing_to_explore_is_said():
    empty = Ratings.from_columns([1], [1], [1.0]).take(np.array([False]))
    with pytest.raises(DataError, match="holds no ratings"):
        counts.summary(empty)


def test_distribution_months_and_means_against_pandas(ratings, table):
    found = counts.distribution(ratings)
    expected = table["values"].value_counts().sort_index()
    assert found.width is None
    assert dict(zip(found.values, found.counts, strict=True)) == expected.to_dict()
    axis, per_month = counts.months(ratings)
    months = pd.to_datetime(table["timestamps"], unit="s").dt.strftime("%Y-%m").value_counts()
    assert {str(month): count for month, count in zip(axis, per_month, strict=True) if count} == months.to_dict()
    assert np.all(np.diff(axis) == 1)
    means = counts.item_means(ratings)
    np.testing.assert_allclose(means, table.groupby("items")["values"].mean().reindex(range(ratings.n_items)))


def test_many_values_are_counted_in_bins():
    values = np.random.default_rng(1).normal(size=30_000).astype(np.float32)
    found = counts.distribution(Ratings.from_columns(np.arange(30_000), np.ones(30_000, int), values))
    expected, edges = np.histogram(values, 20)
    np.testing.assert_array_equal(found.counts, expected)
    assert found.width == pytest.approx(edges[1] - edges[0])
    assert found.values[0] == pytest.approx((edges[0] + edges[1]) / 2)


def test_months_before_1970_and_without_ratings():
    axis, found = counts.months(made([(1, 1, 3.0, -1), (1, 2, 3.0, 0), (2, 1, 3.0, 86400 * 70)]))
    assert axis.astype(str).tolist() == ["1969-12", "1970-01", "1970-02", "1970-03"]
    assert found.tolist() == [1, 1, 0, 1]
    assert counts.months(made([(1, 1, 3.0)])) is None


def test_top_puts_equal_counts_in_order_and_leaves_out_zero():
    assert counts.top(np.array([3, 9, 0, 9, 1]), 10).tolist() == [1, 3, 0, 4]
    assert counts.top(np.array([3, 9, 0, 9, 1]), 2).tolist() == [1, 3]


def test_items_without_a_title_are_named_by_id():
    catalogue = Catalogue(np.array([1]), np.array([7, 8]), np.array(["Alien", ""]))
    assert counts.titles(catalogue, np.array([1, 0])) == ["item 8", "Alien"]
    assert counts.titles(dataclasses.replace(catalogue, titles=None), np.array([0])) == ["item 7"]


def test_corner_against_pandas(ratings, table):
    users, items = counts.top(ratings.user_counts, 30), counts.top(ratings.item_counts, 20)
    expected = table.pivot_table(index="users", columns="items", values="values").loc[users, items]
    np.testing.assert_array_equal(counts.corner(ratings, users, items), expected.to_numpy(np.float32))


def test_rank_curve_keeps_both_ends_and_all_of_a_short_one():
    found = degrees.rank_curve(np.array([0, 5, 1, 9, 5]))
    assert (found.ranks.tolist(), found.counts.tolist(), found.size) == ([1, 2, 3, 4], [9, 5, 5, 1], 4)
    long = degrees.rank_curve(np.arange(100_001))
    assert long.ranks.size <= degrees.POINTS
    assert (long.ranks[0], long.ranks[-1], long.counts[0], long.counts[-1]) == (1, 100_000, 100_000, 1)
    np.testing.assert_array_equal(long.counts, 100_001 - long.ranks)


@pytest.mark.parametrize("exponent", [1.8, 2.5, 3.2])
def test_a_planted_power_law_is_found(exponent):
    # A continuous law above 9.5, rounded, is what the estimate with the half is exact for.
    uniform = np.random.default_rng(3).random(40_000)
    drawn = np.rint(9.5 * (1 - uniform) ** (-1 / (exponent - 1))).astype(np.int64)
    body = np.random.default_rng(4).integers(1, 10, 30_000)
    found = degrees.power_law(np.concatenate([drawn, body]))
    assert found.exponent == pytest.approx(exponent, abs=0.05)
    assert found.distance < 0.02
    assert 8 <= found.least <= 40
    assert (found.size, found.tail) == (70_000, np.count_nonzero(np.concatenate([drawn, body]) >= found.least))
    falling = -np.sort(-drawn)
    ranks = np.array([100, 1000])
    np.testing.assert_allclose(found.line(ranks), falling[ranks - 1], rtol=0.25)


def test_no_power_law_from_too_little():
    assert degrees.power_law(np.arange(1, 40)) is None
    assert degrees.power_law(np.full(500, 7)) is None
    assert degrees.power_law(np.zeros(10, np.int64)) is None


def test_trend_against_pandas(ratings):
    number, means = ratings.item_counts, counts.item_means(ratings)
    found = tastes.trend(number, means, 0.5, 5.0)
    frame = pd.DataFrame({"count": number, "mean": means})[number > 0]
    grouped = frame.groupby(pd.cut(frame["count"], found.edges, right=False), observed=False)["mean"]
    np.testing.assert_array_equal(found.items, grouped.size())
    np.testing.assert_allclose(found.mean, grouped.mean())
    np.testing.assert_allclose(found.low, grouped.quantile(0.25))
    np.testing.assert_allclose(found.high, grouped.quantile(0.75))
    np.testing.assert_array_equal(found.cells.sum(axis=1), found.items)
    assert found.edges[0] == 1


@pytest.mark.parametrize("most", [1, 9, 10, 100, 999, 1000, 10**6])
def test_every_item_falls_into_a_bin_of_the_trend(most):
    found = tastes.trend(np.array([1, most, 0]), np.array([0.5, 5.0, np.nan]), 0.5, 5.0)
    assert found.items.sum() == 2
    assert found.cells[:, 0].sum() == found.cells[:, -1].sum() == 1
    assert found.edges[-1] > most


def test_densities_against_scipy(ratings):
    means = counts.item_means(ratings)
    genres = tastes.genres_of(ratings.catalogue)
    drama = tastes.members(genres, genres.names.index("Drama"))
    found = tastes.densities(means, {"all": np.ones(means.size, bool), "Drama": drama}, 0.5, 5.0)
    for name, inside in (("all", means), ("Drama", means[drama])):
        expected = gaussian_kde(inside[np.isfinite(inside)])(found.grid)
        np.testing.assert_allclose(found.curves[name], expected, atol=2e-3 * expected.max())
    assert found.items == {"all": np.isfinite(means).sum(), "Drama": np.isfinite(means[drama]).sum()}


def test_groups_without_a_density_are_left_out():
    means = np.array([3.0, 3.5, 4.0, 2.0, 1.0, np.nan])
    groups = {"all": np.ones(6, bool), "few": np.arange(6) < 3, "unrated": np.arange(6) == 5}
    assert list(tastes.densities(means, groups, 1, 5).curves) == ["all"]


def test_genres_against_pandas(ratings):
    genres = tastes.genres_of(ratings.catalogue)
    wide = pd.DataFrame(genres.dense(), columns=genres.names)
    np.testing.assert_array_equal(tastes.frequency(genres), wide.sum())
    columns = counts.top(tastes.frequency(genres), 6)
    shares = tastes.together(genres, columns)
    for row, a in enumerate(columns):
        for column, b in enumerate(columns):
            carrying = wide[wide.iloc[:, a] > 0]
            assert shares[row, column] == pytest.approx((carrying.iloc[:, b] > 0).mean())


def test_planted_genres_and_tags():
    genres = Features.from_lists([["War", "Drama"], ["War", "Drama"], ["War"], ["Drama"], []])
    tags = Features(
        ("dull", "good"), np.array([0, 2, 3, 3, 3, 3]), np.array([0, 1, 1], np.int32), np.float32([1, 4, 2])
    )
    catalogue = Catalogue(np.array([1]), np.arange(5), item_features={"genres": genres, "tags": tags})
    drama, war = genres.names.index("Drama"), genres.names.index("War")
    np.testing.assert_allclose(tastes.together(genres, np.array([war, drama])), [[1, 2 / 3], [2 / 3, 1]])
    words, given = tastes.top_tags(catalogue, 5)
    assert (words, given.tolist()) == (["good", "dull"], [6, 1])
    bare = Catalogue(np.array([1]), np.arange(5))
    assert tastes.top_tags(bare, 5) is None
    assert tastes.genres_of(bare) is None


def test_best_rated_needs_enough_ratings():
    number, means = np.array([50, 49, 80, 60, 0]), np.array([4.0, 5.0, 4.0, 4.5, np.nan])
    assert tastes.best_rated(number, means, 50, 3).tolist() == [3, 2, 0]
    assert tastes.best_rated(number, means, 1, 1).tolist() == [1]
    assert tastes.best_rated(number, means, 500, 3).size == 0


def test_layouts_say_the_bytes_that_arrays_have(ratings):
    found = {part.name: part for part in layout.measure(ratings).parts}
    n, users, items = len(ratings), ratings.n_users, ratings.n_items
    assert found["ratings in order"].bytes == n * (4 + 4 + 4 + 8)
    assert found["by user"].bytes == 8 * (users + 1)
    assert found["by item"].bytes == 8 * n + 8 * (items + 1)
    assert found["id maps"].bytes == ratings.catalogue.user_ids.nbytes + ratings.catalogue.item_ids.nbytes
    assert found["by item"].seconds > 0
    assert layout.measure(ratings).dense_bytes == 4 * users * items


@pytest.mark.parametrize("per", [("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_dates_and_months_do_not_depend_on_the_unit_of_time(per, ratings):
    unit, factor = per
    finer = dataclasses.replace(ratings, timestamps=ratings.timestamps * factor + factor // 2, time_unit=unit)
    assert counts.summary(finer) == counts.summary(ratings)
    for found, expected in zip(counts.months(finer), counts.months(ratings), strict=True):
        np.testing.assert_array_equal(found, expected)
