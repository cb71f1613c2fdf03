import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

TOY = ("dataset=toy", "split=toy_split", "model=toy_model", "tracking=toy_tracking", "metrics=[rmse]", "figures=false")

KILLER = Path(__file__).with_name("killer.py")


@pytest.fixture
def sweep(cli):
    """Run `mfx sweep` on the toy components; gives the finished process and the summary, if there is one."""

    def run(*arguments, **extra):
        done = cli("sweep", *TOY, *arguments, "--json", **extra)
        return done, json.loads(done.stdout) if done.returncode == 0 else None

    def kill(*moments, arguments):
        """Kill it at moments that ``killer.py`` describes; gives the finished process and what came of each moment."""
        done = cli(json.dumps(moments), "sweep", *TOY, *arguments, "--json", code=KILLER.read_text())
        told = [line.removeprefix("killer: ") for line in done.stderr.splitlines() if line.startswith("killer: ")]
        assert len(told) == len(moments), done.stderr
        return done, told

    def set_aside():
        (cli.folder / "runs").rename(cli.folder / f"before {len(list(cli.folder.iterdir()))}")

    run.set_aside = set_aside
    run.kill = kill
    run.folder = cli.folder
    run.cli, run.choices = cli, TOY
    yield run
    # Workers that outlived their sweeper; by their folder, as numbers of processes and groups are given out again.
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == cli.folder.resolve():
                os.kill(int(process.name), signal.SIGKILL)


@pytest.fixture
def essence():
    """What must be the same in two sweeps: points, values and winner."""

    def pick(summary):
        trials = [(one["number"], one["stage"], one["status"], one["value"], one["point"]) for one in summary["trials"]]
        return trials, summary["best"]["number"], summary["test"]

    return pick
