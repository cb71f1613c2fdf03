"""Servers of MLflow's, started for this machine and ended with this process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from mfx.errors import TrackingError, mask

HOST = "127.0.0.1"
START_SECONDS = 120.0


def check_port(port: int, option: str, command: str, host: str = HOST) -> None:
    """Refuse a port that is none or that is taken; `option` and `command` are named in the error.

    Raises
    ------
    TrackingError
        Saying what to do.
    """
    if not 1 <= port <= 65535:
        raise TrackingError(f"{option}={port} is no port.", "Choose one between 1024 and 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise TrackingError(
                f"Port {port} of {host} cannot be used: {error.strerror}.",
                f"Perhaps `{command}` runs already: open http://{host}:{port}, or choose another {option}.",
            ) from error


def run_until_interrupted(line: Sequence[str], environment: Mapping[str, str], health: str, ready: str) -> int:
    """Run a server until Ctrl-C, or until a signal ends this process; return the exit status.

    Parameters
    ----------
    line, environment
        How the server is started.
    health : str
        Address that answers once the server is ready.
    ready : str
        What is printed then.

    Raises
    ------
    TrackingError
        If it does not start, or ends by itself; with the last thing that it said.
    """
    with tempfile.TemporaryFile() as messages, _ended_by_signals():
        server = subprocess.Popen(
            line,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process alone, which then ends the server and its workers in good order.
            start_new_session=True,
        )
        try:
            _wait_until_ready(server, health, messages)
            print(ready, flush=True)
            status = server.wait()
            raise TrackingError(f"MLflow's server ended with status {status}.", _last_line(messages))
        except KeyboardInterrupt:
            print("\nEnded.", flush=True)
            return 0
        finally:
            _end(server)


def _wait_until_ready(server: subprocess.Popen[bytes], health: str, messages: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise TrackingError(f"MLflow's server ended at once, status {server.returncode}.", _last_line(messages))
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(health, timeout=5):
            return
        time.sleep(0.2)
    raise TrackingError(f"MLflow's server did not answer within {START_SECONDS:g} s.", _last_line(messages))


def _last_line(messages: IO[bytes]) -> str:
    messages.seek(0)
    lines = [line.strip() for line in messages.read().decode(errors="replace").splitlines() if line.strip()]
    return f"It last said: {mask(lines[-1])[:300]}" if lines else "It said nothing."


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(server: subprocess.Popen[bytes]) -> None:
    _signal(server, signal.SIGTERM)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        _signal(server, getattr(signal, "SIGKILL", signal.SIGTERM))
        server.wait()


def _signal(server: subprocess.Popen[bytes], number: int) -> None:
    # The group holds the server's workers as well.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(server.pid, number)
        else:
            server.terminate()
