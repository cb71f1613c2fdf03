"""`mfx fold`: the best items for many new users at once, from a data set of their ratings."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mfx.cli import arguments as args
from mfx.cli.arguments import FlagParser, Option
from mfx.cli.recommend import MIN_RATINGS, tell_left_out
from mfx.compose import ConfigError

if TYPE_CHECKING:
    import pandas as pd

COMMAND = "mfx fold"
SUFFIXES = (".csv", ".parquet")
OPTIONS = {
    "run": Option("The run: 'last', its folder, id or name, or 'best of STUDY'.", required=True),
    "to": Option("File of the lists: .csv or .parquet with user_id, item_id, score and rank.", required=True),
    "dataset": Option("Ratings of the new users: any data set, with its settings, such as table.", required=True),
    "engine": Option("Where users are folded in, with its settings: local or ray.", str, "local"),
    "k": Option("Length of the lists.", int, 10),
    "bias_weight": Option("Weight of the item bias in the order; below 1 the lists are more personal.", float, 1.0),
    "min_ratings": MIN_RATINGS,
    "unknown_items": Option("Ratings of items that the model does not know: refuse or drop.", str, "refuse"),
}
EXAMPLES = (
    "mfx fold run=last dataset=table dataset.path=new_users.csv to=lists.csv",
    "mfx fold run=last dataset=partitioned dataset.path=parts to=lists.parquet engine=ray engine.workers=2",
)
COMPOSED = ("dataset", "engine")
FLAGS = {"--config-dir DIR": "Find presets in DIR too."}


def main(arguments: list[str]) -> int:
    """Write the lists; return the exit status."""
    if args.wants_help(arguments):
        what = "the best items for many new users; what they rated is left out."
        args.print_help(COMMAND, what, OPTIONS, EXAMPLES, flags=FLAGS)
        return 0
    parser = FlagParser(prog=COMMAND, add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir")
    flags, words = parser.parse_known_args(arguments)
    settings = [one for one in words if one.startswith(tuple(f"{name}." for name in COMPOSED))]
    given = args.parse(COMMAND, OPTIONS, [one for one in words if one not in settings])
    to, unknown = Path(given["to"]).expanduser().absolute(), given["unknown_items"]
    if to.suffix not in SUFFIXES:
        raise ConfigError(f"{COMMAND}: to={given['to']} is neither a .csv nor a .parquet file.", "Name one.")
    if unknown not in ("refuse", "drop"):
        raise ConfigError(f"{COMMAND}: unknown_items={unknown} is neither refuse nor drop.")

    from mfx import compose
    from mfx.analysis.advice import Adviser, check_length, check_min_ratings
    from mfx.analysis.runs import find
    from mfx.errors import ModelError
    from mfx.models.bulk import Wanted, known_items
    from mfx.models.factors import FactorModel
    from mfx.models.lists import list_frame

    with _told(to):
        to.parent.mkdir(parents=True, exist_ok=True)
    check_length(given["k"])
    check_min_ratings(given["min_ratings"])
    run = find(given["run"])
    model = run.model
    if not isinstance(model, FactorModel):
        raise ModelError(f"{model.name} has no rows of users to fold in.", "Try als, bias, bpr or genre_als.")
    chosen = [*(f"{name}={given[name]}" for name in COMPOSED), *settings]
    plan = compose.build(compose.compose(chosen, flags.config_dir))
    k, bias_weight = model.checked_list(given["k"], given["bias_weight"])
    min_ratings = Adviser(model).min_ratings(given["min_ratings"])
    wanted = Wanted(k, bias_weight, model.allowed_items(min_ratings, None))
    began = time.perf_counter()
    with plan.engine.working():
        ratings = plan.engine.load(plan.dataset)
        catalogue = ratings.catalogue
        index = known_items(model, catalogue.item_ids, ratings.item_counts, drop=unknown == "drop")
        folded = plan.engine.fold_in(model, ratings, index, wanted)
    frame = list_frame(model.catalogue_, folded.items, folded.scores, user_ids=catalogue.user_ids)
    _write(frame, to)
    left_out = int((model.seen_.item_counts < min_ratings).sum())
    told = {
        "run": run.shown,
        "users": ratings.n_users,
        "ratings": len(ratings),
        "dropped": int(ratings.item_counts[index < 0].sum()),
        "min_ratings": min_ratings,
        "left_out": left_out,
        "seconds": round(time.perf_counter() - began, 3),
        "file": str(to),
    }
    if given.as_json:
        print(json.dumps(told, indent=2))
    else:
        dropped = f" ({told['dropped']:,} of items that the model does not know left out)" if told["dropped"] else ""
        print(f"{told['users']:,} new users from {told['ratings']:,} ratings{dropped} · {run.caption}")
        tell_left_out(min_ratings, left_out)
        print(f"{len(frame):,} lines in {told['seconds']:.1f} s: {to}")
    return 0


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one line why a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{COMMAND}: to={path} cannot be written: {error.strerror}.", "Make room, or choose another: to=FILE."
        ) from error


def _write(frame: pd.DataFrame, path: Path) -> None:
    from mfx.files import atomic_file

    with _told(path), atomic_file(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)
