import datetime

import numpy as np
import pytest
from matplotlib.image import imread

from mfx.errors import DataError
from mfx.figures import bars, degrees, maps
from mfx.figures.style import new_panels, save_both

ABOUT = {"title": "A title", "caption": "demo, all ratings, before any split. " * 5}
RANKED = degrees.Ranked([1, 2, 3, 10], [900, 300, 80, 1])


def every_figure():
    grid = np.linspace(0.5, 5, 40)
    cells = np.full((12, 15), np.nan, np.float32)
    cells[::2, ::3] = 4.0
    names = [f"genre {n}" for n in range(20)]
    shares = np.random.default_rng(1).random((20, 20))
    edges, heights = np.array([1.0, 2, 10, 100]), np.linspace(0.5, 5, 10)
    density = np.random.default_rng(2).integers(0, 5, (3, 9))
    dates = [datetime.date(2000 + n // 12, n % 12 + 1, 1) for n in range(60)]
    reference = degrees.Reference([1, 4], [1000.0, 60.0], "power law, exponent 2.00", 60)
    long = ["A very long title of a film that would push the axes out of the picture (1999)", "Alien"]
    return {
        "distribution": bars.distribution([0.5, 1.0, 1.5], [4, 8, 3], width=None, **ABOUT),
        "bins": bars.distribution(np.arange(20) / 7, [3] * 20, width=1 / 7, **ABOUT),
        "ranking": bars.ranking(long, [102929, 1], x_label="Ratings (count)", **ABOUT),
        "points": bars.ranking(long, [4.5, 4.2], x_label="Mean", notes=["4.50 (9)", "4.20 (7)"], start=4.0, **ABOUT),
        "sizes": bars.sizes(["by user", "by item"], [4.9e3, 8.8e8], ["", ", built in 2 s"], dense=7e10, **ABOUT),
        "over_time": bars.over_time(dates, [*range(59), 5], **ABOUT),
        "rank_plot": degrees.rank_plot({"users": RANKED, "items": RANKED}, {"users": reference}, **ABOUT),
        "rank_overlay": degrees.rank_overlay({"users": {"train": RANKED, "test": RANKED}}, **ABOUT),
        "popularity": maps.popularity(
            edges, heights, density, [3.0, np.nan, 4.0], [2.5, np.nan, 3.5], [3.5, np.nan, 4.2], **ABOUT
        ),
        "corner": maps.corner(cells, 0.5, 5.0, **ABOUT),
        "densities": maps.densities(grid, {"all": np.sin(grid) ** 2, "Drama": grid}, {"all": 9, "Drama": 4}, **ABOUT),
        "shares": maps.shares(names, shares, **ABOUT),
    }


FIGURES = every_figure()


@pytest.mark.parametrize("name", FIGURES)
def test_everything_that_is_written_lies_inside_the_picture(name):
    figure = FIGURES[name]
    figure.draw_without_rendering()
    page = figure.bbox.padded(1)
    boxes = {"caption": figure.texts[0].get_window_extent()}
    boxes |= {f"axes {place}": axes.get_tightbbox() for place, axes in enumerate(figure.axes)}
    for what, box in boxes.items():
        assert page.contains(box.x0, box.y0), what
        assert page.contains(box.x1, box.y1), what
    assert boxes["caption"].y1 < min(box.y0 for what, box in boxes.items() if what != "caption")


@pytest.mark.parametrize("name", FIGURES)
def test_title_caption_and_units_are_there(name):
    figure = FIGURES[name]
    words = " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(lambda o: hasattr(o, "get_text")))
    assert "A title" in words
    assert ABOUT["caption"].strip() in words
    for axes in figure.axes:
        labelled = axes.get_xlabel() or axes.get_ylabel()
        assert labelled, name


def test_bars_hold_the_numbers():
    (axes,) = FIGURES["distribution"].axes
    assert [bar.get_height() for bar in axes.patches] == [4, 8, 3]
    assert [text.get_text() for text in axes.texts] == ["26.7 %", "53.3 %", "20.0 %"]
    (axes,) = FIGURES["ranking"].axes
    assert [bar.get_width() for bar in axes.patches] == [102929, 1]
    assert [text.get_text() for text in axes.texts] == ["102,929", "1"]
    assert axes.get_yticklabels()[0].get_text()[-8] == "…"
    assert axes.yaxis_inverted()


def test_labels_are_no_mathematics():
    (axes,) = bars.ranking(["a$b$ & c_1", "x" * 90, "d$"], [3, 2, 1], x_label="n", title="$5$", caption="$c$").axes
    axes.figure.draw_without_rendering()
    labels = axes.get_yticklabels()
    for text, shown in ((labels[0], "a$b$ & c_1"), (labels[2], "d$"), (axes.title, ""), (axes._left_title, "$5$")):
        assert text._preprocess_math(text.get_text()) == (shown, False)
    assert labels[1].get_text() == "x" * 41 + "…"


def test_names_of_months_do_not_lie_on_each_other():
    dates = [datetime.date(2000 + n // 12, n % 12 + 1, 1) for n in range(120)]
    counts = [10] * 120
    counts[50], counts[65], counts[100] = 100, 99, 98
    (axes,) = bars.over_time(dates, counts, **ABOUT).axes
    assert [text.get_text() for text in axes.texts] == ["Mar 2004: 100", "May 2008: 98"]
    assert sum(line.get_marker() == "v" for line in axes.lines) == 3
    counts[65] = 50
    (axes,) = bars.over_time(dates, counts, **ABOUT).axes
    assert len(axes.texts) == 3


def test_only_points_stand_on_an_axis_that_does_not_begin_at_zero():
    (axes,) = FIGURES["points"].axes
    assert not axes.patches
    assert axes.get_xlim()[0] == 4.0
    assert [text.get_text() for text in axes.texts] == ["4.50 (9)", "4.20 (7)"]


def test_sizes_are_written_in_fitting_units():
    (axes,) = FIGURES["sizes"].axes
    assert [text.get_text() for text in axes.texts] == ["4.9 kB", "880 MB, built in 2 s", "70 GB"]
    assert axes.get_xscale() == "log"


@pytest.mark.parametrize(
    ("size", "text"),
    [(12, "12 bytes"), (4900, "4.9 kB"), (999_600, "1,000 kB"), (2.5e6, "2.5 MB"), (7e13, "70,000 GB")],
)
def test_bytes(size, text):
    assert bars.in_bytes(size) == text


@pytest.mark.parametrize(("value", "text"), [(950, "950"), (12000, "12,000"), (1.25e6, "1.25 M"), (0.5, "0.5")])
def test_compact_counts(value, text):
    assert bars.compact(value) == text


def test_peaks_are_apart():
    counts = [0, 5, 9, 8, 0, 0, 7, 0]
    assert bars.peaks(counts, 3, apart=2) == [2, 6]
    assert bars.peaks(counts, 3, apart=3) == [2]  # beside 7 lies 8, which is higher
    assert bars.peaks(counts, 1) == [2]
    assert bars.peaks([0, 0], 3) == []


def test_rank_plots_are_logarithmic_and_hold_points_and_fit():
    users, items = FIGURES["rank_plot"].axes
    assert users.get_xscale() == users.get_yscale() == "log"
    points, fit = users.lines[:2]
    assert (list(points.get_xdata()), list(points.get_ydata())) == (RANKED.ranks, RANKED.counts)
    assert (list(fit.get_xdata()), fit.get_label()) == ([1, 4], "power law, exponent 2.00")
    assert len(items.lines) == 1


def test_empty_cells_are_told_from_low_ratings_without_colour(tmp_path):
    cells = np.array([[0.5, np.nan], [np.nan, 5.0]], np.float32)
    png, svg = save_both(maps.corner(cells, 0.5, 5.0, title="t", caption=""), tmp_path / "corner")
    assert svg.read_text().lstrip().startswith("<?xml")
    paint = maps.corner(cells, 0.5, 5.0, title="t", caption="").axes[0].images[0]
    grey = [np.dot(paint.cmap(paint.norm(value))[:3], (0.299, 0.587, 0.114)) for value in (0.5, 2.0, 3.5, 5.0)]
    assert np.all(np.diff(grey) < -0.05)
    assert grey[0] < 0.85  # the page, seen through empty cells, is 1
    assert imread(png).shape[2] in (3, 4)


def test_shares_leave_the_diagonal_empty():
    axes = FIGURES["shares"].axes[0]
    assert np.isnan(np.diag(axes.images[0].get_array().filled(np.nan))).all()
    assert len(axes.texts) == 20 * 19


def test_panels_have_names():
    _, panels = new_panels("t", "c", ["Users", "Items"])
    assert [axes.get_title(loc="left") for axes in panels] == ["Users", "Items"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: bars.distribution([], [], width=None, **ABOUT),
        lambda: bars.ranking([], [], x_label="", **ABOUT),
        lambda: bars.over_time([], [], **ABOUT),
        lambda: degrees.rank_overlay({"users": {}}, **ABOUT),
        lambda: maps.densities([1.0], {}, {}, **ABOUT),
        lambda: maps.shares([], np.zeros((0, 0)), **ABOUT),
    ],
)
def test_nothing_to_draw_is_said(draw):
    with pytest.raises(DataError):
        draw()


@pytest.mark.parametrize("years", [(1000, 9999), (9999, 9999), (1000, 1000)])
def test_the_first_and_last_years_that_there_are_can_be_drawn(years, tmp_path):
    dates = [datetime.date(year, month, 1) for year in sorted(set(years)) for month in (1, 12)]
    figure = bars.over_time(dates, [3] * len(dates), **ABOUT)
    figure.savefig(tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 0
