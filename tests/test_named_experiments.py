"""Every file of conf/experiment composes, says how it is run, and can be run again from its resolved settings."""

import itertools
import re
import shlex

import pytest

from mfx import compose
from mfx.cli.main import main

FILES = sorted((compose.conf_dir() / "experiment").glob("*.yaml"))
SECOND_DATA = "dataset=ml_32m"


def head(path):
    return list(itertools.takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines()))


def settings(*overrides):
    return compose.complete(compose.compose(overrides))


def test_both_studies_are_there():
    names = {path.stem for path in FILES}
    assert names >= {"koto_bias", "koto_als", "fokam_bias", "fokam_als", "fokam_genre_als", "fokam_ranking"}
    assert names >= {"fokam_grid", "fokam_random", "fokam_tuning", "fokam_bias_search", "fokam_capacity"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_composes_on_its_data_and_on_others_and_says_its_command(path):
    package, command, told = head(path)
    assert package == "# @package _global_"  # Hydra reads it before any other comment, or not at all
    words = shlex.split(command.removeprefix("# "))
    assert words[0] == "mfx"
    assert words[-1] == f"experiment={path.stem}"
    assert told.endswith(".")
    plan = compose.build(compose.compose([words[-1]]))
    published = re.search(r"ml_\d+[km]$", path.stem)  # studies of one data set's own protocol are named after it
    data = plan.config["dataset"]
    assert data.get("label", data["name"]) == (published[0] if published else "movielens_demo")
    assert plan.config["tags"]["experiment"] == path.stem
    assert plan.config["tags"]["description"]
    other = compose.build(compose.compose([words[-1], SECOND_DATA, "dataset.path=ml-32m.zip"]))
    assert other.config["dataset"]["label"] == "ml_32m"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_it_sweeps_are_settings_of_it(path):
    import hydra

    words = shlex.split(head(path)[1].removeprefix("# "))
    compose.fill_store()
    from mfx.sweep import settings as sweep_settings

    sweep_settings.fill_store()
    with hydra.initialize_config_dir(str(compose.conf_dir()), job_name="mfx", **compose.hydra_base()):
        whole = hydra.compose("config", overrides=[words[-1]], return_hydra_config=True)
    params = dict(whole.hydra.sweeper.get("params") or {})
    assert bool(params) == (words[1] in ("-m", "sweep"))
    searched = str(whole.hydra.sweeper._target_).startswith("hydra_plugins.mfx")
    assert searched == (words[1] == "sweep")
    for name in params:
        group, _, setting = name.partition(".")
        node = settings(words[-1])[group]
        assert not setting or setting in node


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_settings_make_a_command_that_makes_its_settings(path):
    config = settings(f"experiment={path.stem}", "seed=3")
    again = settings(*shlex.split(compose.command(config))[1:])
    for name in ("experiment_name", "tags", "run_name"):
        config.pop(name), again.pop(name)
    assert again == config


@pytest.mark.parametrize(
    ("overrides", "shortest"),
    [
        ([], "mfx dataset=movielens_demo split=temporal model=genre_als"),
        (["model=als_fokam"], "mfx dataset=movielens_demo split=temporal model=als_fokam"),
        (["model=als", "model.reg=5.02"], "mfx dataset=movielens_demo split=temporal model=als model.reg=5.02"),
        (
            ["model.seed=5", "seed=2", "refit=false", "metrics=[rmse]", "split=random"],
            "mfx dataset=movielens_demo split=random model=genre_als model.seed=5 'metrics=[rmse]' refit=false seed=2",
        ),
        (
            ["dataset=ml_1m", "dataset.path='/a b/x.zip'", "evaluation.relevance_threshold=4"],
            None,
        ),
        (["early_stopping.enabled=false", "model.user_reg=1e-7", "evaluation.ndcg.gain=rating", "objective=mae"], None),
    ],
)
def test_the_command_is_short_and_exact(overrides, shortest):
    config = settings(*overrides)
    written = compose.command(config)
    if shortest is not None:
        assert sorted(shlex.split(written)) == sorted(shlex.split(shortest))
    assert settings(*shlex.split(written)[1:]) == config


def test_experiments_are_listed_with_a_sentence_and_their_command(capsys):
    assert main(["list", "experiment"]) == 0
    said = capsys.readouterr().out
    for path in FILES:
        _, command, told = head(path)
        assert told.removeprefix("# ") in said
        assert f"      {command.removeprefix('# ')}\n" in said


def test_genre_als_of_the_report_knows_genres_alone_and_pulls_no_biases():
    for experiment in ("fokam_genre_als", "fokam_tuning"):
        model = settings(f"experiment={experiment}")["model"]
        assert (model["item_features"], model["user_features"], model["feature_bias"]) == (["genres"], [], False)
    assert settings("experiment=fokam_genre_als")["model"]["genre_update"] == "factors"
