"""What faults hit: commands, when, and what must come out of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaign import numbers, points
from faults_moments import BEFORE, EXPLORE, FIT, MANY, SWEEP, Moment, files

TABLE = ("dataset=table", "dataset.path=ratings.csv", "split=random")
QUIET = ("tracking.flush_seconds=0", "early_stopping.patience=4", "figures=false")


@dataclass(frozen=True)
class Command:
    """Something that faults hit.

    Attributes
    ----------
    name : str
        For people.
    typed : tuple of str
        What follows ``mfx``.
    result : callable
        What must come out, from the folder and what was printed.
    moments : tuple of Moment
        When faults strike.
    writes, opens_store : bool
        Whether it writes anything, and whether it writes to the store.
    as_json : bool
        Whether it knows ``--json``.
    saved : mapping of str to str
        By moment, what the error must say about what was saved, as a regular expression.
    other : tuple of str
        What is typed where it runs twice at once; the same where this is empty.
    shared : bool
        Whether two of it at once do one work.
    makes : str
        A folder that it makes and never touches again.
    """

    name: str
    typed: tuple[str, ...]
    result: Callable[[Path, str], Any]
    moments: tuple[Moment, ...]
    writes: bool = True
    opens_store: bool = False
    as_json: bool = True
    saved: dict[str, str] = field(default_factory=dict)
    other: tuple[str, ...] = ()
    shared: bool = False
    makes: str = ""


def _json(pick: Callable[[dict[str, Any]], Any]) -> Callable[[Path, str], Any]:
    return lambda folder, printed: pick(json.loads(printed))


def _plain(found: dict[str, Any], *without: str) -> Any:
    return {name: value for name, value in found.items() if name not in ("seconds", "run_id", "directory", *without)}


def _means(found: dict[str, Any]) -> Any:
    return [(one["label"], numbers(one["mean"])) for one in found["groups"]], found["failures"]


def _page(folder: Path, printed: str) -> Any:
    page = Path(json.loads(printed)["page"]).read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    return re.findall(r"<h2>(.*?)</h2>", page)


def _package(folder: Path, printed: str) -> Any:
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "mfx-mine").rglob("*") if path.is_file())


ALS = ("model=als", "model.factors=6", "model.epochs=12", *TABLE, *QUIET)
COMMANDS = (
    Command(
        "mfx",
        (*ALS, "resume=true", "checkpoint_minutes=0"),
        _json(numbers),
        FIT,
        opens_store=True,
        saved={one.name: "resume=true" for one in FIT[2:]},
        other=ALS,
    ),
    Command(
        "mfx sweep",
        (
            "sweep",
            "model=als",
            "model.epochs=3",
            "sweep.random_trials=3",
            "sweep.grid_points=2",
            "sweep.max_grid=2",
            *TABLE,
            *QUIET,
        ),
        _json(points),
        SWEEP,
        opens_store=True,
        saved={one.name: "same command" for one in SWEEP[1:]},
        shared=True,
    ),
    Command(
        "mfx -m",
        ("-m", "model=bias,als", "model.epochs=3", *TABLE, *QUIET),
        _json(_means),
        MANY,
        opens_store=True,
        saved={one.name: "runs that finished are kept|1 of 2 runs" for one in MANY[1:]},
    ),
    Command("mfx explore", ("explore", *TABLE), _json(lambda found: found["summary"]), EXPLORE, opens_store=True),
    Command("mfx reproduce", ("reproduce", "one"), _json(lambda found: found["agrees"]), (BEFORE, FIT[2], FIT[3])),
    Command("mfx compare", ("compare", "one", "two"), _json(_plain), files(1, 3)),
    Command("mfx report", ("report", "one", "two"), _page, files(1, 8)),
    Command("mfx explain", ("explain", "run=one", "what=polarising", "min_ratings=1"), _json(_plain), files(1, 3)),
    Command("mfx recommend", ("recommend", "run=one", "user=1"), _json(_plain), (BEFORE,), writes=False),
    Command(
        "mfx fold",
        ("fold", "run=one", "dataset=table", "dataset.path=ratings.csv", "to=lists.csv", "k=3"),
        lambda folder, printed: (folder / "lists.csv").read_text(encoding="utf-8"),
        files(1),
    ),
    Command(
        "mfx data partition",
        ("data", "partition", "dataset=table", "dataset.path=ratings.csv", "to=parts", "parts=3"),
        lambda folder, printed: (folder / "parts" / "manifest.json").read_text(encoding="utf-8"),
        (BEFORE, *(Moment(f"part {number}", "mfx.data.parts_writer:PartsWriter.add", number) for number in (1, 3))),
        makes="parts",
    ),
    Command("mfx new plugin", ("new", "plugin", "mine"), _package, files(1, 3), as_json=False, makes="mfx-mine"),
)
