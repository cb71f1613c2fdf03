"""Figures of counts: distributions, rankings, sizes, and counts over time."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mfx.errors import DataError
from mfx.figures.style import GRID, HEIGHT, INK, LINES, NORMAL, SMALL, new_figure, plain, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def compact(value: float) -> str:
    """Write a count as axes do: 950, 12,000, 1.2 M."""
    return f"{value / 1e6:,.3g} M" if abs(value) >= 1e6 else f"{value:,.4g}" if value % 1 else f"{value:,.0f}"


def in_bytes(size: float) -> str:
    """Write a size given in bytes: 5.4 kB, 873 kB, 1.2 MB, 70.4 GB (powers of 1,000)."""
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= power:
            value = size / power
            return f"{value:.3g} {unit}" if value < 99.95 else f"{value:,.0f} {unit}"
    return f"{size:.0f} bytes"


def plain_axis(axes: Axes, axis: str) -> None:
    """Let an axis of counts write them as `compact` does, between the large ticks nothing; set its scale before."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    one = getattr(axes, f"{axis}axis")
    one.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    one.set_minor_formatter(NullFormatter())


def distribution(
    values: Sequence[float],
    counts: Sequence[int],
    *,
    width: float | None,
    title: str,
    caption: str,
    unit: str = "rating points",
) -> Figure:
    """Draw a bar per rating value with its share written above it.

    Parameters
    ----------
    values : sequence of float
        Rating values, or centres of bins.
    counts : sequence of int
        Ratings of each.
    width : float or None
        Width of the bins; None where `values` are the ratings themselves.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    unit : str
        Of the ratings.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    whole = sum(counts)
    if not whole:
        raise DataError("There are no ratings to draw.", "Choose another data set.")
    figure, axes = new_figure(title, caption)
    gaps = [b - a for a, b in itertools.pairwise(values)]
    size = width or 0.8 * min(gaps, default=1.0)
    bars = axes.bar(values, counts, width=size, color=LINES[0].colour, edgecolor="white", linewidth=0.5)
    if len(values) <= 12:
        shares = [f"{100 * count / whole:.1f} %" for count in counts]
        axes.bar_label(bars, labels=shares, fontsize=SMALL, color=INK, padding=2)
        axes.set_xticks(list(values), [f"{value:g}" for value in values])
    plain_axis(axes, "y")
    axes.margins(y=0.08)
    axes.set_xlabel(f"Rating ({unit})", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Ratings (count)", fontsize=NORMAL, color=INK)
    return figure


def ranking(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    x_label: str,
    title: str,
    caption: str,
    notes: Sequence[str] = (),
    start: float = 0.0,
) -> Figure:
    """Draw a horizontal bar per label, the first on top, its value written at its end.

    Parameters
    ----------
    labels : sequence of str
        Long ones are cut.
    values : sequence of float
        Lengths of the bars; whole numbers are written as counts.
    x_label : str
        What is measured, with its unit.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    notes : sequence of str
        What is written at the end of each bar instead of its value.
    start : float
        Where the axis begins; above 0, points are drawn in place of bars, whose length would mislead.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    if not labels:
        raise DataError("There is nothing to rank.", "Choose another data set.")
    figure, axes = new_figure(title, caption, height=max(2.2, 0.95 + 0.26 * len(labels)))
    places = range(len(labels))
    written = list(notes) or [_value(value) for value in values]
    if start > 0:
        axes.hlines(list(places), start, list(values), color=GRID, linewidth=1.2)
        axes.plot(list(values), list(places), linestyle="none", marker="o", markersize=7, color=LINES[0].colour)
        for place, value, text in zip(places, values, written, strict=True):
            axes.annotate(
                text, (value, place), (8, 0), textcoords="offset points", va="center", fontsize=SMALL, color=INK
            )
        axes.set_xlim(start, start + 1.22 * (max(values) - start))
    else:
        bars = axes.barh(list(places), list(values), height=0.72, color=LINES[0].colour)
        axes.bar_label(bars, labels=written, fontsize=SMALL, color=INK, padding=4)
        axes.margins(x=0.16)
        plain_axis(axes, "x")
    axes.set_yticks(list(places), [plain(shortened(str(label))) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_xlabel(x_label, fontsize=NORMAL, color=INK)
    return figure


def _value(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def sizes(
    names: Sequence[str],
    bytes_: Sequence[float],
    notes: Sequence[str],
    *,
    dense: float,
    title: str,
    caption: str,
) -> Figure:
    """Draw the size of each part in memory, and that of a full table as a line where it is.

    Parameters
    ----------
    names, bytes_, notes
        Name, size in bytes, and note after the size at the end of each bar.
    dense : float
        Bytes of a full table of users and items.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    """
    figure, axes = new_figure(title, caption, height=0.95 + 0.5 * (len(names) + 1))
    shown = [size / 1e6 for size in (*bytes_, dense)]
    ends = [f"{in_bytes(size)}{note}" for size, note in zip(bytes_, notes, strict=True)]
    places = list(range(len(shown)))
    colours = [LINES[0].colour] * len(names) + ["#BBBBBB"]
    bars = axes.barh(places, shown, height=0.6, color=colours)
    axes.bar_label(bars, labels=[*ends, in_bytes(dense)], fontsize=SMALL, color=INK, padding=4)
    axes.set_xscale("log")
    low = 10.0 ** _floor_log(min(size for size in shown if size > 0))
    axes.set_xlim(low, max(shown) ** 1.45 / low**0.45)
    plain_axis(axes, "x")
    axes.set_yticks(places, [*names, "full table, float32\n(never made)"])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_xlabel("Memory (MB of 10⁶ bytes, log scale)", fontsize=NORMAL, color=INK)
    return figure


def _floor_log(value: float) -> int:
    import math

    return math.floor(math.log10(value) - 0.3)


def over_time(dates: Sequence[Any], counts: Sequence[int], *, marked: int = 3, title: str, caption: str) -> Figure:
    """Draw counts per month, the highest months named.

    Parameters
    ----------
    dates : sequence of datetime.date
        First day of each month.
    counts : sequence of int
        Ratings in each.
    marked : int
        How many months get a mark, and their name where there is room: the highest of all that are so within half
        a year to both sides.
    title, caption : str
        See `mfx.figures.style.new_figure`.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    if not len(dates):
        raise DataError("There is no month to draw.", "Choose data with timestamps.")
    figure, axes = new_figure(title, caption, width=7.6, height=HEIGHT * 0.9)
    axes.fill_between(list(dates), list(counts), step="mid", color=LINES[0].colour, alpha=0.25, linewidth=0)
    axes.step(list(dates), list(counts), where="mid", color=LINES[0].colour, linewidth=1.3)
    chosen = peaks(counts, marked)
    for rank, place in enumerate(chosen):
        axes.plot([dates[place]], [counts[place]], marker="v", markersize=5, color=INK)
        if any(_collide(place, other, counts) for other in chosen[:rank]):
            continue
        axes.annotate(
            f"{dates[place]:%b %Y}: {compact(counts[place])}",
            (dates[place], counts[place]),
            (0, 7),
            textcoords="offset points",
            ha=_side(place, counts),
            fontsize=SMALL,
            color=INK,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
        )
    axes.set_ylim(0, 1.12 * max(counts) or 1)
    first, last = dates[0].toordinal(), dates[-1].toordinal()
    margin = max(15, (last - first) // 100)
    end = min(last + margin, datetime.date.max.toordinal())  # matplotlib has no later ticks
    axes.set_xlim(*map(datetime.date.fromordinal, (first - margin, end)))  # type: ignore[arg-type]
    plain_axis(axes, "y")
    axes.set_xlabel("Month (UTC)", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Ratings per month (count)", fontsize=NORMAL, color=INK)
    return figure


def _side(place: int, counts: Sequence[int]) -> str:
    """Say how the name of a month is aligned: away from the ends of the axis, and from higher months nearby."""
    share, reach = place / max(1, len(counts) - 1), len(counts) // 10
    left, right = counts[max(0, place - reach) : place], counts[place + 1 : place + 1 + reach]
    if share < 0.1 or (max(left, default=0) > counts[place] and share < 0.9):
        return "left"
    return "right" if share > 0.9 or max(right, default=0) > counts[place] else "center"


def _collide(place: int, other: int, counts: Sequence[int]) -> bool:
    """Whether the names of two months would lie on each other."""
    near = abs(place - other) < 0.22 * len(counts)
    return near and abs(counts[place] - counts[other]) < 0.07 * max(counts)


def peaks(counts: Sequence[int], most: int, apart: int = 6) -> list[int]:
    """Return the places of the highest counts, each the highest within `apart` places, the highest first."""
    chosen: list[int] = []
    for place in sorted(range(len(counts)), key=lambda one: (-counts[one], one)):
        if len(chosen) == most:
            break
        near = counts[max(0, place - apart) : place + apart + 1]
        if counts[place] == max(near) > 0 and all(abs(place - other) > apart for other in chosen):
            chosen.append(place)
    return chosen
