import json

import pytest

TOY = ("dataset=toy", "split=toy_split", "model=toy_model", "tracking=toy_tracking", "metrics=[rmse]", "figures=false")

KILL = """
import glob, os, signal, subprocess, sys, time
after, *rest = sys.argv[1:]
process = subprocess.Popen([sys.executable, "-m", "mfx.cli.main", *rest], start_new_session=True)
while len(glob.glob("runs/sweeps/*/trials/*/result.json")) < int(after) and process.poll() is None:
    time.sleep(0.005)
os.killpg(process.pid, signal.SIGKILL)
print("KILLED" if process.wait() == -signal.SIGKILL else "TOO LATE")
"""


@pytest.fixture
def sweep(cli):
    """Run `mfx sweep` on the toy components; gives the finished process and the summary, if there is one."""

    def run(*arguments, **extra):
        done = cli("sweep", *TOY, *arguments, "--json", **extra)
        return done, json.loads(done.stdout) if done.returncode == 0 else None

    def kill(after, *arguments):
        """Kill the sweep with SIGKILL, workers included, when so many trials are there."""
        done = cli(str(after), "sweep", *TOY, *arguments, code=KILL)
        assert "KILLED" in done.stdout, done.stderr

    run.kill = kill
    run.folder = cli.folder
    run.cli, run.choices = cli, TOY
    return run


@pytest.fixture
def essence():
    """What must be the same in two sweeps: points, values and winner."""

    def pick(summary):
        trials = [(one["number"], one["stage"], one["status"], one["value"], one["point"]) for one in summary["trials"]]
        return trials, summary["best"]["number"], summary["test"]

    return pick
