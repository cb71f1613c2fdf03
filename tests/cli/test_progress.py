"""The progress bar in a real terminal: it appears when something takes its time, and vanishes."""

import os
import pty
import re
import subprocess
import sys

PROGRAM = """
import sys, time
from mfx.cli import progress
progress.PATIENCE = {patience}
with progress.shown("partition") as bar:
    for number in (1, 2, 3):
        bar.step("writing part", number, 3)
        time.sleep(0.3)
"""


def seen_in_a_terminal(patience):
    """Return what the program wrote to its terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    program = [sys.executable, "-c", PROGRAM.format(patience=patience)]
    with subprocess.Popen(program, stdout=theirs, stderr=theirs, env=environment) as running:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 4096):
                text += piece
        except OSError:  # what Linux says when the other end is closed
            pass
    os.close(ours)
    assert running.returncode == 0, text
    return text.decode()


def test_it_says_how_far_it_is_and_vanishes():
    text = seen_in_a_terminal(0.1)
    assert "partition: writing part" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert text.rstrip("\r\n").endswith("\x1b[2K"), "the last thing is to erase its line"


def test_what_is_quick_shows_nothing():
    assert seen_in_a_terminal(60) == ""


def test_it_is_quiet_without_a_terminal(monkeypatch):
    from mfx.cli import progress

    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    with progress.shown("partition") as bar:
        assert bar is None
