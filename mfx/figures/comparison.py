"""Figures of several runs side by side: lists of growing length, differences with intervals, curves with their gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfx.errors import DataError
from mfx.figures.curves import UNITS
from mfx.figures.style import GRID, INK, LINES, NORMAL, SMALL, WIDTH, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADES = (("//", 0.12), ("\\\\", 0.12))
"""Hatches of shaded gaps, which differ in grey too."""


@dataclass(frozen=True)
class Interval:
    """A difference and its interval, for one run in one row of a figure.

    Attributes
    ----------
    row : str
        What was compared, such as the name of a slice.
    run : str
        Label of the run.
    value, low, high : float
        NaN ends draw no interval.
    certain : bool
        Whether it is more than chance; drawn filled, otherwise hollow.
    """

    row: str
    run: str
    value: float
    low: float
    high: float
    certain: bool


def list_curves(curves: Mapping[str, Mapping[int, float]], *, title: str, caption: str) -> Figure:
    """Draw the precision of lists against their length, a curve for each run.

    Parameters
    ----------
    curves : mapping of str to mapping of int to float
        Values by length of the list, by label of the run.
    title, caption : str
        See `mfx.figures.style.new_figure`.

    Raises
    ------
    DataError
        If there is no curve, or there are more than can be told apart.
    """
    _count(curves)
    figure, axes = new_figure(title, caption)
    for line, (name, points) in zip(LINES, curves.items(), strict=False):
        axes.plot(
            list(points),
            list(points.values()),
            color=line.colour,
            linestyle=line.dash,
            marker=line.marker,
            linewidth=1.8,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=name,
            zorder=3,
        )
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("Length of the list, k", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Precision@k (share of the list)", fontsize=NORMAL, color=INK)
    _legend(axes)
    return figure


def intervals(
    found: Sequence[Interval], *, metric: str, against: str, higher_is_better: bool, title: str, caption: str
) -> Figure:
    """Draw differences to one run as points with intervals, a row for each slice and a mark for each run.

    Parameters
    ----------
    found : sequence of Interval
        Rows in the order in which they first occur, top to bottom.
    metric, against, higher_is_better
        What differs, from which run, and which direction is better; for the x axis.
    title, caption : str
        See `mfx.figures.style.new_figure`.

    Raises
    ------
    DataError
        If there is nothing to draw, or there are more runs than can be told apart.
    """
    rows, runs = list(dict.fromkeys(one.row for one in found)), list(dict.fromkeys(one.run for one in found))
    _count(runs)
    height = 1.3 + len(rows) * (0.17 + 0.12 * len(runs))
    figure, axes = new_figure(title, caption, width=WIDTH, height=height)
    apart = 0.7 / len(runs)
    for place, (line, run) in enumerate(zip(LINES, runs, strict=False)):
        mine = [one for one in found if one.run == run]
        for one in mine:
            y = rows.index(one.row) + (place - (len(runs) - 1) / 2) * apart
            if math.isfinite(one.low) and math.isfinite(one.high):
                axes.plot([one.low, one.high], [y, y], color=line.colour, linewidth=1.6, zorder=2)
            axes.plot(
                [one.value],
                [y],
                marker=line.marker,
                markersize=5.5,
                color=line.colour,
                markerfacecolor=line.colour if one.certain else "white",
                linestyle="none",
                zorder=3,
            )
        axes.plot([], [], marker=line.marker, color=line.colour, linestyle="-", linewidth=1.6, label=run)
    axes.axvline(0, color=INK, linewidth=1.0, zorder=1)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=GRID, linewidth=0.8)
    unit = f" ({UNITS[metric]})" if metric in UNITS else ""
    side = "right" if higher_is_better else "left"
    axes.set_xlabel(f"{metric} less that of {against}{unit}; {side} is better", fontsize=NORMAL, color=INK)
    if len(runs) > 1:
        handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper right", ncols=3, fontsize=SMALL, frameon=False)
    return figure


def gaps(curves: Mapping[str, Mapping[str, Sequence[float]]], *, metric: str, title: str, caption: str) -> Figure:
    """Draw a metric on train and valid for two or more runs, the gap between the two shaded.

    Parameters
    ----------
    curves : mapping of str to mapping of str to sequence of float
        By label of the run, ``{"train": [...], "valid": [...]}`` per epoch.
    metric, title, caption : str
        As in `mfx.figures.curves.learning_curve`.

    Raises
    ------
    DataError
        If a run lacks one of the two curves, or there are more than can be told apart.
    """
    _count(curves)
    figure, axes = new_figure(title, caption)
    for place, (line, (name, parts)) in enumerate(zip(LINES, curves.items(), strict=False)):
        if set(parts) != {"train", "valid"}:
            raise DataError(f"The curves of '{name}' are not those of train and valid.", "Give both, and no more.")
        epochs = range(1, min(map(len, parts.values())) + 1)
        train, valid = (list(parts[part])[: len(epochs)] for part in ("train", "valid"))
        step = max(1, math.ceil(len(epochs) / 12))
        for part, values, dash in (("valid", valid, "-"), ("train", train, (0, (4, 2)))):
            axes.plot(
                epochs,
                values,
                color=line.colour,
                linestyle=dash,
                marker=line.marker,
                markevery=(place % step, step),
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.6,
                linewidth=1.8,
                label=f"{name}: {part}",
                zorder=3,
            )
        hatch, alpha = SHADES[place % len(SHADES)]
        axes.fill_between(
            epochs, train, valid, facecolor=line.colour, alpha=alpha, hatch=hatch, edgecolor=line.colour, linewidth=0
        )
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.set_xlabel("Epoch", fontsize=NORMAL, color=INK)
    name, _, k = metric.partition("@")
    unit = f" ({UNITS[metric]})" if metric in UNITS else ""
    axes.set_ylabel(f"{name.upper()}{f'@{k}' if k else ''}{unit}", fontsize=NORMAL, color=INK)
    _legend(axes)
    return figure


def _count(runs: Sequence[str] | Mapping[str, object]) -> None:
    if not runs:
        raise DataError("There is no run to draw.", "Give at least one.")
    if len(runs) > len(LINES):
        raise DataError(f"{len(runs)} runs cannot be told apart in one figure.", f"Draw at most {len(LINES)}.")


def _legend(axes: Axes) -> None:
    axes.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", handlelength=3.2)
