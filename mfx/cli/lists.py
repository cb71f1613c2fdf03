"""Tables of items on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from mfx.analysis.advice import Item

WIDTH = 120
"""Columns of a table where the output is no terminal."""


def show_items(items: Sequence[Item], title: str, *, score: str) -> None:
    """Print a list with titles and genres; `score` names the column of scores."""
    show_table(
        title,
        [("", True), ("title", False), ("id", True), ("genres", False), (score, True), ("ratings", True)],
        [
            (
                str(item.rank),
                item.title or "no title",
                str(item.item_id),
                ", ".join(item.genres),
                f"{item.score:.3f}",
                f"{item.ratings:,}",
            )
            for item in items
        ],
    )


def show_table(title: str, columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
    """Print a title and a table; a column is its name and whether it is set to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name, right in columns:
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    print(title)
    console = Console(highlight=False, markup=False)
    Console(highlight=False, markup=False, width=None if console.is_terminal else WIDTH).print(table)
