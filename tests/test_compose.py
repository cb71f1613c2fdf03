from dataclasses import dataclass

import pytest

from mfx import compose, registry
from mfx.compose import complaints, nodes
from mfx.errors import DataError, MetricError, MFXError, PluginError, SettingError, UnknownName
from mfx.registry import register
from mfx.settings import Component, setting


@pytest.fixture
def plan(toy):
    return lambda *overrides, **extra: compose.build(compose.compose([*toy.choices, *overrides], **extra))


def test_defaults_are_those_of_the_classes_and_the_seed_reaches_every_component(plan):
    config = plan("seed=7").config
    assert config["model"] == {
        "name": "toy_model",
        "epochs": 12,
        "learning_rate": 0.02,
        "spoil_after": 6,
        "raises": False,
        "seed": 7,
    }
    assert config["split"]["seed"] == config["dataset"]["seed"] == 7
    assert plan("seed=7", "model.seed=3").config["model"]["seed"] == 3


def test_keys_come_in_the_order_of_the_flow(plan):
    assert [key for key in plan().config if key in registry.KINDS] == [
        "dataset",
        "split",
        "model",
        "engine",
        "tracking",
    ]


def test_components_get_the_composed_settings(plan):
    made = plan("model.epochs=3", "model.learning_rate=1", "dataset.columns={a: b}", "dataset.columns.c=d", "tags.x=y")
    assert (made.model.epochs, made.model.learning_rate) == (3, 1.0)
    assert made.dataset.columns == {"a": "b", "c": "d"}
    assert made.config["tags"] == {"x": "y"}


def test_metrics_are_named_and_the_objective_is_among_them(plan):
    made = plan("metrics=[ndcg@5,mae]")
    assert list(made.metrics) == ["ndcg@5", "mae", "rmse"]
    assert made.metrics["ndcg@5"].k == 5
    assert made.objective == "rmse"
    assert list(plan("metrics=[rmse]", "objective=ndcg@3").metrics) == ["rmse", "ndcg@3"]


def test_settings_of_one_metric_stand_under_its_name(plan):
    made = plan("metrics=[ndcg@5]", "evaluation.ndcg.gain=exponential", "evaluation.relevance_threshold=4")
    assert made.metrics["ndcg@5"].gain == "exponential"
    assert made.evaluation.relevance_threshold == 4.0


@pytest.mark.parametrize(
    ("override", "kind", "parts"),
    [
        ("model=toy_modle", UnknownName, ["no model called 'toy_modle'", "Did you mean 'toy_model'?", "toy_ranking"]),
        ("model.learing_rate=3", SettingError, ["'learing_rate'", "Did you mean 'learning_rate'?"]),
        ("model.learning_rate=abc", SettingError, ["model.learning_rate", "'abc' is not a number"]),
        ("model.epochs=3.5", SettingError, ["model.epochs", "not a whole number"]),
        ("model.learning_rate=-1", SettingError, ["learning_rate=-1", "above 0"]),
        ("model.learning_rate=nan", SettingError, ["learning_rate=nan", "finite"]),
        ("model.learning_rate=null", SettingError, ["model.learning_rate", "null is not one"]),
        ("modle=x", SettingError, ["'modle'", "Did you mean 'model'?"]),
        ("foo", compose.ConfigError, ["'foo'", "name=value"]),
        ("metrics=[rmse", compose.ConfigError, ["metrics=[rmse"]),
        ("metrics=rmse", SettingError, ["metrics", "a list is expected"]),
        ("metrics=[ndgc@10]", UnknownName, ["'ndgc'", "Did you mean 'ndcg'?"]),
        ("metrics=[rmse@10]", MetricError, ["rmse@10"]),
        ("metrics=[rmse,rmse]", MetricError, ["twice"]),
        ("objective=auk", UnknownName, ["'auk'", "Did you mean 'auc'?"]),
        ("evaluation.tyes=x", SettingError, ["'evaluation' has no setting 'tyes'", "Did you mean 'ties'?"]),
        ("evaluation.ties=x", SettingError, ["ties='x'"]),
        ("early_stopping.patience=0", SettingError, ["patience=0", "at least 1"]),
        ("seed=-1", SettingError, ["seed=-1", "at least 0"]),
        ("+foo=3", SettingError, ["'foo'"]),
        ("+model.foo=3", SettingError, ["'model' has no setting 'foo'"]),
        ("model.epochs=???", SettingError, ["model.epochs has no value yet"]),
        ("model.epochs=${nowhere}", SettingError, ["model.epochs", "nowhere"]),
        ("~model", SettingError, ["No model is chosen", "toy_model"]),
        ("model=null", compose.ConfigError, ["config group"]),
        ("model=toy_model,toy_ranking", compose.ConfigError, ["several values", "-m"]),
        ("+model=toy_ranking", compose.ConfigError, ["'model' is chosen twice"]),
        ("model.name=toy_split", UnknownName, ["no model called 'toy_split'"]),
        ("model.name=toy_ranking", SettingError, ["'model' has no setting 'epochs'"]),
        ("dataset.columns={a: [1]}", SettingError, ["dataset.columns.a", "not text"]),
        ("model._target_=os.system", SettingError, ["_target_", "never followed"]),
        ("+model._target_=os.system", SettingError, ["'model' holds _target_"]),
        ("++dataset.columns._target_=os.system", SettingError, ["'dataset.columns' holds _target_"]),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(plan, toy, override, kind, parts):
    with pytest.raises(kind) as caught:
        plan(override)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    assert toy.Toy.loaded == 0


def test_an_objective_that_the_model_cannot_have_is_refused(plan):
    with pytest.raises(MetricError, match=r"objective=rmse needs predicted ratings.*objective=ndcg@10"):
        plan("model=toy_ranking", "objective=rmse")


def write(folder, **files):
    for name, text in files.items():
        path = folder / "model" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def test_presets_are_found_by_name_in_the_node_not_by_file(plan, tmp_path):
    folder = write(tmp_path, quick="defaults: [toy_model]\nepochs: 2\n", bare="name: toy_model\nepochs: 4\n")
    assert plan("model=quick", config_dir=folder).model.epochs == 2
    bare = plan("model=bare", "seed=5", config_dir=folder)
    assert (type(bare.model).__name__, bare.model.epochs, bare.model.seed) == ("ToyModel", 4, 5)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("defaults: [toy_model]\nepochz: 2\n", "no setting 'epochz' (in model/mine.yaml)"),
        ("defaults: [toy_model]\nepochs: many\n", "model.epochs (in model/mine.yaml): 'many' is not a whole number"),
        ("name: toy_model\nepochs: many\n", "model.epochs: 'many' is not a whole number"),
        ("name: toy_model\nepochz: 2\n", "'model' has no setting 'epochz'"),
        ("defaults: [toy_model]\n_target_: os.system\n", "_target_"),
        ("epochs: 2\n", "The node 'model' has no name"),
        ("name: toy_model\nepochs: ???\n", "model.epochs has no value yet"),
        ("name: [1\n", "not valid YAML"),
        ("defaults: [toy_modle]\n", "no model called 'toy_modle' (in model/mine.yaml). See mfx list model."),
    ],
)
def test_a_wrong_preset_is_refused(plan, tmp_path, text, part):
    with pytest.raises(MFXError) as caught:
        plan("model=mine", config_dir=write(tmp_path, mine=text))
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_preset_may_not_hide_a_component(plan, tmp_path):
    folder = write(tmp_path, toy_model="name: toy_ranking\n")
    with pytest.raises(compose.ConfigError, match=r"toy_model.yaml is called like the model of package"):
        plan(config_dir=folder)
    with pytest.raises(compose.ConfigError, match="no folder"):
        plan(config_dir=tmp_path / "nowhere")


def test_own_presets_hide_nothing_and_compose(toy):
    compose.check_folder(compose.conf_dir())
    for group, paths in compose.presets(compose.conf_dir()).items():
        if group == compose.EXPERIMENT:
            continue  # tests/test_named_experiments.py
        for path in paths:
            others = [choice for choice in toy.choices if not choice.startswith(f"{group}=")]
            config = compose.compose([*others, f"{group}={path.stem}"])
            assert compose.complete(config)[group]["name"]


def test_nothing_of_hydra_stays_behind(plan):
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra

    plan()
    before = dict(ConfigStore.instance().repo)
    plan()
    assert ConfigStore.instance().repo == before
    assert "model" not in ConfigStore.instance().repo
    assert not GlobalHydra.instance().is_initialized()
    with pytest.raises(SettingError):
        plan("model.nothing=1")
    assert not GlobalHydra.instance().is_initialized()


def test_settings_that_cannot_be_composed_name_their_owner():
    with registry.temporarily():

        @register("model", "odd")
        @dataclass(kw_only=True)
        class Odd(Component):
            size: complex = setting(1j)

        with pytest.raises(PluginError, match="model 'odd' of package"):
            nodes.node_class(registry.get("model", "odd"))


def test_a_setting_called_name_is_refused():
    with registry.temporarily():

        @dataclass(kw_only=True)
        class Named(Component):
            name: str = setting("x")

        register("model", "named")(Named)
        with pytest.raises(PluginError, match="is called 'name'"):
            nodes.node_class(registry.get("model", "named"))


def test_flattened_settings_are_text():
    config = {"a": {"b": 1.5, "c": None, "d": {"e": True}}, "f": ["x", "y"]}
    assert compose.flatten(config) == {"a.b": "1.5", "a.c": "null", "a.d.e": "true", "f": "x,y"}


def test_errors_that_are_not_about_configuration_are_left_alone():
    assert complaints.explain(KeyError("x")) is None
    own = DataError("x")
    assert complaints.explain(own) is own


def test_every_registered_component_can_be_composed():
    for entry in registry.available():
        node = nodes.typed(nodes.node_class(entry))
        assert node.name == entry.name
