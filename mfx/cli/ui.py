"""`mfx ui`: MLflow's pages over the runs, for this machine only."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import IO, Any

from mfx.errors import MFXError, TrackingError
from mfx.tracking.store import Store, locate, mask

HOST = "127.0.0.1"
START_SECONDS = 120.0
PAGE = "/#/experiments?workflowType=machine_learning"
"""MLflow's pages start with what language models need, unless they are told."""


def main(argv: list[str]) -> int:
    """Run ``mfx ui`` with the given arguments until Ctrl-C; return the exit status."""
    options = _parser().parse_args(argv)
    try:
        store = locate(options.uri)
        if store.uri.startswith(("http://", "https://")):
            print(f"These runs are kept by a server with pages of its own: open {store.shown}")
            return 0
        _check_store(store)
        _check_port(options.port)
        return _serve(store, options.port)
    except MFXError as error:
        if options.debug:
            raise
        print(f"{error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mfx ui", description="Show the runs in MLflow's pages, on this machine only. Ctrl-C ends it."
    )
    parser.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1 (default: 5000)")
    parser.add_argument("--uri", help="the run store (default: MLFLOW_TRACKING_URI, else runs/mlflow.db)")
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")
    return parser


def _check_store(store: Store) -> None:
    if store.database is not None and not store.database.exists():
        raise TrackingError(
            f"There are no runs yet: {store.shown} does not exist.",
            "Make one with `mfx`, go to the folder where you did, or name a store with --uri sqlite:///PATH.",
        )
    store.check()


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise TrackingError(f"--port={port} is no port.", "Choose one between 1024 and 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TrackingError(
                f"Port {port} of {HOST} cannot be used: {error.strerror}.",
                f"Perhaps `mfx ui` runs already: open http://{HOST}:{port}, or choose another --port.",
            ) from error


def command(store: Store, port: int) -> tuple[list[str], dict[str, str]]:
    """Return the server's command line and environment; the store's address, with its password, is in the latter."""
    line = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    if store.artifacts is not None:
        line += ["--artifacts-destination", store.artifacts.as_uri()]
    return line, {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_TRACKING_URI": store.uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _serve(store: Store, port: int) -> int:
    address = f"http://{HOST}:{port}"
    print(f"Starting MLflow on {store.shown} ...", flush=True)
    line, environment = command(store, port)
    with tempfile.TemporaryFile() as messages, _ended_by_signals():
        server = subprocess.Popen(
            line,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process alone, which then ends the server and its workers in good order.
            start_new_session=True,
        )
        try:
            _wait_until_ready(server, address, messages)
            print(f"Runs are shown at {address}{PAGE} (this machine only). Ctrl-C ends it.", flush=True)
            status = server.wait()
            raise TrackingError(f"MLflow's server ended with status {status}.", _last_line(messages))
        except KeyboardInterrupt:
            print("\nEnded.", flush=True)
            return 0
        finally:
            _end(server)


def _wait_until_ready(server: subprocess.Popen[bytes], address: str, messages: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise TrackingError(f"MLflow's server ended at once, status {server.returncode}.", _last_line(messages))
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(f"{address}/health", timeout=5):
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
