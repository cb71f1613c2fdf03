"""Run ``mfx sweep`` and kill it, or one of its workers, at given moments: killer.py MOMENTS ARGUMENT ...

MOMENTS is a JSON list of moments with the keys

- ``steps``: how many files of a sweep must be there, in the order of `STEPS`; or
- ``writing``: a pattern of files that are made before something is written, the name of the one that is made after
  it, and how many of the former must be there; the moment is when the latest lacks its counterpart;
- ``after``: seconds after that;
- ``whom``: "all" processes, the "sweeper" alone, or a "worker", after whose end the sweep is left to go on;
- ``pick``: which of the workers, as a share of them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STEPS = ("trials/*/result.json", "best", "best/metrics.json", "summary/summary.json")
"""What appears in the folder of a study, one after the other; the first as often as there are trials."""


def seen(pattern):
    return list(Path("runs/sweeps").glob(f"*/{pattern}"))


def is_there(moment):
    if "steps" in moment:
        return sum(len(seen(pattern)) for pattern in STEPS) >= moment["steps"]
    begun, ended, number = moment["writing"]
    return len(seen(begun)) >= number and any(not path.with_name(ended).exists() for path in seen(begun))


def workers_of(pid):
    """Find the processes in which joblib runs jobs for this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and b"popen_loky" in command:
            found.append(int(folder.name))
    return found


def kill(process, whom, pick):
    """Kill; returns whether there was something left to kill."""
    if whom != "worker":
        (os.killpg if whom == "all" else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        return True
    alive = []
    while not alive and process.poll() is None:
        alive = sorted(workers_of(process.pid))
    if alive:
        os.kill(alive[int(pick * len(alive))], signal.SIGKILL)
    return bool(alive)


def main(moments, *arguments):
    # What it prints goes to files: workers that outlive their sweeper would keep a pipe open.
    with Path("out").open("w") as out, Path("err").open("w") as err:
        command = [sys.executable, "-m", "mfx.cli.main", *arguments]
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True)
    for moment in json.loads(moments):
        while process.poll() is None and not is_there(moment):
            time.sleep(0.002)
        time.sleep(moment["after"])
        if process.poll() is not None or not kill(process, moment["whom"], moment.get("pick", 0.0)):
            print("killer: too late", file=sys.stderr)
            continue
        torn = "writing" in moment and is_there(moment)
        print(f"killer: killed {moment['whom']}{', while writing' if torn else ''}", file=sys.stderr)
    process.wait()
    sys.stdout.write(Path("out").read_text())
    sys.stderr.write(Path("err").read_text())
    return 0 if process.returncode == -signal.SIGKILL else process.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
