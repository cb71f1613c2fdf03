"""Known vulnerabilities of the packages that are installed, by pip-audit: told, and where MFX can mend them, an error.

    python .ci/audit.py

The status is 1 only for a package that MFX itself names in pyproject.toml, with a version that is mended: then its
bounds need a change. A finding without a mended version, or in what other packages brought along, is shown and breaks
nothing, since nobody here could mend it. Without a network, or with a registry that knows nothing of vulnerabilities,
it says so in one line and the status is 0.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
SERVICES = ("pypi", "osv")
SECONDS = 180.0
"""After which a service is given up."""


def asked(service: str) -> tuple[list[dict[str, Any]], str]:
    """Ask a service about every installed package; returns those that it knows, and why others are not among them."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    command += ["--local", "--skip-editable", "--vulnerability-service", service]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return [], f"no answer within {SECONDS:g} s"
    except (ValueError, KeyError):
        last = done.stderr.strip().rpartition("\n")[2]
        return [], last[:200] or f"pip-audit ended with status {done.returncode}"
    known = [one for one in found if "vulns" in one]
    return known, f"{len(found) - len(known)} of {len(found)} packages are unknown to it"


def own(project: Path = PROJECT) -> set[str]:
    """Name the packages that MFX depends on by its own decision, in the spelling of pip-audit."""
    about = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    lines = [*about["dependencies"], *(one for extra in about["optional-dependencies"].values() for one in extra)]
    return {_spelled(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in lines}


def told(known: list[dict[str, Any]], decided: set[str]) -> tuple[list[str], bool]:
    """Return a line for each finding, and whether there is one that MFX can mend."""
    lines, mendable = [], False
    for package in known:
        for one in package["vulns"]:
            fixed = ", ".join(one["fix_versions"])
            ours = bool(fixed) and _spelled(package["name"]) in decided
            mendable |= ours
            do = f"mended in {fixed}{': change the bounds in pyproject.toml' * ours}" if fixed else "no mended version"
            lines.append(f"audit: {package['name']} {package['version']}: {one['id']}, {do}")
    return lines, mendable


def main() -> int:
    """Ask one service after the other until one answers."""
    reasons = []
    for service in SERVICES:
        known, rest = asked(service)
        if known:
            lines, mendable = told(known, own())
            print("\n".join([*lines, f"audit: {len(known)} packages, {len(lines)} known vulnerabilities ({rest})"]))
            return int(mendable)
        reasons.append(f"{service}: {rest}")
    print(f"audit: skipped, nobody could be asked ({'; '.join(reasons)})")
    return 0


def _spelled(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
