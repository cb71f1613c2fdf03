"""The way of the data through a run as a diagram: its stages in order, who works in each, seconds and peak memory."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mfx.errors import DataError
from mfx.figures.style import GREY, INK, LINES, NORMAL, SMALL, new_rows, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOX = 0.8
"""Width of a box; the next one begins one further on."""
LETTERS = 17
"""Characters of a line inside a box."""


@dataclass(frozen=True)
class Step:
    """A stage of a run.

    Attributes
    ----------
    name, worker : str
        The stage, and the component that works in it.
    does : str
        What goes in or comes out, in a few words.
    seconds : float
    peak_mb : float or None
        Highest memory of the process in this stage, MB of 10^6 bytes; None where it was not measured.
    """

    name: str
    worker: str
    does: str
    seconds: float
    peak_mb: float | None


def pipeline(steps: Sequence[Step], *, title: str, caption: str) -> Figure:
    """Draw stages as boxes with arrows between them; below each its seconds and its peak memory.

    Parameters
    ----------
    steps : sequence of Step
        In the order in which they ran.
    title, caption : str
        See `mfx.figures.style.new_figure`.

    Raises
    ------
    DataError
        If there is no stage.
    """
    if not steps:
        raise DataError("There is no stage to draw.", "Choose a run that measured its stages.")
    measured = [step.peak_mb for step in steps if step.peak_mb is not None]
    heights = [1.9, 1.4, 1.4] if len(measured) == len(steps) else [1.9, 1.4]
    figure, rows = new_rows(title, caption, heights, width=max(6.4, 1.5 * len(steps) + 0.8))
    _boxes(rows[0], steps)
    _bars(rows[1], [step.seconds for step in steps], "Seconds", LINES[0].colour, "")
    if len(measured) == len(steps):
        _bars(rows[2], measured, "Peak memory (MB)", LINES[5].colour, "///")
    rows[-1].set_xticks(range(len(steps)), [plain(step.name) for step in steps])
    return figure


def _boxes(axes: Axes, steps: Sequence[Step]) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.axis("off")
    axes.set_xlim(-0.5, len(steps) - 0.5)
    axes.set_ylim(0, 1)
    for place, step in enumerate(steps):
        axes.add_patch(
            FancyBboxPatch(
                (place - BOX / 2, 0.04),
                BOX,
                0.92,
                boxstyle="round,pad=0,rounding_size=0.06",
                mutation_aspect=1.0,
                facecolor="#F3F3F3",
                edgecolor=GREY,
                linewidth=1.0,
            )
        )
        texts = [
            (0.83, step.name, NORMAL, "bold", INK),
            (0.63, _lines(step.worker, 1), SMALL, "normal", LINES[0].colour),
            (0.30, _lines(step.does, 4), SMALL, "normal", INK),
        ]
        for height, text, size, weight, colour in texts:
            axes.text(
                place, height, text, ha="center", va="center", fontsize=size, fontweight=weight, color=colour,
                linespacing=1.25,
            )  # fmt: skip
        if place:
            axes.annotate(
                "",
                (place - BOX / 2, 0.5),
                (place - 1 + BOX / 2, 0.5),
                arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0},
            )


def _lines(text: str, most: int) -> str:
    wrapped = textwrap.wrap(text, LETTERS, max_lines=most, placeholder="…", break_on_hyphens=False)
    return plain("\n".join(wrapped))


def _bars(axes: Axes, values: Sequence[float], label: str, colour: str, hatch: str) -> None:
    bars = axes.bar(
        range(len(values)), values, width=0.5, color=colour, hatch=hatch, edgecolor="white" if hatch else colour
    )
    written = [f"{value:,.0f}" if value >= 100 else f"{value:.2g}" for value in values]
    sheet = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
    axes.bar_label(bars, labels=written, fontsize=SMALL, color=INK, padding=3, bbox=sheet)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.margins(y=0.22)
    axes.set_xticks([])
    axes.set_ylabel(label, fontsize=NORMAL, color=INK)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
