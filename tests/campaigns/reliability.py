"""RELIABILITY.md: what is promised, how each promise is tested, and the figures of the last campaigns.

    python tests/campaigns/reliability.py

writes it from ``results/*.json``, which the campaigns (`fuzz.py`, `kill.py`, `faults.py`, `load.py`, `mutants.py`)
leave. A promise without a test or a figure is not in it.
"""

from __future__ import annotations

import json
from typing import Any

import claims
import faults_and_load
import page_of_mutants
from campaign import REPOSITORY, RESULTS, when

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
        "A full disk, a read-only folder, a store that is locked, deleted or damaged, a machine that dies between two "
        "files or a clock that goes back damages no file, loses no finished trial or run, is told in one line, and the "
        "same command comes to the right numbers afterwards. Commands may share a store at once.",
        "`python tests/campaigns/faults.py`; what it found is held by `tests/test_files.py`, "
        "`tests/tracking/test_mlflow_tracker.py`, `tests/test_checkpoint.py` and `tests/sweep`",
    ),
    (
        "Eight processes that log at once to one SQLite store lose nothing, and a sweep of 500 trials leaks neither "
        "memory nor open files.",
        "`python tests/campaigns/load.py`",
    ),
    (
        "Bad input ends in a one-line error or in a right result.",
        "`python tests/campaigns/fuzz.py`; a small share, `tests/campaigns/test_fuzz.py`, with the other tests",
    ),
    (
        "A data set whose files were replaced or rewritten (also at equal size and time of modification), or whose "
        "code changed, is read again and not taken from the cache.",
        "`tests/data/test_cache.py`; surface `replaced` of the fuzzing campaign",
    ),
    (
        "Nothing is unpickled or evaluated, and arrays of a saved model are checked to fit together before a kernel "
        "sees them.",
        "`tests/test_security.py` reads the source; surface `models` of the fuzzing campaign; "
        "`tests/models/test_recommender.py`",
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
        "`mfx compare` claims a difference between equal models in at most 1 of 20 comparisons on all of test, and in "
        "at most 1 of 20 on slices, with one fit of each or several.",
        "`python tests/campaigns/claims.py`, which gives the power too; `tests/campaigns/test_claims.py`",
    ),
    (
        "Tests of solver, splits and metrics notice when their code is changed.",
        "`python tests/campaigns/mutants.py`",
    ),
    (
        "Passwords and tokens of addresses are in no error, no file of a run or a sweep, and no run of the store.",
        "surface `config` of the fuzzing campaign; `tests/tracking/test_store.py`, `tests/tracking/"
        "test_mlflow_tracker.py`, `tests/cli/test_cli.py`, `tests/sweep/test_sweep.py`",
    ),
    (
        "Servers are for this machine only unless told otherwise, and say so; downloads are checked against a "
        "checksum, and refused without one unless told otherwise; nothing of an archive lands outside of its folder.",
        "`tests/cli/test_ui.py`, `tests/cli/test_serve.py`, `tests/data/test_download.py`, "
        "`tests/data/test_presets.py`; surfaces `zip` and `checksum` of the fuzzing campaign",
    ),
    (
        "Known vulnerabilities of what is installed are told, and break the build where MFX can mend them.",
        "`.ci/audit.py`, which `.ci/run` calls; `tests/test_audit.py`",
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
                lines.append(f"| {one['what']} | FAILED | | | {when(one)}: {one['failed'].replace('|', ' ')} |")
                continue
            ends = [one["ends"].get(end, 0) for end in ("refused", "right")]
            lines.append(f"| {one['what']} | {one['inputs']:,} | {ends[0]:,} | {ends[1]:,} | {when(one)} |")
        lines.append("")
    if kill := results.get("kill", {}).get("kill"):
        shares = ", ".join(f"{count} of {kind}s" for kind, count in sorted(kill["kills"].items()))
        moments = "; ".join(f"{count} {moment}" for moment, count in sorted(kill["moments"].items()))
        lines += ["## Kills", "", f"{kill['total']} SIGKILLs at random moments ({shares}), {when(kill)}.", ""]
        lines += [
            f"Lost: {len(kill['lost'])}. {sum(kill['commands'].values())} commands went on to the numbers of one that "
            "was not killed; SQLite's integrity check passed after every kill.",
            "",
            f"Fits and evaluations were killed: {moments}.",
            "",
        ]
    if fits := results.get("kill", {}).get("fits"):
        shares = ", ".join(f"{count} of `{model}`" for model, count in sorted(fits["kills"].items()))
        moments = "; ".join(f"{count} {moment}" for moment, count in sorted(fits["moments"].items()))
        lines += [
            f"Aimed at the middle of fits (`aim=fit`): {fits['total']} SIGKILLs ({shares}; {moments}), {when(fits)}. "
            f"Lost: {len(fits['lost'])}. {sum(fits['commands'].values())} commands went on to the numbers of one that "
            "was not killed.",
            "",
        ]
    lines += faults_and_load.faults(results.get("faults", {})) + faults_and_load.load(results.get("load", {}))
    lines += claims.lines(results.get("claims", {})) + page_of_mutants.mutants(results.get("mutants", {}))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    (REPOSITORY / "RELIABILITY.md").write_text(page(found), encoding="utf-8")
    print(page(found), end="")
