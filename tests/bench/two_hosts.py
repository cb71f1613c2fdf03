"""Fits on two hosts that are killed: `python tests/bench/two_hosts.py` as root, on Linux.

Two network namespaces on this machine, joined by a bridge, are separate hosts to each other: each has its own address
and runs its own node of one Ray cluster with one worker and its own object store. A data set is partitioned, and `mfx`
run in one of them: while the other host joins; on both hosts; with a worker of the other host killed (-9) in the middle
of the fit; with the driver killed, and then `resume=true`; and with a worker of either host killed at moments drawn at
random from the first task to the end (``--kills``). Each run must come to the numbers of `engine=local`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BRIDGE, NET = "mfxbr", "10.177.0"
HOSTS = ("mfxhost1", "mfxhost2")
OPEN = {**os.environ, "RAY_AUTH_MODE": "disabled"}
"""Nobody else can reach these hosts."""
PORT = 26379


def sh(command: str) -> None:
    """Run a command of the system."""
    subprocess.run(command.split(), check=True, capture_output=True)


@contextlib.contextmanager
def hosts() -> Iterator[None]:
    """Make two hosts, each a network namespace with one address."""
    try:
        sh(f"ip link add {BRIDGE} type bridge")
        sh(f"ip link set {BRIDGE} up")
        for number, host in enumerate(HOSTS, start=1):
            sh(f"ip netns add {host}")
            sh(f"ip link add {host}v type veth peer name eth0 netns {host}")
            sh(f"ip link set {host}v master {BRIDGE} up")
            sh(f"ip -n {host} addr add {NET}.{number}/24 dev eth0")
            sh(f"ip -n {host} link set eth0 up")
            sh(f"ip -n {host} link set lo up")
        yield
    finally:
        for host in HOSTS:
            subprocess.run(["ip", "netns", "del", host], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Callable[[int], None]]:
    """Give a function that starts a node of Ray on a host; the first one is the head. All are ended."""
    ray = str(Path(sys.executable).with_name("ray"))
    nodes: list[subprocess.Popen[bytes]] = []

    def start(number: int) -> None:
        head = ["--head", f"--port={PORT}", f"--temp-dir={folder / 'ray'}", "--include-dashboard=false"]
        role = head if number == 1 else [f"--address={NET}.1:{PORT}"]
        words = ["ip", "netns", "exec", HOSTS[number - 1], ray, "start", *role, f"--node-ip-address={NET}.{number}"]
        words += ["--num-cpus=1", "--object-store-memory=400000000", "--disable-usage-stats", "--block"]
        told = folder / f"node{number}.log"
        with told.open("wb") as log:
            nodes.append(subprocess.Popen(words, stdout=log, stderr=log, process_group=0, env=OPEN))
        while "Ray runtime started" not in told.read_text():
            if nodes[-1].poll() is not None:
                raise SystemExit(f"Node {number} did not start.")
            time.sleep(0.5)

    try:
        yield start
    finally:
        for node in reversed(nodes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGTERM)
        for node in nodes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)


def mfx(folder: Path, *words: str, host: str | None = None) -> subprocess.Popen[str]:
    """Start `mfx` in a folder, on a host."""
    prefix = [] if host is None else ["ip", "netns", "exec", host]
    command = [*prefix, sys.executable, "-m", "mfx.cli.main", *words, "--json"]
    log = (folder / "mfx.log").open("a")
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, process_group=0, env=OPEN
    )


def numbers(run: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for a run and return its metrics."""
    out, _ = run.communicate()
    if run.returncode:
        raise SystemExit(f"A run ended with status {run.returncode}.")
    told: dict[str, Any] = json.loads(out)
    return told.get("metrics", told)


def epochs_done(folder: Path) -> int:
    """Say after which epoch the state of the newest fit was kept."""
    import numpy as np

    for path in folder.glob("runs/checkpoints/*/state.npz"):
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError), np.load(path) as archive:
            return int(json.loads(bytes(archive["facts"]))["fit"]["epoch"])
    return 0


def worker_on(node: int, run: subprocess.Popen[str]) -> int:
    """Wait for a worker on a host to solve rows, and return its process."""
    while run.poll() is None:
        for process, task in at_work(node):
            if task in ("_update", "_step"):
                return process
    raise SystemExit("No worker of the other host was at work.")


def at_work(node: int) -> Iterator[tuple[int, str]]:
    """Find the workers on a host that have a task: their processes, and its name."""
    wanted = Path(f"/var/run/netns/{HOSTS[node]}").stat().st_ino
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            title = (path / "cmdline").read_bytes().partition(b"\0")[0].decode()
            if title.startswith("ray::_") and (path / "ns/net").stat().st_ino == wanted:
                yield int(path.name), title.removeprefix("ray::").partition("(")[0].strip()


def wait_for_task(run: subprocess.Popen[str]) -> None:
    """Wait until a worker has its first task."""
    while run.poll() is None and not any(True for node in range(len(HOSTS)) for _ in at_work(node)):
        time.sleep(0.02)


def kill_any(rng: random.Random, seconds: float, run: subprocess.Popen[str]) -> str | None:
    """Kill a worker at a moment of so many seconds from the first task; return its task, None if none had any more."""
    wait_for_task(run)
    time.sleep(rng.uniform(0.0, seconds))
    while run.poll() is None:
        for node in rng.sample(range(len(HOSTS)), len(HOSTS)):
            for process, task in at_work(node):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    return task
    return None


def wait_for_epoch(folder: Path, epoch: int, run: subprocess.Popen[str]) -> None:
    """Wait until an epoch is over."""
    while epochs_done(folder) < epoch:
        if run.poll() is not None:
            raise SystemExit("A run ended before it could be disturbed.")
        time.sleep(0.05)


def apart(one: dict[str, float], other: dict[str, float]) -> float:
    """Return the largest difference of metrics of two runs."""
    names = [name for name in one if name.startswith(("valid/", "test/"))]
    return max(abs(one[name] - other[name]) for name in names)


def main() -> None:
    """Run everything, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", default="ml_1m", help="of dataset=synthetic")
    parser.add_argument("--model", default="als")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--kills", type=int, default=10, help="of workers, at random moments")
    parser.add_argument("--seed", type=int, default=1, help="of those moments")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mfx-two-hosts-"))
    data = ["dataset=partitioned", f"dataset.path={folder / 'parts'}"]
    choices = [*data, f"model={options.model}", f"model.epochs={options.epochs}", "early_stopping.enabled=false"]
    choices += ["tracking=console", "figures=false", "checkpoint_minutes=0", "refit=false"]
    there = [*choices, "engine=ray", f"engine.address={NET}.1:{PORT}"]
    try:
        source = ["dataset=synthetic", f"dataset.preset={options.preset}"]
        made = json.loads(mfx(folder, "data", "partition", *source, "to=parts", "parts=8").communicate()[0])
        print(f"{made['ratings']:,} ratings in {made['parts']} parts", flush=True)
        expected = numbers(mfx(folder, *choices))
        with hosts(), cluster(folder) as start:
            start(1)
            run = mfx(folder, *there, "model.epochs=10000", host=HOSTS[0])
            wait_for_epoch(folder, 1, run)
            start(2)
            print(f"worker {worker_on(1, run)} of a host that joined in the middle of a fit is at work", flush=True)
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            shutil.rmtree(folder / "runs")

            begin = time.perf_counter()
            run = mfx(folder, *there, host=HOSTS[0])
            wait_for_task(run)
            first = time.perf_counter() - begin
            plain = numbers(run)
            calm = time.perf_counter() - begin
            print(
                f"two hosts: {calm:.1f} s, metrics apart from engine=local by {apart(expected, plain):.1e}", flush=True
            )

            run = mfx(folder, *there, host=HOSTS[0])
            begin = time.perf_counter()
            wait_for_epoch(folder, options.epochs // 3, run)
            victim = worker_on(1, run)
            os.kill(victim, signal.SIGKILL)
            hurt = numbers(run)
            took = time.perf_counter() - begin
            print(
                f"worker {victim} of the other host killed: {took:.1f} s, {took - calm:+.1f} s, "
                f"metrics apart by {apart(expected, hurt):.1e}",
                flush=True,
            )

            run = mfx(folder, *there, host=HOSTS[0])
            wait_for_epoch(folder, options.epochs // 2, run)
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            kept = epochs_done(folder)
            begin = time.perf_counter()
            again = numbers(mfx(folder, *there, "resume=true", host=HOSTS[0]))
            took = time.perf_counter() - begin
            print(
                f"driver killed, {kept} epochs kept; the rest took {took:.1f} s, metrics apart by "
                f"{apart(expected, again):.1e}",
                flush=True,
            )

            rng = random.Random(options.seed)
            hit, slowest, worst = [], 0.0, 0.0
            for _ in range(options.kills):
                begin = time.perf_counter()
                run = mfx(folder, *there, host=HOSTS[0])
                task = kill_any(rng, calm - first, run)
                worst = max(worst, apart(expected, numbers(run)))
                if task is not None:
                    hit.append(task)
                    slowest = max(slowest, time.perf_counter() - begin)
            tasks = ", ".join(f"{count} in {name}" for name, count in sorted(Counter(hit).items()))
            print(
                f"{len(hit)} of {options.kills} runs had a worker killed ({tasks}): {slowest - calm:+.1f} s at most, "
                f"metrics apart by {worst:.1e}",
                flush=True,
            )
    except SystemExit:
        for log in folder.glob("*.log"):
            print(f"{log.name}: {log.read_text()[-1500:]}", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
