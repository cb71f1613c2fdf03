"""Curves over epochs: how a metric and an objective change while a model is fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mfx.errors import DataError
from mfx.figures.style import GREY, INK, LINES, NORMAL, SMALL, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS = {"rmse": "rating points", "mae": "rating points"}
LOG_FROM = 20.0
"""Largest over smallest value from which an objective is drawn on a logarithmic scale."""


def learning_curve(
    curves: Mapping[str, Sequence[float]],
    *,
    metric: str,
    title: str,
    caption: str,
    chosen: int | None = None,
    test: float | None = None,
) -> Figure:
    """Draw a metric on each part of the split against the epoch.

    Parameters
    ----------
    curves : mapping of str to sequence of float
        Values of epochs 1, 2, ... by part, such as ``{"train": [...], "valid": [...]}``; NaN leaves a gap.
    metric : str
        Its name as typed, such as ``"rmse"`` or ``"ndcg@10"``; labels the y axis, with a unit where it has one.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    chosen : int or None
        The epoch that early stopping chose; marked by a vertical line.
    test : float or None
        The metric on test, known once: one mark at the chosen epoch, or at the last one.

    Raises
    ------
    DataError
        If there is nothing finite to draw, or `chosen` lies outside the epochs.
    """
    last = _check(curves)
    if chosen is not None and not 1 <= chosen <= last:
        raise DataError(f"Epoch {chosen} was chosen, but the curves have epochs 1 to {last}.", "Check the curves.")
    figure, axes = new_figure(title, caption)
    _draw(axes, curves, last)
    if chosen is not None:
        axes.axvline(
            chosen, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), label=f"chosen epoch: {chosen}", zorder=1
        )
    if test is not None and math.isfinite(test):
        axes.plot(
            [last if chosen is None else chosen],
            [test],
            linestyle="none",
            marker="*",
            markersize=13,
            color=INK,
            markeredgecolor="white",
            label=f"test, once at the end: {test:.4f}",
            zorder=4,
        )
    name, _, k = metric.partition("@")
    shown = name.upper() + (f"@{k}" if k else "")
    axes.set_ylabel(f"{shown} ({UNITS[name]})" if name in UNITS else shown, fontsize=NORMAL, color=INK)
    _finish(axes)
    return figure


def objective_curve(
    parts: Mapping[str, Sequence[float]], *, title: str, caption: str, label: str = "Objective on train"
) -> Figure:
    """Draw what a model minimises, and its parts, against the epoch.

    The y axis is logarithmic when all values are positive and the largest is over 20 times the smallest.

    Parameters
    ----------
    parts : mapping of str to sequence of float
        Values of epochs 1, 2, ... by name, such as ``{"objective": [...]}``; NaN leaves a gap.
    title, caption : str
        See `mfx.figures.style.new_figure`.
    label : str
        Of the y axis.

    Raises
    ------
    DataError
        If there is nothing finite to draw.
    """
    last = _check(parts)
    figure, axes = new_figure(title, caption)
    _draw(axes, parts, last)
    finite = [value for values in parts.values() for value in values if math.isfinite(value)]
    if min(finite) > 0 and max(finite) > LOG_FROM * min(finite):
        axes.set_yscale("log")
    axes.set_ylabel(label, fontsize=NORMAL, color=INK)
    _finish(axes)
    return figure


def _check(curves: Mapping[str, Sequence[float]]) -> int:
    """Return the number of epochs of the longest curve."""
    for name, values in curves.items():
        if not any(math.isfinite(value) for value in values):
            raise DataError(f"The curve '{name}' has no finite value to draw.", "Leave it out.")
    if not curves:
        raise DataError("There is no curve to draw.", "Give at least one, by name.")
    if len(curves) > len(LINES):
        raise DataError(f"{len(curves)} curves cannot be told apart in one figure.", f"Draw at most {len(LINES)}.")
    return max(len(values) for values in curves.values())


def _draw(axes: Axes, curves: Mapping[str, Sequence[float]], last: int) -> None:
    from matplotlib.ticker import MaxNLocator

    for place, (line, (name, values)) in enumerate(zip(LINES, curves.items(), strict=False)):
        # Some fifteen markers a line, staggered, so that long or close curves stay readable.
        step = max(1, math.ceil(len(values) / 15))
        start = 0 if step == 1 else (place * step) // max(1, len(curves))
        axes.plot(
            range(1, len(values) + 1),
            values,
            color=line.colour,
            linestyle=line.dash,
            linewidth=1.8,
            marker=line.marker,
            markersize=5,
            markevery=(start, step),
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=name,
            zorder=3,
        )
    margin = max(0.4, 0.02 * last)
    axes.set_xlim(1 - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.set_xlabel("Epoch", fontsize=NORMAL, color=INK)


def _finish(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        axes.legend(handles, labels, fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", handlelength=3.2)
