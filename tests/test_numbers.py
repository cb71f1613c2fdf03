"""Every built-in model through the public door where numbers are extreme: a right result, or one line of advice."""

import numpy as np
import pytest

import mfx
from mfx import registry

DATA = ("dataset=table", "dataset.user_column=user", "dataset.item_column=item", "dataset.rating_column=rating",
        "dataset.timestamp_column=time", "split=random")  # fmt: skip
QUICK = ("figures=false", "tracking=console", "metrics=[rmse,ndcg@5,auc]")
MODELS = [entry.name for entry in registry.available("model") if entry.package == "mfx"]


def settings_of(model):
    return registry.create("model", model).settings()


def of(ending, model):
    return [name for name in settings_of(model) if name.endswith(ending)]


def table(n_users=30, n_items=20, share=0.5):
    rng = np.random.default_rng(1)
    users, items = np.nonzero(rng.random((n_users, n_items)) < share)
    return np.column_stack(
        [users, items, rng.integers(1, 11, users.size) / 2, rng.integers(10**9, 2 * 10**9, users.size)]
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(model, rows, *overrides):
        lines = ["user,item,rating,time", *(f"{u:.0f},{i:.0f},{r!r},{t:.0f}" for u, i, r, t in rows.tolist())]
        (tmp_path / "ratings.csv").write_text("\n".join(lines))
        known = settings_of(model)
        own = {"epochs": "4", "item_features": "[constant,count]"}
        choices = [f"model.{name}={value}" for name, value in own.items() if name in known]
        found = mfx.run(*DATA, *QUICK, f"model={model}", "dataset.path=ratings.csv", *choices, *overrides)
        values = {name: value for name, value in found.metrics.items() if name.startswith(("valid/", "test/", "fit/"))}
        assert "test/ndcg@5" in values
        assert np.isfinite(list(values.values())).all()
        return values

    return run


@pytest.mark.parametrize("model", MODELS)
def test_neither_the_order_of_rows_nor_the_size_of_blocks_changes_a_number(run, model):
    rows = table()
    expected = run(model, rows)
    assert run(model, np.random.default_rng(2).permutation(rows), "evaluation.block_size=3") == expected


@pytest.mark.parametrize("model", [model for model in MODELS if "factors" in settings_of(model)])
@pytest.mark.parametrize("factors", [1, 200])
def test_one_factor_and_more_factors_than_ratings_of_anybody_are_fitted(run, model, factors):
    values = run(model, table(), f"model.factors={factors}")
    assert values.get("test/rmse", 0.0) < 4.5  # the width of the scale; four sweeps of a sampler are few


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "rows",
    [table(1, 20, 0.9), table(20, 1, 0.9), table() * [1, 1, 0, 1] + [0, 0, 3, 0]],
    ids=["one user", "one item", "equal ratings"],
)
def test_what_carries_no_information_is_fitted(run, model, rows):
    run(model, rows)


@pytest.mark.parametrize("model", [model for model in MODELS if of("reg", model)])
def test_without_penalties_numbers_stay_numbers(run, model):
    """Rows with fewer ratings than factors have no single minimiser then."""
    free = [f"model.{name}=0" for name in of("reg", model) if name != "genre_reg"]  # which must be above zero
    values = run(model, table(share=0.2), *free)
    assert values.get("test/rmse", 0.0) < 1e3


@pytest.mark.parametrize("model", MODELS)
def test_ratings_whose_squares_overflow_are_refused_or_not_looked_at(run, model):
    rows = table()
    huge = rows * np.array([1, 1, 1e30, 1])
    if registry.create("model", model).predicts == "ranking":
        assert run(model, huge) == run(model, rows)
        return
    with pytest.raises(mfx.ModelError, match="diverged in epoch 1") as caught:
        run(model, huge)
    assert "extreme ratings" in caught.value.hint


@pytest.mark.parametrize("model", [model for model in MODELS if of("learning_rate", model)])
@pytest.mark.parametrize("rate", [10.0, 1e30])
def test_steps_that_are_too_long_are_told(run, model, rate):
    with pytest.raises(mfx.ModelError, match=r"diverged in epoch \d+") as caught:
        run(model, table(), f"model.learning_rate={rate}")
    assert "Lower learning_rate" in caught.value.hint


@pytest.mark.parametrize(
    ("model", "name"), [(m, n) for m in MODELS for end in ("reg", "weight") for n in of(end, m) if not of("rate", m)]
)
def test_penalties_that_single_precision_cannot_hold_are_refused(run, model, name):
    with pytest.raises(mfx.SettingError, match=rf"{name}=1e\+39 must be at most 1e\+30"):
        run(model, table(), f"model.{name}=1e39")


@pytest.mark.parametrize("name", ["bias_reg", "genre_weight"])
def test_penalties_beyond_all_measure_end_in_advice(run, name):
    with pytest.raises(mfx.ModelError, match="diverged in epoch 2") as caught:
        run("genre_als", table(), f"model.{name}=1e30")
    assert "nearer to their defaults" in caught.value.hint
