"""Ratings of test that are absurd in the file change nothing but the score on test: not even what is derived first."""

import numpy as np
import pytest

import mfx
from mfx import compose
from mfx.errors import SettingError

SETTINGS = {
    "popularity": (),
    "bias": (),
    "als": ("model.factors=3", "model.epochs=6"),
    "genre_als": ("model.factors=3", "model.epochs=6"),
    "bayes_mf": ("model.factors=3", "model.epochs=6"),
    "bpr": ("model.factors=3", "model.epochs=6"),
}
CLIPPING = ("bias", "als", "genre_als", "bayes_mf")
ABSURD = 100.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write ratings, the same with absurd ones where `split=random` takes its test, and items; 60 users, 40 items."""
    folder = tmp_path_factory.mktemp("poison")
    rng = np.random.default_rng(3)
    users, items = np.nonzero(rng.random((60, 40)) < 0.4)
    liking = rng.normal(3, 0.6, 60)[users] + rng.normal(0, 0.6, 40)[items]
    values = np.clip(np.round(2 * liking) / 2, 1, 5)
    times = rng.integers(1_000_000_000, 1_000_100_000, users.size)
    split = mfx.create("split", "random").split(mfx.Ratings.from_columns(users, items, values, times))
    test = set(zip(split.test.users.tolist(), split.test.items.tolist(), strict=True))
    for name in ("clean", "poisoned"):
        lines = ["user_id,item_id,rating,timestamp"]
        for user, item, value, time in zip(users, items, values, times, strict=True):
            if name == "poisoned" and (int(user), int(item)) in test:
                value = ABSURD if item % 2 else -ABSURD
            lines.append(f"{user},{item},{value},{time}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    genres = (
        "item_id,title,genres",
        *(f"{item},Film {item} ({1990 + item % 20}),{'AB'[item % 2]}" for item in range(40)),
    )
    (folder / "items.csv").write_text("\n".join(genres) + "\n")
    return folder


@pytest.mark.parametrize("declared", [False, True], ids=["undeclared", "declared"])
@pytest.mark.parametrize(
    ("model", "clip"), [(name, clip) for name in SETTINGS for clip in (False, *([True] if name in CLIPPING else []))]
)
def test_absurd_ratings_of_test_change_nothing_but_the_score_on_test(
    files, tmp_path, monkeypatch, model, clip, declared
):
    monkeypatch.chdir(tmp_path)
    common = [
        "dataset=table", "dataset.cache=false", "split=random", f"model={model}", *SETTINGS[model],
        f"dataset.items_path={files / 'items.csv'}", "metrics=[rmse,ndcg@10]", "tracking=console", "figures=false",
    ]  # fmt: skip
    common += ["model.clip=true"] if clip else []
    common += [f"dataset.rating_min={-ABSURD}", f"dataset.rating_max={ABSURD}"] if declared else []
    clean, poisoned = (mfx.run(*common, f"dataset.path={files / name}.csv") for name in ("clean", "poisoned"))
    assert (poisoned.split.test.values.min(), poisoned.split.test.values.max()) == (-ABSURD, ABSURD)
    assert clean.curves == poisoned.curves
    for name, array in clean.model.state().items():
        np.testing.assert_array_equal(array, poisoned.model.state()[name], err_msg=name)
    assert clean.model.scale_ == poisoned.model.scale_
    same = [name for name in clean.metrics if name.startswith(("valid/", "train/", "fit/")) or "ndcg" in name]
    assert {name: clean.metrics[name] for name in same} == {name: poisoned.metrics[name] for name in same}
    assert any(name.startswith("valid/") for name in same)
    if clean.model.predicts == "ratings":
        assert poisoned.metrics["test/rmse"] > 50 > clean.metrics["test/rmse"]


@pytest.mark.parametrize("split", ["temporal", "global_temporal", "leave_last_out"])
@pytest.mark.parametrize("model", ["genre_als", "bayes_mf"])
def test_tags_of_all_times_are_no_features_under_a_rule_by_time(model, split, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [f"model={model}", "model.item_features=[genres,tags]"]
    with pytest.raises(SettingError, match=f"tags, which people also gave after what split={split} learns from"):
        mfx.run("dataset=movielens_demo", f"split={split}", *words)
    compose.build(compose.compose(["dataset=movielens_demo", "split=random", *words]))
