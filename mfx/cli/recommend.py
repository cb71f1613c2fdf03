"""`mfx recommend`: the best items for a known user, or for somebody new who rates a few."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mfx.analysis.advice import Adviser, Request
from mfx.analysis.profile import Taken
from mfx.analysis.runs import find
from mfx.cli import arguments as args
from mfx.cli.arguments import Given, Option
from mfx.cli.lists import show_items

COMMAND = "mfx recommend"
RUN = Option("The run: 'last', its folder, id or name, or 'best of STUDY'.", required=True)
USER = Option("Raw id of a user the model knows.")
RATINGS = Option("Ratings of somebody new: 'TITLE=RATING; TITLE=RATING'; id:RAW for a raw id.")
K = Option("Length of the list.", int, 10)
BIAS_WEIGHT = Option("Weight of the item bias in the order; below 1 the list is more personal.", float, 1.0)
MIN_RATINGS = Option(
    "Only items with at least so many ratings; by default 5, or 0 where the model ranks and predicts no ratings.", int
)
GENRE = Option("Only items with one of these genres, such as Sci-Fi or 'Sci-Fi|Action'.")

OPTIONS: Mapping[str, Option] = {
    "run": RUN,
    "user": USER,
    "ratings": RATINGS,
    "k": K,
    "bias_weight": BIAS_WEIGHT,
    "min_ratings": MIN_RATINGS,
    "genre": GENRE,
}
EXAMPLES = (
    "mfx recommend run=last user=1 k=10",
    "mfx recommend run=last ratings='The Matrix=5; Terminator 2=5; Blade Runner=5' bias_weight=0.05",
    "mfx recommend run=last user=1 genre='Sci-Fi|Action' min_ratings=20 --json",
)


def main(arguments: list[str]) -> int:
    """Print the list; return the exit status."""
    if args.wants_help(arguments):
        args.print_help(COMMAND, "the best items for somebody; what they rated is left out.", OPTIONS, EXAMPLES)
        return 0
    given = args.parse(COMMAND, OPTIONS, arguments)
    request = Request(**{name: value for name, value in given.values.items() if name != "run"})
    run = find(given["run"])
    adviser = Adviser(run.model)
    answer = adviser.recommend(request)
    if given.as_json:
        user = None if request.user is None else adviser.known_user(request.user)
        print(json.dumps({"run": run.shown, "run_id": run.run_id, "user": user, **answer.as_json()}, indent=2))
        return 0
    tell_taken(answer.taken)
    show_items(answer.items, f"For {whom(given)} · {run.caption}", score="score")
    tell_left_out(answer.min_ratings, answer.left_out)
    if len(answer.items) < request.k:
        print(f"Only {len(answer.items)} of {request.k}: no more items are allowed.")
    return 0


def whom(given: Given) -> str:
    """Name the user of a command for people."""
    return "somebody new" if given["user"] is None else f"user {given['user']}"


def tell_left_out(min_ratings: int, left_out: int) -> None:
    """Say how many items have too few ratings to be listed."""
    if left_out:
        print(f"Left out: {left_out:,} items with fewer than {min_ratings} ratings (min_ratings=0 lists them).")


def tell_taken(taken: list[Taken]) -> None:
    """Say which item each rating of somebody new was taken to be of."""
    for one in taken:
        how = "" if one.exact else "  (not the whole title: is this the one?)"
        print(f"{one.text} → {one.title or 'no title'} [id {one.item_id}], rated {one.rating:g}{how}")
