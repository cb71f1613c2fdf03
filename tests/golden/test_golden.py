"""Every built-in model on every split of real ratings gives the numbers that were promised."""

import importlib.util
import json
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("mfx_reference", Path(__file__).parent / "reference.py")
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

PROMISED = json.loads(reference.REFERENCE.read_text())

# Sums in float32 differ a little between processors; stochastic descent lets such differences grow.
TOLERANCE = {"bpr": 0.01, "bayes_mf": 0.01}
SLOW = {"bayes_mf"}


def check(model, split, tmp_path):
    found = reference.compute([model], [split], tmp_path)[split][model]
    assert set(found) == set(PROMISED[split][model])
    for metric, value in PROMISED[split][model].items():
        assert found[metric] == pytest.approx(value, abs=TOLERANCE.get(model, 0.002)), metric


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
