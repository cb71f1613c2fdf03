"""Seconds, transfer and memory of `engine=ray`, and what they make of billions of ratings.

    python tests/bench/beyond_one_machine.py measure [--preset ml_32m] [--models als:13 als:64 ...] [--rounds 5]
    python tests/bench/beyond_one_machine.py paper

`measure` fits each model in turn, round by round, with `engine=local` on two threads and with `engine=ray` on two
workers of one thread each, on the same ratings in the same process, and writes what it found to
`beyond_one_machine.json`, in place of what was found of these models before.
`paper` computes from those constants what larger data cost on clusters, and prints the tables of the README.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).with_suffix(".json")
EPOCHS = 4
"""A round is a fit with each engine, of which the quickest epoch after the first counts: machines are not as quick at
all times, so ratios are those of neighbours."""
STORE_GB = 1.2
MODELS = ["als:13", "als:32", "als:64", "als:128", "genre_als:13", "bpr:64"]
"""Model and number of factors."""


def compared(preset: str, model: str, factors: int, n_rounds: int) -> dict[str, Any]:
    """Fit in this process with both engines in turn; return the rounds, and the sizes of the data."""
    from mfx import compose

    data = ["dataset=synthetic", f"dataset.preset={preset}", "split=random", f"model={model}"]
    data += [f"model.factors={factors}", f"model.epochs={EPOCHS}"]
    local = compose.build(compose.compose([*data, "engine=local"]))
    ray = compose.build(compose.compose([*data, "engine=ray", "engine.workers=2", f"engine.store_gb={STORE_GB}"]))
    train = local.splitter.split(local.dataset.load()).train
    sizes = {"ratings": len(train), "users": train.n_users, "items": train.n_items}
    with ray.engine.working():
        rounds = [{"local": quickest(local, train), "ray": quickest(ray, train)} for _ in range(n_rounds)]
    return {"model": model, "factors": factors, **sizes, "rounds": rounds}


def quickest(plan: Any, train: Any) -> dict[str, float]:
    """Fit; return the seconds of the quickest epoch, and what the engine says of it."""
    epochs: list[dict[str, float]] = []
    last = time.perf_counter()

    def on_epoch(model: Any, epoch: Any) -> bool:
        nonlocal last
        epochs.append({"seconds": time.perf_counter() - last, **plan.engine.spent()})
        last = time.perf_counter()
        return False

    plan.engine.fit(plan.model, train, on_epoch)
    best = min(epochs[1:], key=lambda one: one["seconds"])
    if "seconds/epoch_compute" in best:
        there = list(workers())
        best["worker_mb"] = max(private(pid) for pid in there) / 1e6
        best["worker_peak_mb"] = max(peak(pid) for pid in there) / 1e6
    return best


def workers() -> Iterator[int]:
    """Find the processes of workers that have solved blocks."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith((b"ray::_", b"ray::IDLE")) and _root(
                int(path.name)
            ) == os.getpid():
                yield int(path.name)
        except OSError:
            continue


def _root(pid: int) -> int:
    """Return this process if it is an ancestor, else 1."""
    while pid not in (1, os.getpid()):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


def private(pid: int) -> int:
    """Return the memory that a process shares with nobody, in bytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(kb) for kb in re.findall(r"Private_\w+:\s+(\d+) kB", text))


def peak(pid: int) -> int:
    """Return the most memory that a process ever had resident, what it shares with others included, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", text)[0])


GATHERED = {"near": 100_000, "far": 4_000_000}
"""Rows of a table that a processor's cache may hold, and of one that it does not."""


def gathers(factors: int = 64, ratings: int = 4_000_000, of_row: int = 100) -> dict[str, float]:
    """Return nanoseconds a rating of row solves on one thread, by where the other side's rows are gathered from."""
    import numba
    import numpy as np

    from mfx.solver import Ridge, SparseRows, solve_rows
    from mfx.solver.packed import PackedTable

    numba.set_num_threads(1)
    rng = np.random.default_rng(1)
    found = {}
    for name, rows in GATHERED.items():
        table = PackedTable.of(rng.standard_normal((rows, factors + 1), dtype=np.float32), 0.0)
        columns = np.sort(rng.integers(0, rows, (ratings // of_row, of_row), dtype=np.int32)).ravel()
        solved = SparseRows(np.arange(0, ratings + 1, of_row), columns, np.ones(ratings, dtype=np.float32))
        out = np.empty((solved.n_rows, factors + 1), dtype=np.float32)
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            solve_rows(solved, table, out, Ridge(5.0, 5.0))
            seconds.append(time.perf_counter() - begin)
        found[name] = min(seconds) / ratings * 1e9
    return found


def measure(preset: str, models: list[str], n_rounds: int) -> None:
    """Compare the engines with each model, in a process of its own, and keep what was found."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rows = {f"{row['model']}:{row['factors']}": row for row in before["rows"]} if before.get("preset") == preset else {}
    for model in models:
        words = [sys.executable, __file__, "one", preset, *model.split(":"), str(n_rounds)]
        environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
        told = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if told.returncode:
            sys.exit(told.stderr[-2000:])
        rows[model] = json.loads(told.stdout.splitlines()[-1])
        print(json.dumps(rows[model]), flush=True)
    found = {"preset": preset, "gathers": gathers(), "rows": list(rows.values())}
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(tables())


def middle(row: dict[str, Any], engine: str, name: str) -> float:
    """Return the median over the rounds of what was found of an engine."""
    return median(one[engine][name] for one in row["rounds"])


def tables() -> str:
    """Write the tables of the README."""
    found = json.loads(RESULTS.read_text())
    one = found["rows"][0]
    rounds = [len(row["rounds"]) for row in found["rows"]]
    lines = [
        f"{one['ratings']:,} train ratings of {one['users']:,} users and {one['items']:,} items",
        f"(`dataset=synthetic dataset.preset={found['preset']}`), two workers of one thread against",
        f"`engine=local` on two threads: medians over {min(rounds)} to {max(rounds)} rounds, of quickest epochs and of",
        "their ratios, with the extremes of these. A worker has memory that it shares with nobody and, at the most, so",
        "much when the blocks that it reads in the store are counted too.",
        "",
        "| | seconds, local | ray | ratio | kernels | transfer | waiting | share of transfer | MB a worker | at most |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found["rows"]:
        seconds = {engine: middle(row, engine, "seconds") for engine in ("local", "ray")}
        ratios = sorted(one["ray"]["seconds"] / one["local"]["seconds"] for one in row["rounds"])
        kernels, transfer, wait = (
            middle(row, "ray", f"seconds/epoch_{name}") for name in ("compute", "transfer", "wait")
        )
        ratio = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        lines.append(
            f"| `{row['model']}`, {row['factors']} factors | {seconds['local']:.2f} | {seconds['ray']:.2f} | {ratio} | "
            f"{kernels:.2f} | {transfer:.2f} | {wait:.2f} | "
            f"{transfer / seconds['ray']:.0%} | {middle(row, 'ray', 'worker_mb'):.0f} | "
            f"{max(one['ray']['worker_peak_mb'] for one in row['rounds']):.0f} |"
        )
    return "\n".join([*lines, "", *_scale(found["rows"], found["gathers"])])


BYTES_A_RATING = 20 + 18 + 16
"""In the store at the most, in a refit: the columns of train, valid and test (20 bytes a rating), those of train and
valid once more (nine tenths), and both layouts, 8 bytes each."""
NETWORK = 10e9 / 8
CORES = 32
SIZES = ((1e9, 5e6, 1e6, 4), (1e10, 5e7, 5e6, 32), (1e11, 3e8, 2e7, 320))
"""Ratings, users, items and machines."""


def _scale(rows: list[dict[str, Any]], gathered: dict[str, float]) -> list[str]:
    row = min((one for one in rows if one["model"] == "als"), key=lambda one: abs(one["factors"] - 64))
    factors = row["factors"]
    near = 2 * middle(row, "ray", "seconds/epoch_compute") / row["ratings"]
    each = near * gathered["far"] / gathered["near"]
    lines = [
        f"On paper: with {factors} factors of `als` a rating cost {near * 1e9:.0f} ns of one core an epoch there, and",
        f"{each * 1e9:.0f} ns with tables that no cache holds (row solves from {GATHERED['far']:,} rows took",
        f"{gathered['far']:.0f} ns a rating, from {GATHERED['near']:,} rows {gathered['near']:.0f} ns). It takes at",
        f"the most {BYTES_A_RATING} bytes of the store. Every machine has its share of them and, to score with, both",
        "tables; the run's own process has both tables too and, while it sends the larger one, a packed copy. On",
        f"machines of {CORES} cores, joined by {NETWORK * 8 / 1e9:.0f} Gbit/s, an epoch is then",
        "",
        "| ratings | users | items | machines | both tables | GB a machine | the run's own | kernels | transfer |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for ratings, users, items, machines in SIZES:
        sides = [4 * (factors + 1) * count for count in (users, items)]
        size = sum(sides)
        memory = BYTES_A_RATING * ratings / machines + size
        # Either table goes out once, machines passing it on as in a tree, and every solved row comes back.
        transfer = size * (int(machines).bit_length() + 1) / NETWORK
        lines.append(
            f"| {ratings / 1e9:.0f} billion | {users / 1e6:.0f} million | {items / 1e6:.0f} million | {machines} | "
            f"{size / 1e9:.1f} GB | {memory / 1e9:.0f} GB | {(memory + size + max(sides)) / 1e9:.0f} GB | "
            f"{each * ratings / (machines * CORES):.0f} s | {transfer:.0f} s |"
        )
    return lines


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="what", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--preset", default="ml_32m")
    measuring.add_argument("--models", nargs="+", default=MODELS)
    measuring.add_argument("--rounds", type=int, default=5)
    commands.add_parser("paper")
    single = commands.add_parser("one")
    single.add_argument("preset")
    single.add_argument("model")
    single.add_argument("factors", type=int)
    single.add_argument("rounds", type=int)
    options = parser.parse_args()
    if options.what == "measure":
        measure(options.preset, options.models, options.rounds)
    elif options.what == "paper":
        print(tables())
    else:
        print(json.dumps(compared(options.preset, options.model, options.factors, options.rounds)))


if __name__ == "__main__":
    main()
