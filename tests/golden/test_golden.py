"""Every built-in model on every split of real ratings gives the numbers that were promised."""

import importlib.util
import json
from pathlib import Path

import pytest

import mfx

_spec = importlib.util.spec_from_file_location("mfx_reference", Path(__file__).parent / "reference.py")
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

PROMISED = json.loads(reference.REFERENCE.read_text())

FRACTION = 0.01
"""Of what a number guards. Kernels compiled for other processors (`NUMBA_CPU_NAME=generic`) move none by 1e-5."""

SEED_NOISE = {"leave_last_out": 0.09, "global_temporal": 0.05}
"""Standard deviation of the lists of bpr over seeds of the model, as a share of the number, where it is not 0.04."""
DEVIATIONS = 3.0
"""In steps of descent rounding grows: another processor may give what another seed would give."""

ERRORS = ("rmse", "mae")
SLOW = {"bayes_mf"}


def tolerance(split, model, metric):
    """Return how far a number may be off.

    Lists guard how much they find, and errors by how much models differ.
    """
    value = PROMISED[split][model][metric]
    if model == "bpr":
        return DEVIATIONS * SEED_NOISE.get(split, 0.04) * value
    guarded = value
    if metric in ERRORS:
        others = (numbers[metric] for name, numbers in PROMISED[split].items() if name != model and metric in numbers)
        guarded = min(abs(value - other) for other in others)
    return FRACTION * guarded + 2e-6  # numbers are written to six places


def missed(found, split, model):
    """Name the numbers that are farther off than they may be."""
    promised = PROMISED[split][model]
    return [name for name, value in promised.items() if abs(found[name] - value) > tolerance(split, model, name)]


def check(model, split, tmp_path):
    found = reference.compute([model], [split], tmp_path)[split][model]
    assert set(found) == set(PROMISED[split][model])
    assert not missed(found, split, model), found


@pytest.mark.parametrize(
    "model", [pytest.param(one, marks=[pytest.mark.slow] if one in SLOW else []) for one in reference.MODELS]
)
def test_models_keep_their_promise_on_the_temporal_split(model, tmp_path):
    check(model, "temporal", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("split", [split for split in reference.SPLITS if split != "temporal"])
@pytest.mark.parametrize("model", reference.MODELS)
def test_models_keep_their_promise_on_every_split(model, split, tmp_path):
    check(model, split, tmp_path)


def test_lists_that_hold_what_the_user_rated_in_valid_would_be_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = mfx.run("model=bias", "split=temporal", "tracking=console", "figures=false")
    metrics = mfx.create_metrics(reference.METRICS)
    for seen, off in ((run.split.train_and_valid, []), (run.split.train, ["ndcg@10", "precision@10", "recall@10"])):
        assert missed(mfx.evaluate(run.model, seen, run.split.test, metrics).values, "temporal", "bias") == off


def test_no_number_may_be_off_by_much_of_what_it_guards():
    for split, models in PROMISED.items():
        for model, numbers in models.items():
            for metric, value in numbers.items():
                rest = [other[metric] for name, other in models.items() if name != model and metric in other]
                guarded = min(abs(value - one) for one in rest) if metric in ERRORS else value
                assert tolerance(split, model, metric) <= 0.3 * guarded + 2e-6, (split, model, metric)


def test_the_tables_of_the_readme_are_those_numbers():
    text = reference.README.read_text(encoding="utf-8")
    assert reference.readme_with(text, PROMISED) == text


@pytest.mark.parametrize("split", ["random", "temporal", "item_stratified", "kfold", "predefined"])
def test_the_promised_numbers_say_what_a_reader_expects(split):
    """Each model earns its place: factors beat biases, genres plain factors, averages both; bpr beats popularity."""
    numbers = PROMISED[split]
    rmse = {model: numbers[model]["rmse"] for model in ("bayes_mf", "genre_als", "als", "bias")}
    assert rmse["bayes_mf"] < rmse["genre_als"] < rmse["als"] < rmse["bias"]
    assert numbers["bpr"]["ndcg@10"] > 1.2 * numbers["popularity"]["ndcg@10"]


def test_genres_help_where_items_have_no_ratings():
    numbers = PROMISED["cold_items"]
    for model in ("genre_als", "bayes_mf"):
        assert numbers[model]["rmse"] < numbers["als"]["rmse"]
        assert numbers[model]["rmse"] < numbers["bias"]["rmse"]
