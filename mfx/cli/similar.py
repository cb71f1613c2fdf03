"""`mfx similar`: the items most like one, by the direction of their factors."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mfx.analysis.advice import Adviser
from mfx.analysis.runs import find
from mfx.cli import arguments as args
from mfx.cli.arguments import Option
from mfx.cli.lists import show_items
from mfx.cli.recommend import GENRE, MIN_RATINGS, RUN, K, tell_left_out

COMMAND = "mfx similar"
OPTIONS: Mapping[str, Option] = {
    "run": RUN,
    "item": Option("The item: its title, or id:RAW.", required=True),
    "k": K,
    "min_ratings": MIN_RATINGS,
    "genre": GENRE,
}
EXAMPLES = ("mfx similar run=last item='The Matrix' min_ratings=20", "mfx similar run=last item=id:2571 k=5 --json")


def main(arguments: list[str]) -> int:
    """Print the list; return the exit status."""
    if args.wants_help(arguments):
        args.print_help(COMMAND, "the items most like one (cosine of their factors).", OPTIONS, EXAMPLES)
        return 0
    given = args.parse(COMMAND, OPTIONS, arguments)
    run = find(given["run"])
    adviser = Adviser(run.model)
    match, answer = adviser.similar(given["item"], given["k"], min_ratings=given["min_ratings"], genre=given["genre"])
    item_id, title = adviser.catalogue.item_ids.item(match.index), adviser.title_of(match.index)
    if given.as_json:
        about = {"run": run.shown, "run_id": run.run_id, "item_id": item_id, "title": title, "exact": match.exact}
        listed = answer.as_json()
        print(json.dumps({**about, **{key: listed[key] for key in ("min_ratings", "left_out", "items")}}, indent=2))
        return 0
    how = "" if match.exact else "  (not the whole title: is this the one?)"
    print(f"{match.text} → {adviser.titles.label(match.index)}{how}")
    show_items(answer.items, f"Most like it · {run.caption}", score="cosine")
    tell_left_out(answer.min_ratings, answer.left_out)
    return 0
