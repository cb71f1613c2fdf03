"""How every figure of MFX looks, and how it becomes a file.

Figures are made without pyplot: no window, no global state, no effect on a notebook's own figures. Lines differ in
colour (Okabe and Ito's palette, safe for colour-blind readers), dash and marker, so that grey prints stay readable.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfx.errors import DataError, of_system
from mfx.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 6.4, 4.2
"""Size in inches, without the caption."""

DPI = 150
SMALL, NORMAL, LARGE = 8.5, 10.0, 11.5
INK, GREY, GRID = "#222222", "#595959", "#DDDDDD"
LONGEST = 42
"""Characters of a label; longer ones are cut."""
COLOURS = "cividis"
"""Runs evenly from dark to light, so that it reads the same in grey."""


@dataclass(frozen=True)
class Line:
    """Colour, dash and marker that belong together."""

    colour: str
    dash: str | tuple[float, tuple[float, ...]]
    marker: str


LINES = (
    Line("#0072B2", "-", "o"),
    Line("#D55E00", "--", "s"),
    Line("#009E73", "-.", "^"),
    Line("#CC79A7", ":", "D"),
    Line("#000000", (0, (5, 1, 1, 1, 1, 1)), "v"),
    Line("#E69F00", (0, (3, 1)), "P"),
    Line("#56B4E9", (0, (1, 1)), "X"),
)


def new_figure(title: str, caption: str, *, width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Make a figure with one set of axes, its title above and its caption below them.

    Parameters
    ----------
    title : str
        What the figure shows, one line.
    caption : str
        Data, split and settings behind it; wrapped, left-aligned, below the axes.
    width, height : float
        Size in inches, without the caption.
    """
    figure = _sheet(caption, width, height)
    axes = figure.add_subplot()
    axes.set_title(plain(title), fontsize=LARGE, color=INK, loc="left", pad=10)
    _dress(axes)
    return figure, axes


def new_panels(
    title: str, caption: str, names: Sequence[str], *, width: float = 1.5 * WIDTH, height: float = HEIGHT
) -> tuple[Figure, list[Axes]]:
    """Make a figure with named sets of axes side by side, a title above all of them and a caption below.

    Parameters
    ----------
    names : sequence of str
        Titles of the panels, from left to right.
    title, caption, width, height
        As in `new_figure`.
    """
    figure = _sheet(caption, width, height)
    figure.suptitle(plain(title), fontsize=LARGE, color=INK, x=0.012, ha="left")
    panels = [figure.add_subplot(1, len(names), place) for place in range(1, len(names) + 1)]
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(plain(name), fontsize=NORMAL, color=INK, loc="left")
        _dress(axes)
    return figure, panels


def new_rows(title: str, caption: str, heights: Sequence[float], *, width: float) -> tuple[Figure, list[Axes]]:
    """Make a figure with sets of axes below each other, a title above all of them and a caption below.

    Parameters
    ----------
    heights : sequence of float
        Inches of each row.
    title, caption, width
        As in `new_figure`.
    """
    figure = _sheet(caption, width, sum(heights) + 0.4)
    figure.suptitle(plain(title), fontsize=LARGE, color=INK, x=0.012, ha="left")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=list(heights))
    rows = [figure.add_subplot(grid[place]) for place in range(len(heights))]
    for axes in rows:
        _dress(axes)
    return figure, rows


def shortened(label: str) -> str:
    """Cut a long title so that its year stays."""
    end = label[-7:] if label.endswith(")") else ""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1 - len(end)].rstrip()}…{end}"


def plain(text: str) -> str:
    """Write text that others made so that matplotlib sees no mathematics between its dollar signs."""
    return text.replace("$", r"\$")


def _sheet(caption: str, width: float, height: float) -> Figure:
    """Make an empty figure with its caption, as high as wanted plus the caption."""
    from matplotlib.figure import Figure

    lines = textwrap.wrap(plain(caption), int(92 * width / WIDTH)) if caption else []
    below = (len(lines) * SMALL * 1.4 + 10) / 72 if lines else 0.0
    whole = height + below
    figure = Figure(figsize=(width, whole), dpi=DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(rect=(0, below / whole, 1, 1 - below / whole))  # type: ignore[union-attr, call-arg]
    if lines:
        x, y = 0.015 * WIDTH / width, below / whole - 0.005
        figure.text(x, y, "\n".join(lines), fontsize=SMALL, color=GREY, va="top", linespacing=1.3)
    return figure


def _dress(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=SMALL, colors=GREY, labelcolor=INK)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG or SVG, whole or not at all; the same figure gives the same bytes.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DataError
        If the name ends neither in .png nor in .svg, or the file cannot be written.
    """
    import matplotlib

    target = Path(path)
    kind = target.suffix.lower().lstrip(".")
    if kind not in ("png", "svg"):
        raise DataError(f"A figure cannot be written as {target.name}.", "Let the name end in .png or .svg.")
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None}
    try:
        with atomic_file(target) as draft, matplotlib.rc_context({"svg.hashsalt": "mfx"}):
            _print(figure, draft, kind, metadata)
    except OSError as error:
        known = of_system(error)
        raise DataError(
            f"The figure {target} cannot be written: {error.strerror}.",
            known.hint if known else "Choose another folder.",
        ) from error
    return target


def _print(figure: Figure, draft: Path, kind: str, metadata: dict[str, Any]) -> None:
    """Write a figure to a file; `Figure.savefig` would draw it a first time for nothing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvas: Any = FigureCanvasAgg(figure) if kind == "png" else FigureCanvasSVG(figure)
    getattr(canvas, f"print_{kind}")(draft, metadata=metadata)


def save_both(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as STEM.png and STEM.svg; it is laid out once for both.

    Returns
    -------
    tuple of pathlib.Path
        The PNG and the SVG.
    """
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    return save(figure, stem.with_name(f"{stem.name}.png")), save(figure, stem.with_name(f"{stem.name}.svg"))
