"""RELIABILITY.md: what is promised, how each promise is tested, and the figures of the last campaigns.

    python tests/campaigns/reliability.py

writes it from ``results/*.json``, which the campaigns (`fuzz.py`, `kill.py`) leave. A promise without a test or a
figure is not in it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from campaign import REPOSITORY, RESULTS

PROMISES = (
    (
        "A fit that is cut off goes on with `resume=true` to the numbers of one that was left alone, bit for bit.",
        "`tests/test_checkpoint.py` cuts runs off after epochs of fit and refit; a law of the contract of models, so "
        "for plugins too; `python tests/campaigns/kill.py`",
    ),
    (
        "A kill at any moment loses no finished trial or run, and damages neither files nor the store.",
        "`python tests/campaigns/kill.py`, `tests/sweep/test_killed_sweep.py`",
    ),
    (
        "Bad input ends in a one-line error or in a right result.",
        "`python tests/campaigns/fuzz.py`; a small share, `tests/campaigns/test_fuzz.py`, with the other tests",
    ),
    (
        "Nothing is unpickled, and arrays of a saved model are checked to fit together before a kernel sees them.",
        "surface `models` of the fuzzing campaign; `tests/models/test_recommender.py`",
    ),
    (
        "A run can be made again, and what changed since is told.",
        "`mfx reproduce RUN`; `tests/analysis/test_reproduce.py`",
    ),
    (
        "Extreme numbers (no penalties, ratings whose squares overflow, steps too long, more factors than ratings) "
        "end in a right result or in one line of advice, for every built-in model.",
        "`tests/test_numbers.py`",
    ),
    (
        "No kernel reads or writes outside of its arrays, and kernels agree with float64.",
        "`.ci/run` runs `tests/solver` and tests of small models with `NUMBA_BOUNDSCHECK=1`, which reaches vector code "
        "and parallel loops; `tests/solver/test_bounds.py` plants accesses outside",
    ),
    (
        "Tests of solver, splits and metrics notice when their code is changed.",
        "`python tests/campaigns/mutants.py`",
    ),
    (
        "Passwords and tokens of addresses are in no error.",
        "surface `config` of the fuzzing campaign; `tests/tracking/test_store.py`",
    ),
)


def page(results: dict[str, dict[str, Any]]) -> str:
    """Write the page as Markdown."""
    lines = ["# Reliability", "", "Written by `python tests/campaigns/reliability.py` from the last campaigns.", ""]
    lines += ["| promise | tested by |", "|---|---|", *(f"| {promise} | {test} |" for promise, test in PROMISES), ""]
    if fuzz := results.get("fuzz"):
        total = sum(one.get("inputs", 0) for one in fuzz.values())
        failed = sum("failed" in one for one in fuzz.values())
        lines += [
            "## Bad input",
            "",
            f"{total:,} generated inputs, each refused in one line or read right. Surfaces that failed: {failed}.",
            "",
        ]
        lines += ["| surface | inputs | refused | right | day, commit |", "|---|---:|---:|---:|---|"]
        for one in fuzz.values():
            if "failed" in one:
                lines.append(f"| {one['what']} | FAILED | | | {_when(one)}: {one['failed'].replace('|', ' ')} |")
                continue
            ends = [one["ends"].get(end, 0) for end in ("refused", "right")]
            lines.append(f"| {one['what']} | {one['inputs']:,} | {ends[0]:,} | {ends[1]:,} | {_when(one)} |")
        lines.append("")
    if kill := results.get("kill", {}).get("kill"):
        shares = ", ".join(f"{count} of {kind}s" for kind, count in sorted(kill["kills"].items()))
        moments = "; ".join(f"{count} {moment}" for moment, count in sorted(kill["moments"].items()))
        lines += ["## Kills", "", f"{kill['total']} SIGKILLs at random moments ({shares}), {_when(kill)}.", ""]
        lines += [
            f"Lost: {len(kill['lost'])}. {sum(kill['commands'].values())} commands went on to the numbers of one that "
            "was not killed; SQLite's integrity check passed after every kill.",
            "",
            f"Fits and evaluations were killed: {moments}.",
            "",
        ]
    if mutants := results.get("mutants"):
        lines += _mutants(mutants)
    return "\n".join(lines).rstrip() + "\n"


def _mutants(rooms: dict[str, Any]) -> list[str]:
    lines = [
        "## Mutants",
        "",
        "Small changes of the code, drawn at random; a change is killed if a test of the room fails, crashes or does "
        "not end. Equivalent ones are named with reasons in `tests/campaigns/equivalent.toml`. In brackets: 95 % "
        "interval of the share over all changes of the room.",
        "",
        "| room | changes | drawn | killed | share | equivalent | share of the others | seed, day, commit |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, one in rooms.items():
        tried, survived = sum(one["ends"].values()), one["ends"].get("survived", 0)
        killed, same = tried - survived, sum(each["equivalent"] for each in one["survivors"])
        low, high = interval(killed, tried)
        share = f"{killed / tried:.0%} ({low:.0%} to {high:.0%})"
        counts = f"{one['mutants']:,} | {tried} | {killed} | {share} | {same} | {killed / (tried - same):.0%}"
        lines.append(f"| {name} | {counts} | {one['seed']}, {_when(one)} |")
    return [*lines, ""]


def interval(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's score (Wilson 1927)."""
    z, share = 1.959964, part / whole
    middle, half = share + z * z / (2 * whole), z * math.sqrt(share * (1 - share) / whole + (z / (2 * whole)) ** 2)
    return (middle - half) / (1 + z * z / whole), (middle + half) / (1 + z * z / whole)


def _when(one: dict[str, Any]) -> str:
    return f"{one['day']}, `{one['commit']}`"


if __name__ == "__main__":
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    (REPOSITORY / "RELIABILITY.md").write_text(page(found), encoding="utf-8")
    print(page(found), end="")
