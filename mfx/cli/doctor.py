"""`mfx doctor`: which plugins were found, what is broken and why, and whether the environment is fit for runs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from mfx import compose, registry
from mfx.compose import ConfigError
from mfx.errors import MFXError
from mfx.tracking.store import locate

GOOD, BAD = "ok ", "BAD"

Finding = tuple[str, str]


def main(arguments: list[str]) -> int:
    """Print what was found; return 1 if anything is broken."""
    if arguments:
        raise ConfigError(f"mfx doctor takes no arguments, but was given '{arguments[0]}'.", "Write mfx doctor.")
    compose.fill_store()  # so that components which cannot be composed are found too
    folders = compose.preset_folders()
    broken = False
    for title, findings in (("PLUGINS", plugins(folders)), ("ENVIRONMENT", environment())):
        print(title)
        for mark, text in findings:
            print(f"  {mark} {text}")
            broken |= mark == BAD
    return int(broken)


def plugins(folders: list[Path]) -> Iterator[Finding]:
    """Tell of each plugin its distribution, version, components and configuration; of broken ones the reason."""
    if os.environ.get(registry.SWITCH, "").strip().lower() == "off":
        yield GOOD, f"{registry.SWITCH}=off: plugins of third parties are left out"
    for plugin in registry.plugins():
        brought = [f"{entry.kind} {entry.name}" for entry in registry.available() if entry.package == plugin.package]
        what = f"{len(brought)} components" if plugin.package == "mfx" else ", ".join(brought) or "no component"
        files = [path for folder in folders if _belongs(folder, plugin.module) for path in folder.rglob("*.yaml")]
        what += f"; {len(files)} configuration file{'s' * (len(files) > 1)}" if files else ""
        yield GOOD, f"{plugin.name}: {plugin.package} {plugin.version}, {plugin.module}: {what}"
    for one in registry.load_plugins():
        yield BAD, f"{one.name}: {one.package} {_version(one.package)}: {one.reason}"


def _belongs(folder: Path, module: str) -> bool:
    return folder.parent.name in module.split(".")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def environment() -> Iterator[Finding]:
    """Check Python, threads, BLAS, the cache of compiled kernels and the run store."""
    yield GOOD, f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    versions = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "numba", "hydra-core", "mlflow"))
    yield (BAD if "(not installed)" in versions else GOOD), versions
    yield from _threads()
    yield _blas()
    yield _kernel_cache()
    yield _store()


def _threads() -> Iterator[Finding]:
    import numba

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = numba.get_num_threads()
    advice = " (more threads than cores: set NUMBA_NUM_THREADS)" if threads > cores else ""
    yield (BAD if advice else GOOD), f"solver: {threads} threads on {cores} cores{advice}"


def _blas() -> Finding:
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    limits = ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    import numpy as np
    import threadpoolctl

    np.ones((2, 2)) @ np.ones((2, 2))
    pools = [one for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]
    used = ", ".join(sorted({f"{one['internal_api']} with {one['num_threads']} threads" for one in pools}))
    return GOOD, f"BLAS: {used or 'unknown'}{'; ' + limits if limits else ''}"


def _kernel_cache() -> Finding:
    given = os.environ.get("NUMBA_CACHE_DIR", "")
    package = Path(__file__).resolve().parent.parent / "solver"
    folder = Path(given) if given else package / "__pycache__"
    near = next(place for place in (folder, *folder.parents) if place.exists())
    if os.access(near, os.W_OK):
        return GOOD, f"compiled kernels are kept in {folder}"
    return BAD, f"compiled kernels cannot be kept in {folder}, so each run compiles them anew: set NUMBA_CACHE_DIR"


def _store() -> Finding:
    try:
        store = locate()
        if store.database is not None and not store.database.exists():
            return GOOD, f"run store: {store.shown} (made by the first run)"
        store.check(timeout=3.0)
    except MFXError as error:
        return BAD, f"run store: {error}"
    return GOOD, f"run store: {store.shown}"
