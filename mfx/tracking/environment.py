"""What a run ran on: versions, machine and git state, gathered without importing any of the packages."""

from __future__ import annotations

import contextlib
import getpass
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("mfx", "numpy", "numba", "mlflow", "hydra-core")


def facts(folder: Path | None = None) -> dict[str, str]:
    """Describe where a run happens, in values that fit MLflow tags.

    Parameters
    ----------
    folder : pathlib.Path or None
        Folder whose git state belongs to the run; the current one when None.

    Returns
    -------
    dict
        ``python``, ``platform``, ``cpus`` (that this process may use), ``user``, ``version.PACKAGE``; inside a git
        checkout also ``git_commit`` and ``git_dirty`` ("true" when a tracked file was changed); when MFX itself
        runs from another checkout, ``mfx_git_commit`` and ``mfx_git_dirty``. What cannot be found out is left out.
    """
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": str(_cpus()),
    }
    with contextlib.suppress(KeyError, OSError):
        found["user"] = getpass.getuser()
    for package in PACKAGES:
        try:
            found[f"version.{package}"] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    here = Path.cwd() if folder is None else folder
    root = git_root(here)
    if root is not None:
        found |= _git_state(root, "git")
    own = git_root(Path(__file__).parent)
    if own is not None and own != root and (own / "mfx" / "tracking").is_dir():
        found |= _git_state(own, "mfx_git")
    return found


def git_root(folder: Path) -> Path | None:
    """Return the top folder of the git checkout that holds `folder`, or None."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else None


def _cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _git_state(root: Path, prefix: str) -> dict[str, str]:
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {f"{prefix}_commit": commit} | ({} if changes is None else {f"{prefix}_dirty": str(bool(changes)).lower()})


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
