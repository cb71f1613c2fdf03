"""Figures of degrees: how many ratings each user and each item has, by rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfx.errors import DataError
from mfx.figures.bars import plain_axis
from mfx.figures.style import GREY, GRID, INK, LINES, NORMAL, SMALL, new_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Ranked:
    """Counts against their rank, the largest first."""

    ranks: Sequence[int]
    counts: Sequence[int]


@dataclass(frozen=True)
class Reference:
    """A fitted line, and the words that say what it is; `least` is the count from which on it was fitted."""

    ranks: Sequence[float]
    counts: Sequence[float]
    label: str
    least: int


def rank_plot(curves: Mapping[str, Ranked], references: Mapping[str, Reference], *, title: str, caption: str) -> Figure:
    """Draw ratings against rank on logarithmic scales, a panel for each kind, with a fitted reference line.

    Parameters
    ----------
    curves : mapping of str to Ranked
        Such as ``{"users": ..., "items": ...}``.
    references : mapping of str to Reference
        Lines of some or all kinds.
    title, caption : str
        See `mfx.figures.style.new_panels`.
    """
    figure, panels = new_panels(title, caption, [name.capitalize() for name in curves])
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        line = LINES[0]
        axes.plot(
            curve.ranks,
            curve.counts,
            linestyle="none",
            marker=line.marker,
            markersize=3.2,
            color=line.colour,
            label=f"{name}, by rank",
            zorder=2,
        )
        if name in references:
            fit = references[name]
            axes.plot(fit.ranks, fit.counts, color=LINES[1].colour, linestyle="--", linewidth=2, label=fit.label)
            axes.axhline(
                fit.least, color=GREY, linewidth=1, linestyle=":", label=f"fitted from {fit.least:,} ratings on"
            )
        _finish(axes, name)
        fitted = max(references[name].counts) if name in references else 0.0
        axes.set_ylim(0.7, max(3.0 * max(curve.counts), min(1.5 * fitted, 30.0 * max(curve.counts))))
    return figure


def rank_overlay(parts: Mapping[str, Mapping[str, Ranked]], *, title: str, caption: str) -> Figure:
    """Draw ratings against rank in each part of a split, a panel for each kind.

    Parameters
    ----------
    parts : mapping of str to mapping of str to Ranked
        Curves by kind and part, such as ``{"users": {"train": ..., "test": ...}}``.
    title, caption : str
        See `mfx.figures.style.new_panels`.
    """
    figure, panels = new_panels(title, caption, [name.capitalize() for name in parts])
    for axes, (name, curves) in zip(panels, parts.items(), strict=True):
        if not curves:
            raise DataError(f"There is no curve of {name}.", "Give at least one part.")
        for line, (part, curve) in zip(LINES, curves.items(), strict=False):
            axes.plot(
                curve.ranks,
                curve.counts,
                color=line.colour,
                linestyle=line.dash,
                linewidth=1.9,
                marker=line.marker,
                markevery=0.13,
                markersize=4.5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                label=part,
            )
        _finish(axes, name)
        axes.set_ylim(0.7, 3.0 * max(max(curve.counts) for curve in curves.values()))
    return figure


def _finish(axes: Axes, name: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in ("x", "y"):
        plain_axis(axes, axis)
    axes.grid(visible=True, which="major", color=GRID, linewidth=0.8)
    axes.set_xlabel(f"Rank among {name} (log scale)", fontsize=NORMAL, color=INK)
    axes.set_ylabel("Ratings (count, log scale)", fontsize=NORMAL, color=INK)
    axes.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", loc="lower left", handlelength=3)
