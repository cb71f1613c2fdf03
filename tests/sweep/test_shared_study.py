import os
import shutil
import subprocess
from pathlib import Path

import pytest

BUDGET = ("sweep.random_trials=8", "sweep.grid_points=3", "model.spoil_after=range(3,9)")
BOTH = """
import subprocess, sys
call = [sys.executable, "-m", "mfx.cli.main", *sys.argv[1:]]
first, second = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True) for _ in range(2)]
out = first.communicate()[0]
assert second.communicate()[0] and second.returncode == first.returncode == 0
print(out)
"""


def shared(sweep, *arguments):
    """Two sweepers at the same time, with the same command; the summary of one."""
    return sweep(*BUDGET, *arguments, code=BOTH)


def check_shared(sweep, essence, *arguments):
    log = sweep.folder / "log.txt"
    done, found = shared(sweep, f"tracking.log={log}", *arguments)
    assert done.returncode == 0, done.stderr
    owners = [path.read_text() for path in sweep.folder.glob("runs/sweeps/*/trials/*/owner")]
    assert len(owners) == len(found["trials"])
    (sweep.folder / "runs").rename(sweep.folder / "shared")
    _, alone = sweep(*BUDGET)
    assert essence(found) == essence(alone)


@pytest.mark.slow
def test_two_sweepers_share_a_study_without_a_database(sweep, essence):
    check_shared(sweep, essence)


@pytest.fixture
def postgresql(tmp_path):
    """Address of a database server of the test's own, reached through a socket in its folder."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'mfx[postgresql]'")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    programs = found[-1].parent
    folder = Path("/tmp") / f"mfx-pg-{os.getpid()}"  # sockets have short paths only
    folder.mkdir()
    become = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        become = ["runuser", "-u", "postgres", "--"]

    def run(program, *arguments):
        subprocess.run([*become, str(programs / program), *arguments], check=True, capture_output=True, cwd="/")

    run("initdb", "-D", str(folder / "data"), "-U", "mfx", "-A", "trust")
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    run("pg_ctl", "-D", str(folder / "data"), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://mfx@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.mark.slow
def test_two_sweepers_share_a_study_in_postgresql(sweep, essence, postgresql):
    check_shared(sweep, essence, f"sweep.storage='{postgresql}'")


def test_a_database_that_does_not_answer_is_one_line(sweep):
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'mfx[postgresql]'")
    done, _ = sweep("sweep.storage='postgresql://mfx@/nothing?host=/nowhere'")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "storage of the study cannot be opened" in done.stderr
