"""`mfx ui`: MLflow's pages over the runs, for this machine only."""

from __future__ import annotations

import os
import sys

from mfx.cli.arguments import FlagParser
from mfx.cli.complain import complain
from mfx.cli.server import HOST, check_port, run_until_interrupted
from mfx.errors import MFXError, TrackingError
from mfx.tracking.store import Store, locate

PAGE = "/#/experiments?workflowType=machine_learning"
"""MLflow's pages start with what language models need, unless they are told."""


def main(argv: list[str]) -> int:
    """Run ``mfx ui`` with the given arguments until Ctrl-C; return the exit status."""
    try:
        options = _parser().parse_args(argv)
        store = locate(options.uri)
        if store.uri.startswith(("http://", "https://")):
            print(f"These runs are kept by a server with pages of its own: open {store.shown}")
            return 0
        _check_store(store)
        check_port(options.port, "--port", "mfx ui")
        line, environment = command(store, options.port)
        print(f"Starting MLflow on {store.shown} ...", flush=True)
        address = f"http://{HOST}:{options.port}"
        ready = f"Runs are shown at {address}{PAGE} (this machine only). Ctrl-C ends it."
        return run_until_interrupted(line, environment, f"{address}/health", ready)
    except MFXError as error:
        return complain(error, "--debug" in argv)


def _parser() -> FlagParser:
    parser = FlagParser(
        prog="mfx ui",
        description="Show the runs in MLflow's pages, on this machine only. Ctrl-C ends it.",
        allow_abbrev=False,
    )
    parser.flags = ("--port", "--uri", "--debug", "--help")
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
