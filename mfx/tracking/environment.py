"""What a run ran on: versions, code, machine and git state, gathered without importing any of the packages."""

from __future__ import annotations

import contextlib
import functools
import getpass
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGES = ("mfx", "numpy", "numba", "llvmlite", "scipy", "pandas", "pyarrow", "mlflow", "hydra-core")
THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def facts(folder: Path | None = None, packages: Mapping[str, str] | None = None) -> dict[str, str]:
    """Describe where a run happens, in values that fit MLflow tags.

    Parameters
    ----------
    folder : pathlib.Path or None
        Folder whose git state belongs to the run; the current one when None.
    packages : mapping of str to str, optional
        Further packages whose code belongs to the run, with the imported module of each.

    Returns
    -------
    dict
        ``python``, ``platform``, ``cpu``, ``cpus`` (that this process may use), ``threads`` (what the environment says
        of them), ``user``, ``version.PACKAGE`` and ``code.PACKAGE``, a hash of the sources; inside a git
        checkout also ``git_commit`` and ``git_dirty`` ("true" when a tracked file was changed); when MFX itself
        runs from another checkout, ``mfx_git_commit`` and ``mfx_git_dirty``. What cannot be found out is left out.
    """
    found = {
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpus": str(_cpus()),
        "threads": ", ".join(f"{name}={os.environ[name]}" for name in THREADS if os.environ.get(name)) or "default",
    }
    with contextlib.suppress(KeyError, OSError):
        found["user"] = getpass.getuser()
    found |= code_facts(packages or {})
    here = Path.cwd() if folder is None else folder
    root = git_root(here)
    if root is not None:
        found |= _git_state(root, "git")
    own = git_root(Path(__file__).parent)
    if own is not None and own != root and (own / "mfx" / "tracking").is_dir():
        found |= _git_state(own, "mfx_git")
    return found


def code_facts(packages: Mapping[str, str]) -> dict[str, str]:
    """Return ``python``, ``version.PACKAGE`` and ``code.PACKAGE`` of `facts`: what code a run is made by.

    They are found once per process, as a process goes on with the code that it imported.
    """
    return dict(_code_facts(tuple(sorted(packages.items()))))


@functools.cache
def _code_facts(packages: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    found = {"python": platform.python_version()}
    for package in (*PACKAGES, *dict(packages)):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[f"version.{package}"] = importlib.metadata.version(package)
    found["code.mfx"] = _hash(Path(__file__).parent.parent)
    for package, module in packages:
        if (file := getattr(sys.modules.get(module), "__file__", None)) is not None:
            path = Path(file)
            found[f"code.{package}"] = _hash(path.parent if path.name == "__init__.py" else path)
    return found


def git_root(folder: Path) -> Path | None:
    """Return the top folder of the git checkout that holds `folder`, or None."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else None


def _cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@functools.cache
def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def _hash(place: Path) -> str:
    """Hash the Python sources below a folder, or one file."""
    digest = hashlib.blake2b(digest_size=8)
    for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
        digest.update(f"{path.relative_to(place).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


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
