"""`mfx data partition ...`: a data set in parts, for fits on more than one machine."""

from __future__ import annotations

import json
from pathlib import Path

from mfx.cli.arguments import FlagParser
from mfx.compose import ConfigError

FLAGS = ("--json", "--debug", "--config-dir", "--help")


def main(arguments: list[str]) -> int:
    """Run ``mfx data`` with the given arguments; return the exit status."""
    options = _parser().parse_intermixed_args(arguments)
    if options.what != "partition":
        raise ConfigError(f"mfx data does not know '{options.what}'.", "Write mfx data partition to=DIR.")
    own = dict(one.split("=", 1) for one in options.settings if one.startswith(("to=", "parts=")))
    overrides = [one for one in options.settings if not one.startswith(("to=", "parts="))]
    if not own.get("to"):
        raise ConfigError("mfx data partition needs a folder to write to.", "Write to=DIR.")
    text = own.get("parts", "16")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigError(f"mfx data partition: parts={text} is not a whole number from 1.")
    from mfx import compose
    from mfx.cli import progress
    from mfx.data.streaming import partition_dataset

    folder = Path(own["to"]).expanduser().absolute()
    plan = compose.build(compose.compose(overrides, options.config_dir))
    with progress.shown("partition") as bar:
        parts = partition_dataset(plan.dataset, folder, int(text), bar.step if bar else lambda *_: None)
    told = {
        "ratings": parts.n_ratings,
        "users": parts.empty.n_users,
        "items": parts.empty.n_items,
        "parts": len(parts),
    }
    if options.json:
        print(json.dumps({**told, "folder": str(folder)}, indent=2))
    else:
        print(f"{parts.n_ratings:,} ratings of {parts.empty.n_users:,} users in {len(parts)} parts: {folder}")
        print(f"Fit on them: mfx dataset=partitioned dataset.path={folder} engine=ray")
    return 0


def _parser() -> FlagParser:
    parser = FlagParser(
        prog="mfx data",
        usage="mfx data partition [dataset=NAME] [dataset.SETTING=VALUE ...] to=DIR [parts=16] [options]",
        description="Write a data set in parts, each a Parquet file with all ratings of some users. Those of files go "
        "to their parts piece by piece, so that nothing holds all of them.",
        epilog="Example: mfx data partition dataset=ml_32m to=parts_of_ml_32m parts=32",
        allow_abbrev=False,
    )
    parser.flags = FLAGS
    parser.add_argument("what", metavar="partition", help="what to do")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="the data set, and where its parts go")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON, and nothing else")
    parser.add_argument("--config-dir", metavar="DIR", help="find presets in DIR too")
    return parser
