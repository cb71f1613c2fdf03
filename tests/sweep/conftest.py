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

KILL_AT = """
import glob, os, signal, subprocess, sys, time
steps, delay, *rest = sys.argv[1:]
process = subprocess.Popen([sys.executable, "-m", "mfx.cli.main", *rest], start_new_session=True)
seen = ("trials/*/result.json", "best", "best/metrics.json", "summary/summary.json")
while sum(len(glob.glob("runs/sweeps/*/" + one)) for one in seen) < int(steps) and process.poll() is None:
    time.sleep(0.002)
try:
    process.wait(float(delay))
    print("OVER")
except subprocess.TimeoutExpired:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    print("KILLED")
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

    def kill_at(steps, delay, *arguments):
        """Kill the sweep, workers included, so many seconds after so many steps; says whether it was still there."""
        return cli(str(steps), str(delay), "sweep", *TOY, *arguments, code=KILL_AT).stdout.split()[-1]

    def set_aside():
        (cli.folder / "runs").rename(cli.folder / f"before {len(list(cli.folder.iterdir()))}")

    run.set_aside = set_aside
    run.kill, run.kill_at = kill, kill_at
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
