"""Figures of explanations: parts of scores, shares of genres, lengths of factors, genres on a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mfx.errors import DataError
from mfx.figures.style import INK, LINES, NORMAL, SMALL, new_figure, plain, shortened
from mfx.interfaces import DoubleArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR = 0.3
"""Inches of a bar with its gap."""
FRAME = 1.3
"""Inches of title, axis and margins of a figure of bars."""
HATCHES = ("", "///", "...")
FILLS = (LINES[0].colour, LINES[5].colour, LINES[6].colour)


def stacked_scores(
    labels: Sequence[str],
    level: float,
    parts: Sequence[tuple[str, Sequence[float]]],
    *,
    axis: str,
    level_name: str,
    title: str,
    caption: str,
) -> Figure:
    """Draw the parts of scores as bars that start at a common level and end, all added up, at the score.

    Parameters
    ----------
    labels : sequence of str
        Items, best first.
    level : float
        What all scores share; the bars start there.
    parts : sequence of (name, values)
        At most three; values in the order of `labels`. Negative ones are drawn to the left of the level.
    axis, level_name : str
        Label of the axis of scores, with its unit, and of the line at the level.
    """
    if not labels:
        raise DataError("There is no score to draw.")
    figure, axes = new_figure(title, caption, height=FRAME + BAR * len(labels) + 0.3)
    rows = np.arange(len(labels))
    right, left = np.full(len(labels), level), np.full(len(labels), level)
    for (name, values), colour, hatch in zip(parts, FILLS, HATCHES, strict=False):
        value = np.asarray(values, dtype=np.float64)
        start = np.where(value >= 0, right, left)
        axes.barh(
            rows, value, left=start, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.6, height=0.66, label=name
        )
        right, left = np.maximum(right, start + value), np.minimum(left, start + value)
    margin = 0.05 * max(float(right.max() - left.min()), 1e-9)
    axes.set_xlim(float(left.min()) - margin, float(right.max()) + margin)
    total = level + np.sum([np.asarray(values, dtype=np.float64) for _, values in parts], axis=0)
    axes.axvline(level, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label=f"{level_name}: {level:.2f}", zorder=3)
    axes.plot(
        total,
        rows,
        linestyle="none",
        marker="D",
        markersize=5.5,
        color="white",
        markeredgecolor=INK,
        label="score",
        zorder=4,
    )
    _bars(axes, labels, axis)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=5, fontsize=SMALL, frameon=False)
    return figure


def signed_bars(
    labels: Sequence[str], values: Sequence[float], *, axis: str, title: str, caption: str, digits: int = 3
) -> Figure:
    """Draw one bar a label from zero, those below zero hatched, each with its number."""
    if not labels:
        raise DataError("There is no number to draw.")
    figure, axes = new_figure(title, caption, height=FRAME + BAR * len(labels))
    rows, value = np.arange(len(labels)), np.asarray(values, dtype=np.float64)
    for chosen, colour, hatch in ((value >= 0, FILLS[0], ""), (value < 0, FILLS[1], "///")):
        if chosen.any():
            axes.barh(rows[chosen], value[chosen], color=colour, hatch=hatch, edgecolor=INK, linewidth=0.6, height=0.66)
    for row, one in zip(rows, value, strict=True):
        axes.annotate(
            f"{one:+.{digits}f}" if (value < 0).any() else f"{one:.{digits}f}",
            (one, row),
            xytext=(4 if one >= 0 else -4, 0),
            textcoords="offset points",
            ha="left" if one >= 0 else "right",
            va="center",
            fontsize=SMALL,
            color=INK,
        )
    if (value < 0).any():
        axes.axvline(0.0, color=INK, linewidth=1.0)
    axes.margins(x=0.16)
    _bars(axes, labels, axis)
    return figure


def named_points(
    names: Sequence[str],
    places: DoubleArray,
    sizes: Sequence[float],
    *,
    axes_names: tuple[str, str],
    title: str,
    caption: str,
) -> Figure:
    """Draw named points on a map, the larger the more items they stand for.

    Parameters
    ----------
    places : float64 array, shape (n, 2)
        Where they lie.
    sizes : sequence of float
        Items of each; the area of a mark grows with it.
    """
    if not names:
        raise DataError("There is no point to draw.")
    figure, axes = new_figure(title, caption, height=5.0)
    area = 20 + 180 * np.asarray(sizes, dtype=np.float64) / max(1.0, float(np.max(sizes)))
    axes.scatter(
        places[:, 0], places[:, 1], s=area, color=LINES[0].colour, alpha=0.55, edgecolors=INK, linewidths=0.7, zorder=3
    )
    axes.margins(0.14)
    axes.grid(visible=True, color="#EEEEEE")
    for axis, label in (("x", axes_names[0]), ("y", axes_names[1])):
        getattr(axes, f"set_{axis}label")(label, fontsize=NORMAL, color=INK)
    _place_labels(figure, axes, names, places, area)
    return figure


def _bars(axes: Axes, labels: Sequence[str], axis: str) -> None:
    axes.set_yticks(np.arange(len(labels)), [plain(shortened(label)) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color="#DDDDDD", linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(axis, fontsize=NORMAL, color=INK)


def _place_labels(figure: Figure, axes: Axes, names: Sequence[str], places: DoubleArray, area: DoubleArray) -> None:
    """Put each name at the side of its point where it covers the least of other names and points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    pixels = axes.transData.transform(places)
    scale = figure.dpi / 72
    radius = np.sqrt(area / np.pi) * scale
    taken = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(pixels, radius, strict=True)]
    inside = axes.get_window_extent()
    for place, name in enumerate(names):
        width, height = 0.62 * SMALL * len(name) * scale, 1.25 * SMALL * scale
        gap = radius[place] + 2 * scale
        options: list[tuple[float, int, tuple[float, float, float, float]]] = []
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            x = pixels[place, 0] + dx * (gap * (0.75 if dy else 1) + width / 2)
            y = pixels[place, 1] + dy * (gap * (0.75 if dx else 1) + height / 2)
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            covered = sum(_overlap(box, other) for at, other in enumerate(taken) if at != place)
            outside = width * height - _overlap(box, (inside.x0, inside.y0, inside.x1, inside.y1))
            options.append((covered + 2 * outside, len(options), box))
        _, _, box = min(options)
        taken.append(box)
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        offset = ((middle[0] - pixels[place, 0]) / scale, (middle[1] - pixels[place, 1]) / scale)
        axes.annotate(
            name,
            places[place],
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SMALL,
            color=INK,
            zorder=5,
        )


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)
