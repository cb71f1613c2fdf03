"""Figures of means and shares: heat maps, densities, popularity against mean rating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mfx.errors import DataError
from mfx.figures.bars import plain_axis
from mfx.figures.style import COLOURS, GRID, INK, LINES, NORMAL, SMALL, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIGHTEST = 0.14
"""Where the map of colours begins, so that its lightest colour is clearly darker than an empty cell, in grey too."""


def _colours() -> Any:
    import matplotlib
    import numpy as np
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps[f"{COLOURS}_r"](np.linspace(LIGHTEST, 1.0, 256)))


def popularity(
    edges: Any,
    heights: Any,
    cells: Any,
    mean: Any,
    low: Any,
    high: Any,
    *,
    title: str,
    caption: str,
) -> Figure:
    """Draw items by number of ratings (log) and mean rating, with the mean and the quartiles of each bin.

    Parameters
    ----------
    edges, heights : arrays
        Bounds of the cells along the numbers of ratings and along the rating scale.
    cells : array, shape (len(edges) - 1, len(heights) - 1)
        Items in each cell.
    mean, low, high : arrays, shape (len(edges) - 1,)
        Mean and quartiles of the mean ratings; NaN where there is no item.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    """
    import numpy as np
    from matplotlib.colors import LogNorm

    figure, axes = new_figure(title, caption, width=7.2, height=4.4)
    shown = np.ma.masked_equal(np.asarray(cells, dtype=np.float64).T, 0.0)
    most = max(float(shown.max()), 2.0)
    paint = axes.pcolormesh(edges, heights, shown, cmap=_colours(), norm=LogNorm(1.0, most), rasterized=True)
    middle = np.sqrt(np.asarray(edges[:-1]) * np.asarray(edges[1:]))
    there = np.isfinite(mean)
    outline: dict[str, Any] = {"color": "white", "linewidth": 4.2, "solid_capstyle": "round"}
    for values, dash, label in ((mean, "-", "mean of the bin"), (low, "--", "quartiles"), (high, "--", None)):
        axes.plot(middle[there], np.asarray(values)[there], **outline)
        axes.plot(
            middle[there],
            np.asarray(values)[there],
            color=LINES[1].colour,
            linestyle=dash,
            linewidth=2 if dash == "-" else 1.4,
            marker="s" if dash == "-" else None,
            markersize=4.5,
            markeredgecolor="white",
            label=label,
            zorder=4,
        )
    axes.set_xscale("log")
    plain_axis(axes, "x")
    axes.grid(visible=False)
    axes.set_xlabel("Ratings of the item (count, log scale)", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Mean rating of the item (rating points)", fontsize=NORMAL, color=INK)
    axes.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", loc="lower right", handlelength=3)
    bar = figure.colorbar(paint, ax=axes, pad=0.02)
    bar.set_label("Items (count, log scale)", fontsize=NORMAL, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    plain_axis(bar.ax, "y")
    return figure


def corner(cells: Any, low: float, high: float, *, title: str, caption: str) -> Figure:
    """Draw the ratings of the most active users and most rated items as colours; empty cells are white.

    Parameters
    ----------
    cells : array, shape (users, items)
        Ratings; NaN where there is none.
    low, high : float
        Ends of the rating scale.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    """
    figure, axes = new_figure(title, caption, width=6.8, height=5.6)
    rows, columns = cells.shape
    paint = axes.imshow(
        cells, cmap=_colours(), vmin=low, vmax=high, extent=(0.5, columns + 0.5, rows + 0.5, 0.5), aspect="auto"
    )
    axes.grid(visible=False)
    for axis, size in (("x", columns), ("y", rows)):
        ticks = [1, *range(10, size + 1, 10)] if size >= 10 else list(range(1, size + 1))
        getattr(axes, f"set_{axis}ticks")(ticks)
    axes.set_xlabel("Rank of the item by number of ratings", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Rank of the user by number of ratings", fontsize=NORMAL, color=INK)
    bar = figure.colorbar(paint, ax=axes, pad=0.02)
    bar.set_label("Rating (rating points)", fontsize=NORMAL, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def densities(
    grid: Sequence[float], curves: Mapping[str, Sequence[float]], items: Mapping[str, int], *, title: str, caption: str
) -> Figure:
    """Draw kernel densities of mean ratings, the first curve filled.

    Parameters
    ----------
    grid : sequence of float
        Mean ratings.
    curves : mapping of str to sequence of float
        Density by group.
    items : mapping of str to int
        How many items each is drawn from.
    title, caption : str
        See `mfx.figures.style.new_figure`.

    Raises
    ------
    DataError
        If there is no curve, or there are more than styles of lines.
    """
    if not 0 < len(curves) <= len(LINES):
        raise DataError(f"{len(curves)} densities cannot be drawn in one figure.", f"Draw 1 to {len(LINES)}.")
    figure, axes = new_figure(title, caption)
    # The whole comes first and in black; groups follow in colours.
    styles = [LINES[4], *LINES[:4], *LINES[5:]]
    for place, (line, (name, values)) in enumerate(zip(styles, curves.items(), strict=False)):
        if place == 0:
            axes.fill_between(grid, values, color="#000000", alpha=0.08, linewidth=0)
        axes.plot(
            grid,
            values,
            color=line.colour,
            linestyle="-" if place == 0 else line.dash,
            linewidth=2.2 if place == 0 else 1.6,
            marker=None if place == 0 else line.marker,
            markevery=(4 * place, 24),
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=plain(f"{name} ({items[name]:,})"),
            zorder=4 - place / 10,
        )
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    axes.set_xlabel("Mean rating of an item (rating points)", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Density (per rating point)", fontsize=NORMAL, color=INK)
    axes.legend(
        fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", loc="upper left", handlelength=3.4,
        title="group (items)", title_fontsize=SMALL, alignment="left",
    )  # fmt: skip
    return figure


def shares(names: Sequence[str], cells: Any, *, title: str, caption: str) -> Figure:
    """Draw P(B given A) as colours and numbers, A down and B across; the diagonal, always 1, stays empty.

    Parameters
    ----------
    names : sequence of str
        Of rows and columns.
    cells : array, shape (names, names)
        Shares between 0 and 1.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    """
    import numpy as np

    if not names:
        raise DataError("There are no shares to draw.", "Choose data with genres.")
    size = max(4.2, 1.7 + 0.36 * len(names))
    figure, axes = new_figure(title, caption, width=size + 1.3, height=size)
    shown = np.array(cells, dtype=np.float64)
    np.fill_diagonal(shown, np.nan)
    top = float(np.nanmax(shown)) if np.isfinite(shown).any() else 1.0
    top = top or 1.0
    paint = axes.imshow(shown, cmap=_colours(), vmin=0.0, vmax=top, aspect="auto")
    for row in range(len(names)):
        for column in range(len(names)):
            value = shown[row, column]
            if np.isfinite(value):
                text = f"{value:.2f}".removeprefix("0") if value < 0.995 else "1"
                colour = "white" if value > 0.45 * top else INK
                axes.text(column, row, text, ha="center", va="center", fontsize=SMALL - 1.5, color=colour)
    places = range(len(names))
    labels = [plain(name) for name in names]
    axes.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, labels)
    axes.tick_params(length=0)
    axes.grid(visible=True, axis="both", color=GRID, linewidth=0)
    axes.set_xlabel("B", fontsize=NORMAL, color=INK)
    axes.set_ylabel("A", fontsize=NORMAL, color=INK)
    bar = figure.colorbar(paint, ax=axes, pad=0.02)
    bar.set_label("P(B given A): share of the items with A that carry B", fontsize=NORMAL, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    return figure
