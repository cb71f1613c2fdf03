"""Self-contained HTML pages: text, tables and figures in one file that needs no network and no script."""

from __future__ import annotations

import base64
import csv
import io
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from mfx.analysis.page_style import STYLE
from mfx.errors import DataError, of_system
from mfx.files import write_text

MEDIA = {".svg": "image/svg+xml", ".png": "image/png"}

_WRITTEN = re.compile(r"([+-]?[\d,]*\.?\d+)?")
"""A number that was written to a fixed number of digits, or nothing."""

# Nothing but what stands in the file itself may be loaded; browsers enforce it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Table:
    """A table: the first column names the row, columns of numbers are aligned to the right.

    Attributes
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences
        Cells. Texts stand as they are, whole numbers get thousands separators, other numbers four digits, None
        stays empty. Texts that are numbers count as numbers.
    caption : str
        One line above the table.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure that is copied into the page.

    Attributes
    ----------
    path : pathlib.Path
        A finished SVG or PNG.
    alt : str
        What the figure shows, for people who cannot see it.
    caption : str
        A line below it, for what is not already written in the figure.
    wide : bool
        Whether it needs the whole width of the page.
    """

    path: Path
    alt: str
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, then tables, then figures side by side where there is room."""

    heading: str
    prose: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes
    ----------
    title, lead : str
        Heading, and one paragraph that says what this is about.
    sections : sequence of Section
        In order; from four on, a list of them stands before the first.
    settings : mapping of str to str
        Printed as ``name=value`` lines at the end.
    command : str
        The command line that makes this page again.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    settings: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def cell(value: Any) -> str:
    """Write the value of a table cell for people."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return str(value)
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    number = float(value)
    return f"{number:.4g}" if abs(number) < 1000 else f"{number:,.1f}"


def write_csv(path: Path, table: Table) -> None:
    """Write the numbers of a table as CSV in UTF-8, atomically; what is not known stays empty.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[_bare(value) for value in row] for row in table.rows])
    try:
        write_text(path, text.getvalue())
    except OSError as error:
        known = of_system(error)
        raise DataError(
            f"{path} cannot be written: {error.strerror}.", known.hint if known else "Choose another folder."
        ) from error


def _bare(value: Any) -> Any:
    if value is None or value != value:
        return ""
    return f"{value:.7g}" if isinstance(value, float) else value


def render(page: Page) -> str:
    """Return a page as HTML; every text is escaped, every figure is inside.

    Raises
    ------
    DataError
        If a figure is missing or of another kind than SVG and PNG, or a row does not fit its table.
    """
    names = _anchors(page.sections)
    body = [f"<h1>{escape(page.title)}</h1>", f'<p class="lead">{escape(page.lead)}</p>']
    if len(page.sections) > 3:
        links = (f'<li><a href="#{n}">{escape(s.heading)}</a></li>' for n, s in zip(names, page.sections, strict=True))
        body.append(f'<nav aria-label="Sections"><ol>{"".join(links)}</ol></nav>')
    for name, section in zip(names, page.sections, strict=True):
        body.append(_section(name, section))
    if page.settings:
        lines = "\n".join(f"{escape(str(key))}={escape(str(value))}" for key, value in page.settings.items())
        body.append(f'<section id="settings"><h2>Settings</h2><pre>{lines}</pre></section>')
    if page.command:
        body.append(f'<section id="command"><h2>Make it again</h2><pre>{escape(page.command)}</pre></section>')
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(page.title)}</title>'
        f"<style>{STYLE}</style>"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body>\n</html>\n"
    )


def write(page: Page, path: Path) -> Path:
    """Write a page atomically and return its path."""
    write_text(path, render(page))
    return path


def _anchors(sections: Sequence[Section]) -> list[str]:
    plain = (re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-") for section in sections)
    return [f"s{number}-{name}".rstrip("-") for number, name in enumerate(plain, 1)]


def _section(name: str, section: Section) -> str:
    parts = [f"<h2>{escape(section.heading)}</h2>", *(f"<p>{escape(text)}</p>" for text in section.prose)]
    parts += [_table(table) for table in section.tables]
    if section.pictures:
        parts.append(f'<div class="figures">{"".join(map(_figure, section.pictures))}</div>')
    return f'<section id="{name}">' + "\n".join(parts) + "</section>"


def _table(table: Table) -> str:
    width = len(table.columns)
    for row in table.rows:
        if len(row) != width:
            raise DataError(f"A table of {width} columns has a row of {len(row)} cells: {row!r}.", "Correct the row.")
    numeric = [all(_is_number(row[j]) for row in table.rows) and bool(table.rows) for j in range(width)]
    kinds = [' class="number"' if number and j else "" for j, number in enumerate(numeric)]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(table.columns, kinds, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(cell(row[0]))}</th>'
        + "".join(f"<td{kind}>{escape(cell(value))}</td>" for value, kind in zip(row[1:], kinds[1:], strict=True))
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    label = escape(table.caption or "Table")
    # A table that is wider than the screen scrolls in its own box, which the keyboard reaches too.
    scroll = f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
    return f"{scroll}<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_WRITTEN.fullmatch(value))
    return value is None or (isinstance(value, numbers.Real) and not isinstance(value, bool))


def _figure(picture: Picture) -> str:
    kind = MEDIA.get(picture.path.suffix.lower())
    if kind is None:
        raise DataError(f"{picture.path.name} cannot stand in a page.", "Give an SVG or a PNG.")
    try:
        content = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    except OSError as error:
        raise DataError(f"The figure {picture.path} cannot be read: {error.strerror}.", "Draw it first.") from error
    # As an image, not as elements of the page: ids inside several SVGs would clash, and no script in one can run.
    image = f'<img src="data:{kind};base64,{content}" alt="{escape(picture.alt)}">'
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    kind = ' class="broad"' if picture.wide else ""
    return f"<figure{kind}>{image}{caption}</figure>"
