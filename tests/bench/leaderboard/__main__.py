"""MFX's models and their peers, tuned alike, on the same rows: `python tests/bench/leaderboard`.

    pip install -e ".[demo,bench]"
    python tests/bench/leaderboard [--splits random,temporal] [--models als,cmfrec] [--data "dataset=ml_1m"] ...

cmfrec and implicit are compiled, the others come as wheels for common machines. Where there is half of CUDA only,
`CUDACXX=/nonexistent CMAKE_ARGS="-DCMAKE_CUDA_COMPILER=NOTFOUND"` lets implicit be compiled without it.

Splits are the files `conf/experiment/leaderboard_*.yaml`: their data set, split, draws (folds or seeds), metrics and
models of MFX; peers that predict the same join in. On each draw each contestant gets the same minutes of processor time
(`--minutes`) on one thread to try its defaults, and then what Optuna's TPE suggests of its search ranges (those of
`mfx list model`, and of `peers.py` for peers), on train and valid. The best settings are fitted on train and valid, and
test is scored once, by MFX's evaluation for all. Fits that tell of their epochs are stopped on valid; where a peer's do
not, the number of epochs is searched. Ratings predicted are clipped to the scale for all.

Every contest runs in a process of its own, `--workers` of them at a time, and is kept in `results.json` as soon as it
is over; after an interruption `--missing` goes on. The README's tables are written from that file; `--table` does only
that. Peers that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import contestants
import table
from filelock import FileLock

from mfx.files import write_text

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
README = HERE.parents[2] / "README.md"
SPLITS = ("random", "temporal", "global_temporal", "cold_items", "ranking")
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Contest:
    """One contestant on one draw of one split."""

    data: str
    split: str
    draw: str
    contestant: contestants.Contestant
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Sweep:
    """What the experiment of a split says.

    Attributes
    ----------
    data : str
        The data set, as results call it.
    models : list of str
        MFX's own.
    draws : list of str
        Overrides, one for each fold or seed.
    predicts : {"ratings", "ranking"}
        What these models do, and so the peers that join.
    """

    data: str
    models: list[str]
    draws: list[str]
    predicts: str


def sweep_of(split: str, data: list[str]) -> Sweep:
    """Read the experiment of a split."""
    import hydra

    from mfx import compose, registry

    choices = [f"experiment=leaderboard_{split}", *data]
    with compose.nothing_left_behind(), compose.explained():
        compose.fill_store()
        with hydra.initialize_config_dir(str(compose.conf_dir()), **compose.hydra_base()):
            whole = hydra.compose("config", overrides=choices, return_hydra_config=True)
    params = dict(whole.hydra.sweeper.params)
    models = str(params.pop("model")).split(",")
    ((key, values),) = params.items()
    draws = [f"{key}={value}" for value in str(values).split(",")]
    predicts = registry.get("model", models[-1]).component.predicts
    return Sweep(str(whole.dataset.get("label") or whole.dataset.name), models, draws, predicts)


def contests(
    splits: list[str], data: list[str], wanted: list[contestants.Contestant], most_draws: int | None
) -> list[Contest]:
    """List who competes on what: the first draw of every split, then the second, and so on."""
    from mfx import registry

    planned: list[tuple[int, Contest]] = []
    for split in splits:
        sweep = sweep_of(split, data)
        for number, draw in enumerate(sweep.draws[:most_draws]):
            for one in wanted:
                kind = registry.get("model", one.model).component.predicts
                if one.model in sweep.models or (one.module is not None and kind == sweep.predicts):
                    choices = (f"experiment=leaderboard_{split}", f"model={one.model}", draw, *data)
                    planned.append((number, Contest(sweep.data, split, draw, one, choices)))
    return [contest for _, contest in sorted(planned, key=lambda pair: pair[0])]


def is_kept(results: dict[str, Any], contest: Contest, minutes: float) -> bool:
    """Say whether the results hold this contest already, with as much time."""
    draws = results.get(contest.data, {}).get("splits", {}).get(contest.split, {})
    record = draws.get(contest.draw, {}).get(contest.contestant.label)
    return record is not None and (record["minutes"] == minutes or not record["tuned"])


def carry_out(contest: Contest, minutes: float) -> dict[str, Any]:
    """Run a contest in a process of its own."""
    one = contest.contestant
    settings = {"choices": contest.choices, "settings": one.settings, "tuned": one.tuned, "minutes": minutes}
    command = [sys.executable, str(HERE / "contest.py"), json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **ONE_THREAD})
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def keep(results: dict[str, Any], contest: Contest, found: dict[str, Any], left_out: dict[str, str]) -> None:
    """Put what was found among the results, with what it ran on.

    Raises
    ------
    SystemExit
        If the contestants of a draw did not get the same rows.
    """
    kept = results.setdefault(found["data"], {"splits": {}, "versions": {}})
    kept |= {"ratings": found["ratings"], "cpu": cpu(), "python": platform.python_version(), "left_out": left_out}
    for package in ("mfx", "numpy", "numba", contest.contestant.package):
        if package is not None:
            kept["versions"][package] = version(package)
    drawn = kept["splits"].setdefault(contest.split, {}).setdefault(contest.draw, {})
    record = {key: value for key, value in found.items() if key not in ("data", "ratings")}
    strangers = [label for label, other in drawn.items() if other["split"] != record["split"]]
    if strangers:
        raise SystemExit(
            f"leaderboard: {contest.contestant.label} and {strangers[0]} did not get the same rows of "
            f"{contest.split}, {contest.draw}. The data or the split have changed: remove {RESULTS.name} and run anew."
        )
    drawn[contest.contestant.label] = record


def cpu() -> str:
    """Name the processor."""
    about = Path("/proc/cpuinfo")
    told = about.read_text().splitlines() if about.exists() else []
    names = [line.split(":")[1].strip() for line in told if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def read() -> dict[str, Any]:
    """Return what was kept so far."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def run(arguments: argparse.Namespace) -> int:
    """Carry out the contests and keep each result; return how many failed."""
    import peers  # noqa: F401  registers them

    wanted = contestants.named(arguments.models) if arguments.models else list(contestants.CONTESTANTS)
    left_out = contestants.missing(contestants.CONTESTANTS)
    for label, reason in left_out.items():
        print(f"leaderboard: {label} is left out: {reason}.", file=sys.stderr)
    wanted = [one for one in wanted if one.label not in left_out]
    planned = contests(arguments.splits, arguments.data, wanted, arguments.draws)
    if arguments.missing:
        planned = [one for one in planned if not is_kept(read(), one, arguments.minutes)]
    lock, failures = FileLock(Path(tempfile.gettempdir()) / "mfx_leaderboard.lock"), []

    def one(number: int, contest: Contest) -> None:
        where = f"[{number}/{len(planned)}] {contest.split}, {contest.draw}, {contest.contestant.label}"
        try:
            found = carry_out(contest, arguments.minutes)
        except RuntimeError as error:
            failures.append(where)
            print(f"{where}: failed: {error}", file=sys.stderr, flush=True)
            return
        with lock:  # another command may have kept something since
            results = read()
            keep(results, contest, found, left_out)
            write_text(RESULTS, json.dumps(results, indent=1) + "\n")
        told = ", ".join(f"{name} {value:.4f}" for name, value in found["test"].items())
        print(f"{where}: {told}; {found['trials']} trials, {json.dumps(found['settings'])}", flush=True)

    with ThreadPoolExecutor(arguments.workers) as pool:
        jobs = [pool.submit(one, number, contest) for number, contest in enumerate(planned, 1)]
        for job in jobs:
            job.result()
    return len(failures)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python tests/bench/leaderboard", description=(__doc__ or "").splitlines()[0])
    names = lambda text: [name.strip() for name in text.split(",")]  # noqa: E731
    parser.add_argument("--splits", type=names, default=list(SPLITS), help="by default " + ",".join(SPLITS))
    parser.add_argument("--models", type=names, help="some of the contestants; by default all")
    parser.add_argument("--data", type=shlex.split, default=[], help="choices of mfx in place of the experiments' data")
    parser.add_argument("--minutes", type=float, default=0.5, help="of processor time for tuning; by default 0.5")
    parser.add_argument("--draws", type=int, help="only the first so many folds or seeds")
    parser.add_argument("--workers", type=int, default=1, help="contests at a time; by default 1")
    parser.add_argument("--missing", action="store_true", help="only contests that results.json has not")
    parser.add_argument("--table", action="store_true", help="write the README's tables from results.json, no more")
    arguments = parser.parse_args()
    failed = 0 if arguments.table else run(arguments)
    results = read()
    labels = [one.label for one in contestants.CONTESTANTS]
    write_text(README, table.into(README.read_text(encoding="utf-8"), results, labels))
    print("\n".join(table.lines(results, labels)))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
