"""Copies of plugins with one law broken in each, and which of their contract tests fail.

Run as a program, it reads jobs from standard input and runs each in a fork of itself, so that libraries are imported
and kernels read once; run by `failures`, it is a process of its own, which numba's fork-safe threads are set for.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


@dataclass(frozen=True)
class Plugin:
    """A plugin whose copies are broken.

    Attributes
    ----------
    folder : path of the plugin, below the repository
    module : its file that is edited
    tests : test classes that run the suite, as pytest's node ids
    """

    folder: str
    module: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Mutant:
    """A defect.

    Attributes
    ----------
    defect : in a few words, what is wrong
    breaks : name of the law, without ``test_``
    edits : pairs of old and new text; the old one stands in the module exactly once
    """

    plugin: Plugin
    defect: str
    breaks: str
    edits: tuple[tuple[str, str], ...]


def copy(mutant: Mutant, folder: Path) -> dict[str, object]:
    """Write the copy with the defect in it; returns the job that runs its contract tests."""
    source = REPOSITORY / mutant.plugin.folder
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", "dist"))
    module = folder / mutant.plugin.module
    text = module.read_text(encoding="utf-8")
    for old, new in mutant.edits:
        assert text.count(old) == 1, f"{mutant.defect}: this stands {text.count(old)} times in {module.name}: {old}"
        text = text.replace(old, new)
    module.write_text(text, encoding="utf-8")
    return {"folder": str(folder), "tests": mutant.plugin.tests}


def outcomes(jobs: list[dict[str, object]]) -> list[dict[str, str]]:
    """Run contract tests; returns for each job what came of each test: passed, failed or skipped."""
    environment = dict(os.environ) | {
        "PYTHONPATH": str(REPOSITORY),
        "MFX_PLUGINS": "off",  # an installed plugin would clash with its copies
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "NUMBA_NUM_THREADS": "2",
        "NUMBA_THREADING_LAYER": "workqueue",
    }
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(jobs),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((Path(str(job["folder"])) / "outcomes.json").read_text()) for job in jobs]


def _serve() -> None:
    import mfx
    import mfx.testing
    from mfx import registry
    from mfx.compose import nodes

    # What every fork needs is imported, and kernels are read, before the first one.
    ratings = mfx.testing.planted_ratings()
    model = mfx.ALS(factors=2, epochs=1).fit(ratings)
    model.recommend([100], k=2)
    mfx.evaluate(model, ratings, ratings, mfx.create_metrics(["rmse", "precision@3"]))
    nodes.typed(nodes.node_class(registry.get("model", "als")))
    for job in json.loads(sys.stdin.read()):
        child = os.fork()
        if not child:
            os._exit(_run(Path(job["folder"]), job["tests"]))
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"{job['folder']}: pytest ended with {os.waitstatus_to_exitcode(status)}")


def _run(folder: Path, tests: list[str]) -> int:
    import pytest

    found: dict[str, str] = {}

    class Note:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            name = report.nodeid.partition("::")[2]
            if report.outcome != "passed" or report.when == "call":
                found[name] = "failed" if "failed" in (report.outcome, found.get(name)) else report.outcome

    os.chdir(folder)
    sys.path.insert(0, str(folder))
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", f"--basetemp={folder / 'basetemp'}"]
    with (folder / "log.txt").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        status = pytest.main([*options, *tests], plugins=[Note()])
    (folder / "outcomes.json").write_text(json.dumps(found))
    shutil.rmtree(folder / "basetemp", ignore_errors=True)
    return 0 if status in (0, 1) else int(status)


if __name__ == "__main__":
    _serve()
