"""An exploration from reading to the page: numbers, figures, files, and a run in the tracker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfx import compose
from mfx.analysis.explore import chapters, counts, liked, spread
from mfx.analysis.explore.chapters import Context
from mfx.analysis.explore.exhibits import Chapter, Exhibit
from mfx.analysis.explore.plan import CHOICES, GROUP, ExplorePlan, plan
from mfx.analysis.explore.spread import PartCounts
from mfx.analysis.page import Page, Picture, Section, write, write_csv
from mfx.errors import mask
from mfx.experiment import Listener, announcing
from mfx.interfaces import DataInfo, Ratings, RunInfo, Split
from mfx.results import EXPLORATION, FIGURES, METRICS_FILE, new_directory, write_config, write_json
from mfx.split.checks import divide
from mfx.tracking import environment
from mfx.tracking.background import BackgroundRun, opened
from mfx.tracking.stages import StageClock

TAG = "explore"
"""Tag of explorations in the tracker; its value is "true"."""


@dataclass(frozen=True)
class Explored:
    """What came out of an exploration.

    Attributes
    ----------
    summary : dict
        Facts by name, of `mfx.analysis.explore.counts.summary`.
    metrics : dict of str to float
        What was recorded: ``data/...``, ``seconds/...``, ``peak_mb/...``.
    page, directory : pathlib.Path
        The page, and the folder with it, the figures and their numbers.
    run_id, where : str
        The run in the tracker, and one line that says where it is shown.
    """

    summary: dict[str, Any]
    metrics: dict[str, float]
    page: Path
    directory: Path
    run_id: str
    where: str


def run(*overrides: str, config_dir: str | Path | None = None) -> Explored:
    """Explore a data set, composed as on the command line, with its folder in ``runs/`` of the current folder.

    Raises
    ------
    MFXError
        In one line, what was wrong and what to do.
    """
    made = plan(overrides, config_dir)
    return execute(made, new_directory(Path("runs"), made.name))


def execute(made: ExplorePlan, directory: Path, listener: Listener | None = None) -> Explored:
    """Carry out an exploration.

    Parameters
    ----------
    made : ExplorePlan
        Components and settings, checked.
    directory : pathlib.Path
        The run's own folder; it exists.
    listener : Listener, optional
        Told about stages.
    """
    clock = StageClock(announcing(listener))
    write_config(directory, made.config)
    flat = compose.flatten({name: made.config[name] for name in (*CHOICES, GROUP, "seed")})
    tags = environment.facts() | {TAG: "true"} | made.config["tags"]
    info = RunInfo(made.config["experiment_name"], made.name, flat, tags, None, directory)
    with opened(made.tracker, info) as tracked:
        with clock.stage("read"):
            ratings = made.dataset.load()
            facts = counts.summary(ratings)
            _describe(made, ratings, tracked)
        with clock.stage("split"):
            rule, parts = _parts(divide(made.splitter, ratings), tracked)
        with clock.stage("count"):
            context = Context(ratings, made.settings, _about(ratings, facts), facts)
            shown = _chapters(context, made.config["split"]["name"], rule, parts)
        with clock.stage("draw"):
            sections = [_section(chapter, directory / FIGURES) for chapter in shown]
            page = write(_page(made, context, sections, flat), directory / EXPLORATION)
        metrics = {f"data/{name}": float(value) for name, value in facts.items() if not isinstance(value, str)}
        metrics |= clock.metrics()
        write_json(directory / METRICS_FILE, metrics)
        tracked.log_metrics(metrics)
        tracked.log_folder(directory)
    return Explored(facts, metrics, page, directory, tracked.run_id, tracked.where())


def _describe(made: ExplorePlan, ratings: Ratings, tracked: BackgroundRun) -> None:
    about = made.dataset.describe() if hasattr(made.dataset, "describe") else {}
    profile = {"ratings": float(len(ratings)), "users": float(ratings.n_users), "items": float(ratings.n_items)}
    source = about.get("source", f"dataset={made.config['dataset']['name']}")
    tracked.log_data(DataInfo(ratings.name, ratings.fingerprint, source, profile))
    tracked.set_tags({f"data.{fact}": text for fact, text in about.items()})
    tracked.set_tags({"data_fingerprint": ratings.fingerprint})


def _parts(split: Split, tracked: BackgroundRun) -> tuple[str, dict[str, PartCounts]]:
    """Keep of a split what is shown: the counts, not the ratings."""
    tracked.set_tags({"split_fingerprint": split.fingerprint, "split_rule": split.rule})
    parts = {"train": split.train, "valid": split.valid, "test": split.test}
    return split.rule, {name: PartCounts(part.user_counts, part.item_counts) for name, part in parts.items()}


def _about(ratings: Ratings, facts: dict[str, Any]) -> str:
    return f"{ratings.name}: {facts['ratings']:,} ratings of {facts['items']:,} items by {facts['users']:,} users."


def _chapters(context: Context, split: str, rule: str, parts: dict[str, PartCounts]) -> list[Chapter]:
    means = counts.item_means(context.ratings)
    return [
        chapters.overview(context),
        chapters.distribution(context),
        chapters.most(context),
        spread.whole(context),
        spread.parts(context, split, rule, parts),
        liked.popularity(context, means),
        chapters.time(context),
        liked.corner(context),
        liked.densities(context, means),
        liked.genres(context),
        liked.best(context, means),
        chapters.memory(context),
    ]


def _section(chapter: Chapter, folder: Path) -> Section:
    """Write the files of a chapter and turn it into a section of the page."""
    pictures = [picture for one in chapter.exhibits if (picture := _written(one, folder)) is not None]
    return Section(chapter.heading, chapter.prose, chapter.tables, pictures)


def _written(exhibit: Exhibit, folder: Path) -> Picture | None:
    from mfx.figures.style import save_both

    for suffix, table in {"": exhibit.numbers, **exhibit.more}.items():
        write_csv(folder / f"{exhibit.name}{'_' if suffix else ''}{suffix}.csv", table)
    if exhibit.draw is None:
        return None
    return Picture(save_both(exhibit.draw(), folder / exhibit.name)[1], exhibit.alt, wide=exhibit.wide)


def _page(made: ExplorePlan, context: Context, sections: Sequence[Section], flat: dict[str, str]) -> Page:
    facts = context.facts
    when = f", {facts['first_date'][:4]} to {facts['last_date'][:4]}" if "first_date" in facts else ""
    lead = (
        f"{context.about[:-1]}{when}. What is in this data set before any model sees it, and what the "
        f"{made.config['split']['name']} split makes of it. The numbers behind every figure lie beside this page, in "
        f"{FIGURES}/."
    )
    settings = {name: mask(text) for name, text in flat.items() if not name.startswith("tracking.")}
    return Page(f"{context.ratings.name}: the data", lead, sections, settings, mask(made.command))
