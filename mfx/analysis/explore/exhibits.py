"""What an exploration shows: chapters of prose, numbers and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mfx.analysis.page import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Exhibit:
    """Numbers, and the figure that shows them.

    Attributes
    ----------
    name : str
        Of its files.
    numbers : Table
        Written as CSV; the caption says nothing there.
    draw : callable or None
        Makes the figure; None where a table says it better.
    alt : str
        What the figure shows, for people who cannot see it.
    wide : bool
        Whether the figure needs the whole width of the page.
    more : mapping of str to Table
        Further numbers behind the same figure, by what is added to the name.
    """

    name: str
    numbers: Table
    draw: Callable[[], Figure] | None = None
    alt: str = ""
    more: dict[str, Table] = field(default_factory=dict)
    wide: bool = False


@dataclass(frozen=True)
class Chapter:
    """A section of the page: prose, tables that are printed, and exhibits."""

    heading: str
    prose: Sequence[str]
    exhibits: Sequence[Exhibit] = ()
    tables: Sequence[Table] = ()


def percent(share: float, digits: int = 1) -> str:
    """Write a share for people: 0.2659 is 26.6 %."""
    return f"{100 * share:.{digits}f} %"
