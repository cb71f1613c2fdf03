"""Tests of the contract suites: a plugin with one law broken fails the test of that law, and no other."""

import re

import pytest
from mutants_of_components import COMPONENTS
from mutants_of_models import MODELS
from mutation import copy, outcomes

from mfx.testing import DatasetContract, MetricContract, ModelContract, SplitContract, TrackerContract

SUITES = {
    "model": ModelContract,
    "dataset": DatasetContract,
    "split": SplitContract,
    "metric": MetricContract,
    "tracking": TrackerContract,
}
MUTANTS = {"model": MODELS, **COMPONENTS}


def laws(kind):
    return {name for name in dir(SUITES[kind]) if name.startswith("test_")}


def laws_that(result, came_to):
    """Name the laws with a test, for whatever parameter, that came to this."""
    names = {re.sub(r"\[.*", "", name.rpartition("::")[2]) for name, outcome in result.items() if outcome == came_to}
    return {name.removeprefix("test_") for name in names}


@pytest.mark.parametrize("kind", SUITES)
def test_every_law_has_a_mutant(kind):
    assert {f"test_{mutant.breaks}" for mutant in MUTANTS[kind]} == laws(kind)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", SUITES)
def test_a_mutant_fails_the_law_that_it_breaks_and_no_other(kind, tmp_path):
    mutants = MUTANTS[kind]
    sound = {mutant.plugin: type(mutant)(mutant.plugin, "none", "", ()) for mutant in mutants}
    jobs = [copy(mutant, tmp_path / f"{n:02d}") for n, mutant in enumerate([*sound.values(), *mutants])]
    found = outcomes(jobs)
    for plugin, result in zip(sound, found, strict=False):
        assert not laws_that(result, "failed"), plugin
        needed = {mutant.breaks for mutant in mutants if mutant.plugin == plugin}
        assert needed <= laws_that(result, "passed"), f"{plugin.folder} skips laws that its mutants are to break"
    wrong = {
        mutant.defect: laws_that(result, "failed")
        for mutant, result in zip(mutants, found[len(sound) :], strict=True)
        if laws_that(result, "failed") != {mutant.breaks}
    }
    assert not wrong
