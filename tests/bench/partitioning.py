"""Peak memory of `mfx data partition`: `python tests/bench/partitioning.py [millions of ratings ...]`.

Writes tables (CSV, rows of users mixed, 50,000 users, 20,000 items) of 5 and of 20 million ratings, and cuts each into
parts of about a million ratings twice: as the command does it, which streams, and by loading the data set first. Each
is a process of its own; its peak is what the system tells of it at its end.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

USERS, ITEMS, PART = 50_000, 20_000, 1_000_000
WAYS = {
    "streamed": "partition_dataset(data, folder, parts, lambda *_: None)",
    "whole": "partition(data.load(), folder, parts)",
}
PROGRAM = """
import sys
from pathlib import Path
from mfx.data.parts_writer import partition
from mfx.data.streaming import partition_dataset
from mfx.data.table import Table
data = Table(path=sys.argv[1], cache=False)
folder, parts = Path(sys.argv[2]), int(sys.argv[3])
print({way}.rows_fingerprint)
"""


def write(path: Path, n_ratings: int) -> None:
    """Write a table; the k-th rating of every user comes before the next one of anybody, and no pair repeats."""
    import pyarrow as pa
    import pyarrow.csv

    rng = np.random.default_rng(0)
    start = rng.integers(0, ITEMS, USERS)
    with path.open("wb") as stream:
        for k in range(n_ratings // USERS):
            users = rng.permutation(USERS)
            columns = {
                "user_id": users + 1,
                "item_id": (start[users] + 7 * k) % ITEMS + 1,
                "rating": rng.integers(1, 11, USERS) / 2,
                "timestamp": 10**9 + rng.integers(0, 10**8, USERS),
            }
            options = pa.csv.WriteOptions(include_header=k == 0)
            pa.csv.write_csv(pa.table(columns), stream, options)


def measure(way: str, table: Path, folder: Path, parts: int) -> tuple[int, float, str]:
    """Run one way in a process of its own; return its peak in MB, its seconds, and the fingerprint of the parts."""
    reading, writing = os.pipe()
    begin = time.perf_counter()
    child = os.fork()
    if not child:
        os.dup2(writing, 1)
        program = PROGRAM.format(way=WAYS[way])
        os.execv(sys.executable, [sys.executable, "-c", program, str(table), str(folder), str(parts)])
    os.close(writing)
    with os.fdopen(reading) as printed:
        fingerprint = printed.read().strip()
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{way} failed on {table}")
    return usage.ru_maxrss // 1024, time.perf_counter() - begin, fingerprint


def main(millions: list[int]) -> None:
    """Print a line for each size and way."""
    with tempfile.TemporaryDirectory() as place:
        print("million ratings | parts | way | peak MB | seconds")
        for size in millions:
            table = Path(place) / f"{size}.csv"
            write(table, size * 1_000_000)
            found = set()
            for way in WAYS:
                parts = max(1, size * 1_000_000 // PART)
                peak, seconds, fingerprint = measure(way, table, Path(place) / f"{way}-{size}", parts)
                print(f"{size} | {parts} | {way} | {peak:,} | {seconds:.1f}", flush=True)
                found.add(fingerprint)
            assert len(found) == 1, "the two ways wrote different parts"
            table.unlink()


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [5, 20])
