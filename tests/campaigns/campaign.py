"""What campaigns share: arguments of the form NAME=VALUE, and results kept as JSON for RELIABILITY.md."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
RESULTS = HERE / "results"


def arguments(**defaults: Any) -> dict[str, Any]:
    """Read NAME=VALUE from the command line, of the types of the defaults."""
    values = dict(defaults)
    for argument in sys.argv[1:]:
        name, _, text = argument.partition("=")
        if name not in defaults or not text:
            sys.exit(f"{Path(sys.argv[0]).name} knows {', '.join(f'{k}={v}' for k, v in defaults.items())}")
        values[name] = type(defaults[name])(text)
    return values


def keep(campaign: str, found: dict[str, Any]) -> None:
    """Merge what was found into the results of a campaign, with the day and the commit."""
    path = RESULTS / f"{campaign}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    stamp = {"day": f"{datetime.date.today():%Y-%m-%d}", "commit": commit()}
    known |= {name: {**one, **stamp} for name, one in found.items()}
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def commit() -> str:
    """Name the commit that is checked out."""
    line = ["git", "-C", str(REPOSITORY), "rev-parse", "--short=10", "HEAD"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
