"""`mfx serve`: a run's model behind MLflow's model server, on this machine."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from mfx.analysis.runs import RunError, find
from mfx.cli import arguments as args
from mfx.cli.arguments import Option
from mfx.cli.recommend import RUN
from mfx.cli.server import HOST, check_port, run_until_interrupted
from mfx.results import MODEL
from mfx.tracking.packaged import MLMODEL, example, package

COMMAND = "mfx serve"
OPTIONS: Mapping[str, Option] = {
    "run": RUN,
    "port": Option("Port of the server.", int, 5001),
    "host": Option("Address to listen at; by default this machine only.", str, HOST),
}
EXAMPLES = ("mfx serve run=last", "mfx serve run='best of STUDY' port=8080")


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C; return the exit status."""
    if args.wants_help(arguments):
        what = "a server that recommends as mfx recommend does. Ctrl-C ends it."
        args.print_help(COMMAND, what, OPTIONS, EXAMPLES, json=False)
        return 0
    given = args.parse(COMMAND, OPTIONS, arguments, json=False)
    host, port = given["host"], given["port"]
    run = find(given["run"])
    folder = run.folder / MODEL
    if not (folder / "model.json").is_file():
        raise RunError(f"The run {run.shown} kept no model that can be served.", "Choose another run.")
    check_port(port, "port", COMMAND, host)
    if not (folder / MLMODEL).is_file():
        print("This run's model was not packaged for MLflow: doing it now ...", flush=True)
        package(folder)
    line = command(folder, host, port)
    print(f"Starting {shlex.join(['mlflow', *line[3:]])} ...", flush=True)
    request = json.dumps({"inputs": [example(folder)]})
    where = "this machine only" if host == HOST else "OTHER MACHINES CAN REACH IT, and nobody is asked for a password"
    ready = (
        f"Recommendations at http://{host}:{port}/invocations ({where}). Ctrl-C ends it. Try:\n"
        f"  curl -H 'Content-Type: application/json' -d {shlex.quote(request)} http://{host}:{port}/invocations"
    )
    return run_until_interrupted(line, environment(), f"http://{host}:{port}/ping", ready)


def command(folder: Path, host: str, port: int) -> list[str]:
    """Return the command line of MLflow's model server for a packaged model."""
    local = ["--env-manager", "local", "--host", host, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), *local]


def environment() -> dict[str, str]:
    """Return the server's environment: this one, with the folder of this Python's programs on the path."""
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", "")]),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
