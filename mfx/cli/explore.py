"""`mfx explore ...`: a data set before any model, as figures and one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfx.cli import progress
from mfx.cli.arguments import FlagParser
from mfx.cli.list import tell_left_out

if TYPE_CHECKING:
    from mfx.analysis.explore.study import Explored

FLAGS = ("--json", "--debug", "--config-dir", "--cfg", "--help")


def main(arguments: list[str]) -> int:
    """Run ``mfx explore`` with the given arguments; return the exit status."""
    options = _parser().parse_intermixed_args(arguments)
    from mfx import compose
    from mfx.analysis.explore.plan import plan

    if options.config_dir is not None:
        compose.check_folder(Path(options.config_dir))
    made = plan(options.overrides, options.config_dir)
    tell_left_out()
    if options.cfg is not None:
        _show_config(made.config)
        return 0
    from mfx.analysis.explore import study
    from mfx.results import new_directory

    with progress.shown(made.name) as listener:
        outcome = study.execute(made, new_directory(Path("runs"), made.name), listener)
    print(json.dumps(_plain(outcome), indent=2)) if options.json else _show(outcome)
    return 0


def _parser() -> FlagParser:
    parser = FlagParser(
        prog="mfx explore",
        usage="mfx explore [dataset=NAME] [split=NAME] [explore.SETTING=VALUE ...] [options]",
        description="Show what is in a data set: figures, their numbers, and one page that needs no network.",
        epilog="Settings: explore.top=10, explore.min_ratings=50, explore.corner=50, explore.genres=5; further "
        "seed, tracking, experiment_name, run_name, tags.NAME. Example: mfx explore dataset=ml_1m split=random",
        allow_abbrev=False,
    )
    parser.flags = FLAGS
    parser.add_argument("overrides", nargs="*", metavar="NAME=VALUE", help="choices and settings, as for a run")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON, and nothing else")
    parser.add_argument("--cfg", choices=("job",), help="show the configuration and do nothing")
    parser.add_argument("--config-dir", metavar="DIR", help="find presets in DIR too")
    return parser


def _show_config(config: dict[str, Any]) -> None:
    from omegaconf import OmegaConf

    from mfx.errors import mask

    print(mask(OmegaConf.to_yaml(OmegaConf.create(config))), end="")


def _plain(outcome: Explored) -> dict[str, Any]:
    return {
        "summary": outcome.summary,
        "seconds": {n.partition("/")[2]: v for n, v in outcome.metrics.items() if n.startswith("seconds/")},
        "page": str(outcome.page),
        "directory": str(outcome.directory),
        "run_id": outcome.run_id,
    }


def _show(outcome: Explored) -> None:
    facts = outcome.summary
    print(
        f"{facts['ratings']:,} ratings of {facts['items']:,} items by {facts['users']:,} users: "
        f"density {100 * facts['density']:.3f} %, mean rating {facts['mean_rating']:.3f}"
    )
    for side in ("user", "item"):
        least, middle, most = (facts[f"per_{side}_{name}"] for name in ("min", "median", "max"))
        print(f"Ratings per {side}: {least:,} to {most:,}, median {middle:,g}")
    if "first_date" in facts:
        print(f"From {facts['first_date']} to {facts['last_date']}")
    spent = ((n.partition("/")[2], v) for n, v in outcome.metrics.items() if n.startswith("seconds/"))
    print("Seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in spent))
    print(f"Page:    {outcome.page}")
    print(f"Files:   {outcome.directory}")
    print(f"Tracked: {outcome.where}")
