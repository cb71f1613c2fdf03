"""`mfx explain`: why these items, what a new item would get, which items divide people, where genres lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mfx.analysis import explain
from mfx.analysis.advice import Request
from mfx.analysis.explain import Explanation
from mfx.analysis.runs import FinishedRun, find
from mfx.cli import arguments as args
from mfx.cli.arguments import Given, Option
from mfx.cli.lists import show_table
from mfx.cli.recommend import BIAS_WEIGHT, RATINGS, RUN, USER, K, tell_taken
from mfx.compose import ConfigError
from mfx.errors import did_you_mean

COMMAND = "mfx explain"
USES = {
    "scores": ("user", "ratings", "k", "bias_weight", "min_ratings"),
    "new_item": ("user", "ratings", "genres"),
    "polarising": ("k", "min_ratings"),
    "genre_map": ("seed",),
}
"""What can be explained, and the options of each."""

OPTIONS: Mapping[str, Option] = {
    "run": RUN,
    "what": Option(f"{', '.join(USES)}; by default what the other options suggest."),
    "user": USER,
    "ratings": RATINGS,
    "genres": Option("Genres of a new item without ratings, such as 'Sci-Fi|Action' (what=new_item)."),
    "k": K,
    "bias_weight": BIAS_WEIGHT,
    "min_ratings": Option(
        f"Only items with at least so many ratings; by default as for mfx recommend (what=polarising: "
        f"{explain.POLARISING_MIN}).",
        int,
    ),
    "seed": Option("Seed of t-SNE (what=genre_map).", int, 1),
}
EXAMPLES = (
    "mfx explain run=last user=1                            # the parts of each score of the list",
    "mfx explain run=last user=1 genres='Sci-Fi|Action'     # a new film, known by its genres only (genre_als)",
    "mfx explain run=last ratings='Alien (1979)=5; Aliens=5' k=5",
    "mfx explain run=last                                   # polarising items, and a map of genres",
)


def main(arguments: list[str]) -> int:
    """Explain, and write tables and figures into the run's folder; return the exit status."""
    if args.wants_help(arguments):
        args.print_help(COMMAND, "why a model says what it says, as tables, pictures and CSV.", OPTIONS, EXAMPLES)
        return 0
    given = args.parse(COMMAND, OPTIONS, arguments)
    chosen = _chosen(given)
    request = _request(given) if {"scores", "new_item"} & set(chosen) else None
    run = find(given["run"])
    made = {what: _explained(what, run, given, request) for what in chosen}
    files = {what: [str(path) for path in one.write(run)] for what, one in made.items()}
    if given.as_json:
        told = {what: {**one.facts, "rows": one.rows, "files": files[what]} for what, one in made.items()}
        print(json.dumps({"run": run.shown, "run_id": run.run_id, **told}, indent=2))
        return 0
    for what, one in made.items():
        _show(one)
        print("Files:   " + "\n         ".join(path for path in files[what] if not path.endswith(".svg")))
        print("         and the figures as SVG")
    return 0


def _chosen(given: Given) -> list[str]:
    """Decide what to explain, and refuse options that it has no use for."""
    typed = given.typed - {"run", "what"}
    if given["what"] is not None:
        if given["what"] not in USES:
            raise ConfigError(f"mfx explain cannot explain '{given['what']}'.", did_you_mean(given["what"], USES))
        chosen = [given["what"]]
    elif "genres" in typed:
        chosen = ["new_item"]
    elif typed & {"user", "ratings", "bias_weight"}:
        chosen = ["scores"]
    else:
        chosen = ["polarising", "genre_map"]
    useless = sorted(typed - {option for what in chosen for option in USES[what]})
    if useless:
        known = ", ".join(dict.fromkeys(option for what in chosen for option in USES[what]))
        raise ConfigError(f"mfx explain what={chosen[0]} has no use for {useless[0]}=.", f"It takes run, {known}.")
    if chosen == ["new_item"] and "genres" not in typed:
        raise ConfigError("mfx explain what=new_item needs genres=.", "Write genres='Sci-Fi|Action'.")
    return chosen


def _request(given: Given) -> Request:
    return Request(
        user=given["user"],
        ratings=given["ratings"],
        k=given["k"],
        bias_weight=given["bias_weight"],
        min_ratings=given["min_ratings"],
    )


def _explained(what: str, run: FinishedRun, given: Given, request: Request | None) -> Explanation:
    if what == "polarising":
        least = explain.POLARISING_MIN if given["min_ratings"] is None else given["min_ratings"]
        return explain.polarising(run, given["k"], least)
    if what == "genre_map":
        return explain.genre_map(run, given["seed"])
    assert request is not None
    return explain.scores(run, request) if what == "scores" else explain.new_item(run, request, given["genres"])


def _show(one: Explanation) -> None:
    tell_taken(one.taken)
    columns = [(name.replace("_", " "), not isinstance(value, str)) for name, value in one.rows[0].items()]
    show_table(one.title, columns, [[_text(value) for value in row.values()] for row in one.rows])


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
