"""Ray against Dask on one real half-step: `python tests/bench/engines.py ray` and `python tests/bench/engines.py dask`.

Each runs where its package is installed (`pip install ray`, `pip install distributed`), on 8 million ratings, two
single-thread workers and 32 blocks. Blocks of the sparse layout are resident; what moves is one side's table to the
workers, and the solved blocks back. Then a worker is killed in the middle of a half-step.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

USERS, ITEMS, RATINGS, BLOCKS, WORKERS, REPEATS = 70_000, 22_000, 8_000_000, 32, 2, 5


def ratings() -> Any:
    """Draw a sparse layout with heavy tails: users as rows."""
    from mfx.solver import SparseRows

    rng = np.random.default_rng(1)
    users = np.sort((USERS * rng.random(RATINGS) ** 1.5).astype(np.int32))
    items = (ITEMS * rng.random(RATINGS) ** 3).astype(np.int32)
    indptr = np.searchsorted(users, np.arange(USERS + 1)).astype(np.int64)
    return SparseRows(indptr, items, rng.normal(0.0, 1.0, RATINGS).astype(np.float32))


def solve(indptr: Any, indices: Any, values: Any, other: Any) -> tuple[Any, int, float]:
    """Solve one block on one thread; also return who did it, and its seconds."""
    import numba

    from mfx.solver import Ridge, SparseRows, solve_rows

    numba.set_num_threads(1)
    begin = time.perf_counter()
    out = np.empty((indptr.size - 1, other.shape[1]), np.float32)
    solve_rows(SparseRows(indptr, indices, values), other, out, Ridge(12.0, 3.0))
    return out, os.getpid(), time.perf_counter() - begin


def blocks(rows: Any) -> list[tuple[Any, Any, Any]]:
    """Cut the layout into blocks of equal work."""
    from mfx.solver import balanced_blocks

    bounds = balanced_blocks(rows.indptr, BLOCKS, 14.0)
    cut = []
    for a, b in itertools.pairwise(bounds):
        part = slice(rows.indptr[a], rows.indptr[b])
        cut.append((rows.indptr[a : b + 1] - rows.indptr[a], rows.indices[part], rows.values[part]))
    return cut


def measure(half_step: Callable[[Any], list[Any]], broadcast: Callable[[Any], Any], factors: int) -> None:
    """Print the seconds of a broadcast and of a half-step."""
    other = np.random.default_rng(2).normal(0, 0.1, (ITEMS, factors + 1)).astype(np.float32)
    large = np.random.default_rng(2).normal(0, 0.1, (1_000_000, factors + 1)).astype(np.float32)
    half_step(broadcast(other))
    sent, whole, busy = [], [], []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        broadcast(large)
        sent.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        done = half_step(broadcast(other))
        whole.append(time.perf_counter() - begin)
        busy.append(sum(one[2] for one in done) / WORKERS)
    print(
        f"{factors} factors: broadcast of {large.nbytes / 1e6:.0f} MB {min(sent):.3f} s, "
        f"half-step {min(whole):.3f} s, of which kernels {min(busy):.3f} s"
    )


def kill_one(half_step: Callable[[Any], list[Any]], sent: Any) -> None:
    """Kill a worker while a half-step runs, and say what comes of it."""
    victim = half_step(sent)[0][1]
    timer = threading.Timer(0.1, os.kill, (victim, signal.SIGKILL))
    timer.start()
    begin = time.perf_counter()
    try:
        half_step(sent)
        print(f"a worker killed: the half-step went through, in {time.perf_counter() - begin:.2f} s")
    except Exception as error:
        print(f"a worker killed: {type(error).__name__}: {str(error).splitlines()[0][:150]}")


def resident() -> float:
    """Return the memory of this process tree, shared pages counted once, in MB."""
    total = 0
    for pid in _tree(os.getpid()):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _tree(root: int) -> list[int]:
    import psutil

    return [root, *(child.pid for child in psutil.Process(root).children(recursive=True))]


def ray_engine(rows: Any) -> None:
    """Measure Ray."""
    import ray

    begin = time.perf_counter()
    ray.init(num_cpus=WORKERS, include_dashboard=False, object_store_memory=700_000_000, log_to_driver=False)
    remote = ray.remote(num_cpus=1, max_retries=-1)(_ray_solve)
    print(f"start {time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    held = [ray.put(block) for block in blocks(rows)]
    print(f"blocks resident {time.perf_counter() - begin:.2f} s")

    def half_step(sent: Any) -> list[Any]:
        return ray.get([remote.remote(block, sent) for block in held])

    for factors in (13, 64):
        measure(half_step, ray.put, factors)
    print(f"memory of all processes {resident():.0f} MB")
    kill_one(half_step, ray.put(np.zeros((ITEMS, 65), np.float32)))
    ray.shutdown()


def _ray_solve(block: Any, other: Any) -> tuple[Any, int, float]:
    return solve(*block, other)


def dask_engine(rows: Any) -> None:
    """Measure Dask."""
    import distributed

    begin = time.perf_counter()
    cluster = distributed.LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    )
    client = distributed.Client(cluster)
    print(f"start {time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    held = client.scatter(blocks(rows), hash=False)
    distributed.wait(held)
    print(f"blocks resident {time.perf_counter() - begin:.2f} s")

    def half_step(sent: Any) -> list[Any]:
        return client.gather([client.submit(_ray_solve, block, sent, pure=False) for block in held])

    def broadcast(array: Any) -> Any:
        return client.scatter(array, broadcast=True, hash=False)

    for factors in (13, 64):
        measure(half_step, broadcast, factors)
    print(f"memory of all processes {resident():.0f} MB")
    kill_one(half_step, broadcast(np.zeros((ITEMS, 65), np.float32)))
    client.close()
    cluster.close()


if __name__ == "__main__":
    os.environ["NUMBA_NUM_THREADS"] = "2"
    {"ray": ray_engine, "dask": dask_engine}[sys.argv[1]](ratings())
