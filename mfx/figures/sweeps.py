"""Figures of a search: where it looked, what it found, and which settings mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mfx.errors import DataError
from mfx.figures.curves import UNITS
from mfx.figures.style import COLOURS, GREY, INK, LINES, NORMAL, SMALL, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"defaults": ("D", "defaults"), "random": ("o", "random"), "grid": ("s", "grid")}
EDGE, COLOUR_EDGE = 95.0, 75.0
"""Share of the trials, in percent, that the axis of values, or the colours, tell apart; worse ones look alike."""


@dataclass(frozen=True)
class Tried:
    """A trial with a value; `point` holds the settings by name."""

    number: int
    stage: str
    value: float
    point: Mapping[str, Any]


def search_scatter(
    tried: Sequence[Tried],
    over: Sequence[str],
    *,
    logs: Sequence[str],
    metric: str,
    higher_is_better: bool,
    title: str,
    caption: str,
) -> Figure:
    """Draw every trial over two settings, the better the darker, with a star on the best; over one, against the value.

    Parameters
    ----------
    tried : sequence of Tried
        Trials with a value.
    over : sequence of str
        One or two settings of numbers, such as ``["model.factors", "model.reg"]``.
    logs : sequence of str
        Settings with a logarithmic axis.
    metric, higher_is_better
        Name of the objective and its direction.
    title, caption : str
        See `mfx.figures.style.new_figure`.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    best = _best(tried, higher_is_better)
    edge = COLOUR_EDGE if len(over) == 2 else EDGE
    figure, axes = new_figure(title, f"{caption} {_cut(tried, higher_is_better, edge)}")
    axes.grid(axis="both", color="#DDDDDD", linewidth=0.8)
    low, high = _limits([one.value for one in tried], higher_is_better, edge)
    x = over[0]
    paint = None
    for stage, (marker, label) in MARKERS.items():
        some = [one for one in tried if one.stage == stage]
        if not some:
            continue
        across = [one.point[x] for one in some]
        up = [one.point[over[1]] if len(over) == 2 else min(max(one.value, low), high) for one in some]
        paint = axes.scatter(
            across,
            up,
            c=[one.value for one in some],
            cmap=f"{COLOURS}_r" if higher_is_better else COLOURS,
            vmin=low,
            vmax=high,
            s=46,
            marker=marker,
            edgecolors=INK,
            linewidths=0.6,
            label=label,
            zorder=3,
        )
    if len(over) == 1 and all(list(one.point) == list(over) for one in tried):
        ordered = sorted(tried, key=lambda one: one.point[x])
        ends = [min(max(one.value, low), high) for one in ordered]
        axes.plot([one.point[x] for one in ordered], ends, color=GREY, linewidth=1.2, zorder=2)
    axes.plot(
        [best.point[x]],
        [best.point[over[1]] if len(over) == 2 else best.value],
        linestyle="none",
        marker="*",
        markersize=19,
        color="white",
        markeredgecolor=INK,
        markeredgewidth=1.4,
        label=f"best: trial {best.number}, {best.value:.4f}",
        zorder=5,
    )
    for name, axis in zip(over, ("x", "y"), strict=False):
        if name in logs:
            _log_axis(axes, axis)
    axes.set_xlabel(_setting(x, logs), fontsize=NORMAL, color=INK)
    up_to = _setting(over[1], logs) if len(over) == 2 else f"{_metric(metric)} on valid"
    axes.set_ylabel(up_to, fontsize=NORMAL, color=INK)
    if len(over) == 2 and paint is not None:
        bar = figure.colorbar(paint, ax=axes, pad=0.02)
        bar.set_label(f"{_metric(metric)} on valid", fontsize=NORMAL, color=INK)
        bar.ax.tick_params(labelsize=SMALL)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=4, fontsize=SMALL, frameon=False)
    return figure


def grid_map(
    tried: Sequence[Tried],
    over: Sequence[str],
    axes_values: Mapping[str, Sequence[Any]],
    fixed: Mapping[str, Any],
    *,
    metric: str,
    higher_is_better: bool,
    title: str,
    caption: str,
) -> Figure:
    """Draw the value of every cell of the grid as colour and number, the best cell framed.

    Parameters
    ----------
    over : sequence of str
        The two settings, first the one that goes down.
    axes_values : mapping of str to sequence
        Values of both.
    fixed : mapping
        Values of all other settings; trials that differ in them are no cells.
    """
    _best(tried, higher_is_better)
    rows, columns = over
    found = {
        (one.point[rows], one.point[columns]): one.value
        for one in tried
        if all(one.point[name] == value for name, value in fixed.items())
    }
    down, across = _ordered(axes_values[rows]), _ordered(axes_values[columns])
    cells = [[found.get((row, column), float("nan")) for column in across] for row in down]
    real = [value for row in cells for value in row if value == value]
    if not real:
        raise DataError("No cell of the grid has a value.", "Draw the search instead.")
    rest = ", ".join(f"{_short(name)} {_tick(value)}" for name, value in fixed.items())
    figure, axes = new_figure(title, caption + (f" All other settings as in the centre: {rest}." if rest else ""))
    low, high = (min(real), max(real)) if min(real) < max(real) else (min(real) - 1e-9, max(real) + 1e-9)
    shown = axes.imshow(
        cells, cmap=f"{COLOURS}_r" if higher_is_better else COLOURS, aspect="auto", origin="lower", vmin=low, vmax=high
    )
    axes.grid(visible=False)
    winner = max(real) if higher_is_better else min(real)
    for y, row in enumerate(cells):
        for x, value in enumerate(row):
            place = (value - low) / (high - low)
            dark = place > 0.5 if higher_is_better else place < 0.5
            text = f"{value:.4f}" if value == value else "none"
            weight = "bold" if value == winner else "normal"
            colour = "white" if dark and value == value else INK
            axes.text(x, y, text, ha="center", va="center", fontsize=SMALL, color=colour, fontweight=weight)
            if value == winner:
                from matplotlib.patches import Rectangle

                axes.add_patch(
                    Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, fill=False, edgecolor="white", linewidth=3.4)
                )
                axes.add_patch(Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, fill=False, edgecolor=INK, linewidth=1.4))
    axes.set_xticks(range(len(across)), [_tick(value) for value in across])
    axes.set_yticks(range(len(down)), [_tick(value) for value in down])
    axes.set_xlabel(_short(columns), fontsize=NORMAL, color=INK)
    axes.set_ylabel(_short(rows), fontsize=NORMAL, color=INK)
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.set_label(f"{_metric(metric)} on valid", fontsize=NORMAL, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def importance(shares: Mapping[str, float], *, title: str, caption: str) -> Figure:
    """Draw the share of each setting in the differences between trials, the largest on top."""
    if not shares:
        raise DataError("There are no importances to draw.", "Search at least one setting.")
    figure, axes = new_figure(title, caption)
    ordered = sorted(shares.items(), key=lambda pair: (pair[1], pair[0]))
    bars = axes.barh([_short(name) for name, _ in ordered], [share for _, share in ordered], color=LINES[0].colour)
    axes.bar_label(bars, labels=[f"{share:.2f}" for _, share in ordered], fontsize=SMALL, padding=3, color=INK)
    axes.grid(visible=False)
    axes.margins(x=0.1)
    axes.set_xlabel("Importance (share, sums to 1)", fontsize=NORMAL, color=INK)
    return figure


def history(tried: Sequence[Tried], *, metric: str, higher_is_better: bool, title: str, caption: str) -> Figure:
    """Draw the value of each trial in the order of their numbers, and the best so far as a line."""
    best = _best(tried, higher_is_better)
    figure, axes = new_figure(title, f"{caption} {_cut(tried, higher_is_better, EDGE)}")
    ordered = sorted(tried, key=lambda one: one.number)
    low, high = _limits([one.value for one in tried], higher_is_better, EDGE)
    for line, (stage, (marker, label)) in zip(LINES, MARKERS.items(), strict=False):
        some = [one for one in ordered if one.stage == stage]
        if some:
            axes.scatter(
                [one.number for one in some],
                [min(max(one.value, low), high) for one in some],
                color=line.colour,
                marker=marker,
                s=26,
                edgecolors="white",
                linewidths=0.5,
                label=label,
                zorder=3,
            )
    pick = max if higher_is_better else min
    so_far = [ordered[0].value]
    for one in ordered[1:]:
        so_far.append(pick(so_far[-1], one.value))
    numbers = [one.number for one in ordered]
    axes.step(numbers, so_far, where="post", color=INK, linewidth=1.4, label="best so far", zorder=2)
    axes.plot(
        [best.number],
        [best.value],
        linestyle="none",
        marker="*",
        markersize=15,
        color=INK,
        markeredgecolor="white",
        label=f"best: trial {best.number}, {best.value:.4f}",
        zorder=4,
    )
    margin = 0.05 * (high - low) or 1e-3
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlabel("Trial", fontsize=NORMAL, color=INK)
    axes.set_ylabel(f"{_metric(metric)} on valid", fontsize=NORMAL, color=INK)
    axes.legend(fontsize=SMALL, frameon=True, framealpha=0.9, edgecolor="none", loc="best")
    return figure


def _best(tried: Sequence[Tried], higher_is_better: bool) -> Tried:
    if not tried:
        raise DataError("There is no trial to draw.", "Run some that come to a value.")
    sign = -1.0 if higher_is_better else 1.0
    return min(tried, key=lambda one: (sign * one.value, one.number))


def _limits(values: Sequence[float], higher_is_better: bool, share: float) -> tuple[float, float]:
    import numpy as np

    edge = float(np.percentile(values, 100.0 - share if higher_is_better else share))
    low, high = (edge, max(values)) if higher_is_better else (min(values), edge)
    return (low, high) if high > low else (low - 1e-6, high + 1e-6)


def _cut(tried: Sequence[Tried], higher_is_better: bool, share: float) -> str:
    low, high = _limits([one.value for one in tried], higher_is_better, share)
    beyond = sum(not low <= one.value <= high for one in tried)
    limit = low if higher_is_better else high
    return f"{beyond} worse than {limit:.4f} are drawn as {limit:.4f}." if beyond else ""


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Sort values that are numbers, or texts that say numbers; other choices stay in their order."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return list(values)


def _short(name: str) -> str:
    group, _, rest = name.partition(".")
    return rest if group == "model" and rest else name


def _setting(name: str, logs: Sequence[str]) -> str:
    return f"{_short(name)} (log scale)" if name in logs else _short(name)


def _tick(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _metric(metric: str) -> str:
    name, _, k = metric.partition("@")
    shown = name.upper() + (f"@{k}" if k else "")
    return f"{shown} ({UNITS[name]})" if name in UNITS else shown


def _log_axis(axes: Axes, axis: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    getattr(axes, f"set_{axis}scale")("log")
    one = getattr(axes, f"{axis}axis")
    one.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    one.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="both", colors=GREY, labelcolor=INK)
