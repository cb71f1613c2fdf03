"""Tests of the contract suites: the sound component passes every law, and each mutant fails the law it breaks only."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mfx.testing import DatasetContract, MetricContract, ModelContract, SplitContract, TrackerContract

HERE = Path(__file__).parent
SUITES = {
    "models": ModelContract,
    "splits": SplitContract,
    "metrics": MetricContract,
    "datasets": DatasetContract,
    "trackers": TrackerContract,
}


def outcomes(path, report):
    """Run a file of mutants; return failed and skipped tests by class."""
    command = [sys.executable, "-m", "pytest", str(path), "-q", "--tb=line", "-o", "addopts=", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(
        [*command, "-o", "python_files=mutants_of_*.py", f"--junitxml={report}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    failed, skipped = {}, {}
    for case in ElementTree.parse(report).iter("testcase"):
        owner = case.get("classname").rpartition(".")[2]
        name = re.sub(r"\[.*", "", case.get("name"))
        failed.setdefault(owner, set())
        if case.find("failure") is not None or case.find("error") is not None:
            failed[owner].add(name)
        if case.find("skipped") is not None:
            skipped.setdefault(owner, set()).add(name)
    return failed, skipped


@pytest.mark.parametrize("kind", SUITES)
def test_each_mutant_fails_the_law_that_it_breaks_and_no_other(kind, tmp_path):
    failed, skipped = outcomes(HERE / f"mutants_of_{kind}.py", tmp_path / "report.xml")
    sound = [owner for owner in failed if owner.startswith("TestSound")]
    assert sound
    assert all(not failed[owner] for owner in sound), {owner: failed[owner] for owner in sound}
    laws = {name for name in dir(SUITES[kind]) if name.startswith("test_")}
    never_run = set.intersection(*(skipped.get(owner, set()) for owner in sound))
    assert not never_run, "the sound component skips these laws, so nothing tests them"
    mutants = {owner.removeprefix("Test").lstrip("_"): laws for owner, laws in failed.items() if owner not in sound}
    wrong = {law: broken for law, broken in mutants.items() if broken != {f"test_{law.partition('__')[0]}"}}
    assert not wrong
    assert {f"test_{law.partition('__')[0]}" for law in mutants} == laws, "a law has no mutant"
