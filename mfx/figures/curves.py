"""Curves over epochs: how a metric and an objective change while a model is fitted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mfx.errors import DataError
from mfx.figures.style import GREY, INK, LINES, NORMAL, SMALL, Line, new_figure

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
    figure, axes = new_figure(title, caption)
    _draw(axes, curves, last)
    _mark(axes, last, chosen, test)
    axes.set_ylabel(
        f"{shown(metric)} ({UNITS[metric]})" if metric in UNITS else shown(metric), fontsize=NORMAL, color=INK
    )
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


def _draw(axes: Axes, curves: Mapping[str, Sequence[float]], last: int, lines: Sequence[Line] = LINES) -> None:
    from matplotlib.ticker import MaxNLocator

    for place, (line, (name, values)) in enumerate(zip(lines, curves.items(), strict=False)):
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


def _mark(axes: Axes, last: int, chosen: int | None, test: float | None) -> None:
    """Mark the epoch that early stopping chose, and the number on test."""
    if chosen is not None and not 1 <= chosen <= last:
        raise DataError(f"Epoch {chosen} was chosen, but the curves have epochs 1 to {last}.", "Check the curves.")
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


def _finish(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        axes.legend(handles, labels, fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", handlelength=3.2)


def descent_curve(steps: Mapping[str, Sequence[float]], *, title: str, caption: str) -> Figure:
    """Draw the objective after every half-step, in the order in which they were made.

    Parameters
    ----------
    steps : mapping of str to sequence of float
        The objective of epochs 1, 2, ... after each step of an epoch, in their order, such as
        ``{"items": [...], "users": [...]}``; the last step ends the epoch.
    title, caption : str
        See `mfx.figures.style.new_figure`; the caption is told whether the objective falls at every half-step.

    Raises
    ------
    DataError
        If there is nothing finite to draw, or a step has another number of epochs.
    """
    _check(steps)
    figure, axes = new_figure(title, f"{caption} {_fall(steps)}")
    _draw_descent(axes, steps)
    return figure


def dynamics(
    steps: Mapping[str, Sequence[float]],
    curves: Mapping[str, Sequence[float]],
    *,
    metric: str,
    title: str,
    caption: str,
    chosen: int | None = None,
    test: float | None = None,
) -> Figure:
    """Draw how a fit went, side by side: the objective after every half-step, then the metric on train and on valid.

    Parameters
    ----------
    steps : mapping of str to sequence of float
        As in `descent_curve`.
    curves, metric, title, caption, chosen, test
        As in `learning_curve`; each curve has a panel of its own, the last one the marks.

    Raises
    ------
    DataError
        If there is nothing finite to draw, or `chosen` lies outside the epochs.
    """
    from mfx.figures.style import new_panels

    _check(steps)
    last = _check(curves)
    names = ["Objective on train", *(f"{shown(metric)} on {part}" for part in curves)]
    figure, panels = new_panels(title, f"{caption} {_fall(steps)}", names, width=10.5, height=3.4)
    _draw_descent(panels[0], steps)
    panels[0].set_ylabel("")
    for place, (axes, (part, values)) in enumerate(zip(panels[1:], curves.items(), strict=True)):
        _draw(axes, {part: values}, last, LINES[place:])
        if place == len(curves) - 1:
            _mark(axes, last, chosen, test)
            _finish(axes)
    return figure


def shown(metric: str) -> str:
    """Write a metric's name for people: ``RMSE``, ``NDCG@10``."""
    name, _, k = metric.partition("@")
    return name.upper() + (f"@{k}" if k else "")


def _in_order(steps: Mapping[str, Sequence[float]]) -> list[float]:
    if len({len(values) for values in steps.values()}) != 1:
        raise DataError("Half-steps have different numbers of epochs.", "Give the objective after each of them.")
    return [value for epoch in zip(*steps.values(), strict=True) for value in epoch]


def _fall(steps: Mapping[str, Sequence[float]]) -> str:
    """Say whether the objective falls at every half-step; it is summed in float64, of tables in float32."""
    values = _in_order(steps)
    rises = sum(later > earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(values))
    return (
        f"The objective rises at {rises} of {len(values) - 1} half-steps."
        if rises
        else f"The objective falls at each of {len(values) - 1} half-steps."
    )


def _draw_descent(axes: Axes, steps: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import MaxNLocator

    values, count = _in_order(steps), len(steps)
    places = [(number + 1) / count for number in range(len(values))]
    axes.plot(places, values, color=GREY, linewidth=1.2, zorder=2)
    for at, (line, name) in enumerate(zip(LINES, steps, strict=False)):
        axes.plot(
            places[at::count],
            values[at::count],
            linestyle="none",
            marker=line.marker,
            color=line.colour,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=f"after {name}",
            zorder=3,
        )
    if min(values) > 0 and max(values) > LOG_FROM * min(values):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.set_xlabel("Epoch", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Objective on train", fontsize=NORMAL, color=INK)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}")
    _finish(axes)
