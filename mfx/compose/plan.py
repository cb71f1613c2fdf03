"""From a composed configuration to the components of a run, everything checked before data is read."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mfx import registry
from mfx.compose import complaints, nodes
from mfx.errors import MetricError, SettingError, did_you_mean
from mfx.interfaces import Dataset, Engine, Metric, Model, Splitter, Tracker
from mfx.models.early_stopping import EarlyStopping
from mfx.settings import settings_of
from mfx.split.checks import name_of

if TYPE_CHECKING:
    from mfx.metrics.evaluation import EvaluationSettings


@dataclass(frozen=True)
class Plan:
    """What a run will do: its components, made and checked, and the settings that made them.

    Attributes
    ----------
    config : dict
        The resolved configuration as plain values; every setting that says what is done is there.
    metrics : dict of str to Metric
        By name as typed, such as ``"ndcg@10"``, or with sampled candidates ``"ndcg@10_sampled_99"``; the objective is
        among them.
    objective : str
        Metric on valid that early stopping watches and that the run returns.
    resume : bool
        Whether a run with the same configuration that was cut off goes on in place of a new one.
    checkpoint_minutes : float
        Minutes of fitting after which the state of the fit is kept; 0 keeps every epoch, infinity nothing.
    """

    config: dict[str, Any]
    dataset: Dataset
    splitter: Splitter
    model: Model
    metrics: dict[str, Metric]
    objective: str
    evaluation: EvaluationSettings
    early_stopping: EarlyStopping
    refit: bool
    engine: Engine
    tracker: Tracker
    resume: bool = False
    checkpoint_minutes: float = 10.0

    @property
    def name(self) -> str:
        """Name of the run: as given, otherwise from the names of model and split."""
        return label(self.config)

    @property
    def packages(self) -> dict[str, str]:
        """Third parties' packages that components of the run come from, with the module of each."""
        chosen = [(group, str(self.config[group]["name"])) for group in nodes.GROUPS]
        measured = [("metric", str(type(metric).name)) for metric in self.metrics.values()]  # type: ignore[attr-defined]
        entries = [registry.get(*one) for one in [*chosen, *measured]]
        return {one.package: one.component.__module__.partition(".")[0] for one in entries if one.package != "mfx"}

    def fresh_model(self, epochs: int | None = None) -> Model:
        """Make the model anew, unfitted; `epochs` replaces its own number where it has that setting."""
        node = dict(self.config["model"])
        name = node.pop("name")
        if epochs and "epochs" in node:
            node["epochs"] = epochs
        model: Model = registry.create("model", name, node)
        return model


def label(config: Mapping[str, Any]) -> str:
    """Name a run after its configuration: ``run_name``, or MODEL_SPLIT."""
    given = config.get("run_name")
    return str(given) if given else f"{config['model']['name']}_{config['split']['name']}"


def build(config: Any) -> Plan:
    """Make the components that a composed configuration describes.

    Parameters
    ----------
    config : omegaconf.DictConfig or mapping
        As composed by Hydra; a node of a component needs no more than its ``name``.

    Raises
    ------
    MFXError
        If a name is unknown, a setting is unknown, missing, mistyped or out of range, or the objective does not
        suit the model.
    """
    from mfx.metrics.names import full_name, under_protocol

    plain = complete(config)
    made = {group: _create(group, plain[group]) for group in nodes.GROUPS}
    nodes.checked_seed(plain["seed"])
    resume, checkpoint_minutes = plain.pop("resume"), nodes.checked_minutes(plain.pop("checkpoint_minutes"))
    objective = full_name(plain["objective"] or made["model"].objective)
    metrics = _metrics(plain["metrics"], objective, plain["evaluation"])
    _check_objective(objective, metrics[objective], plain["model"]["name"], made["model"])
    _check_tags(made["model"], made["split"])
    made["engine"].check(made["dataset"], made["split"], made["model"], metrics)
    evaluation = _evaluation(plain["evaluation"])
    names = {name: under_protocol(name, metric, evaluation) for name, metric in metrics.items()}
    return Plan(
        config=plain,
        dataset=made["dataset"],
        splitter=made["split"],
        model=made["model"],
        metrics={names[name]: metric for name, metric in metrics.items()},
        objective=names[objective],
        evaluation=evaluation,
        early_stopping=EarlyStopping(**plain["early_stopping"]),
        refit=plain["refit"],
        engine=made["engine"],
        tracker=made["tracking"],
        resume=resume,
        checkpoint_minutes=checkpoint_minutes,
    )


def _check_tags(model: Any, splitter: Any) -> None:
    """Refuse to learn from tags of all times where what is held out is meant to be the future."""
    if "tags" in (getattr(model, "item_features", None) or ()) and getattr(splitter, "leak_free", "none") != "none":
        raise SettingError(
            f"model.item_features names tags, which people also gave after what split={name_of(splitter)} learns from.",
            "Leave tags out, or use a split that is not by time, such as split=random.",
        )


def complete(config: Any) -> dict[str, Any]:
    """Check a composed configuration against the settings of its components and return it whole and resolved.

    Components are looked up by the ``name`` in their node, whatever the group choice was.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    raw = OmegaConf.to_container(config, resolve=False) if OmegaConf.is_config(config) else dict(config)
    assert isinstance(raw, dict)
    raw.setdefault("engine", {"name": "local"})  # configurations of runs made before there were engines
    _refuse_targets(raw)
    schema = nodes.typed(nodes.root_class())
    for group in nodes.GROUPS:
        entry = registry.get(group, _name(group, raw.get(group)))
        schema[group] = nodes.typed(nodes.node_class(entry))
    _refuse_gaps(raw)
    try:
        whole = OmegaConf.merge(schema, raw)
        resolved = OmegaConf.to_container(whole, resolve=True)
    except (OmegaConfBaseException, ValueError) as error:
        raise complaints.explain(error) or SettingError(str(error)) from error
    assert isinstance(resolved, dict)
    _check_shapes(resolved)
    _check_texts(resolved["tags"], "tags")
    for group in nodes.GROUPS:
        for info in settings_of(registry.get(group, resolved[group]["name"]).component).values():
            if typing.get_origin(info.type) is dict:
                _check_texts(resolved[group][info.name], f"{group}.{info.name}")
    return {str(key): value for key, value in resolved.items()}


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten a configuration to ``model.factors`` → ``"20"``; lists become ``a,b``, null becomes ``null``."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = _text(value)
    return flat


def parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """Flatten what a tracker keeps as parameters: all settings but a run's name and tags."""
    return {name: text for name, text in flatten(config).items() if name != "run_name" and not name.startswith("tags.")}


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def _name(group: str, node: Any) -> str:
    exists = did_you_mean("", [entry.name for entry in registry.available(group)])
    if not isinstance(node, Mapping):
        raise SettingError(f"No {group} is chosen.", f"Write {group}=NAME. {exists}")
    name = node.get("name")
    if not isinstance(name, str) or name in ("", "???"):
        raise SettingError(f"The node '{group}' has no name, so no component can be found.", f"Set it. {exists}")
    return name


def _refuse_targets(node: Any, where: str = "") -> None:
    if isinstance(node, Mapping):
        if "_target_" in node:
            raise complaints.target_refused(where or "the configuration")
        for key, value in node.items():
            _refuse_targets(value, f"{where}.{key}" if where else str(key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            _refuse_targets(value, f"{where}[{place}]")


def _refuse_gaps(node: Any, where: str = "") -> None:
    if node == "???":
        raise complaints.missing_value(where)
    if isinstance(node, Mapping):
        for key, value in node.items():
            _refuse_gaps(value, f"{where}.{key}" if where else str(key))


def _check_shapes(resolved: Mapping[Any, Any]) -> None:
    # OmegaConf lets an interpolation put anything where a list or a node is declared.
    names = resolved["metrics"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingError(f"metrics: {names!r} is no list of names.", "Write metrics=[rmse,ndcg@10].")
    for node in (*nodes.GROUPS, "evaluation", "early_stopping", "tags"):
        if not isinstance(resolved[node], Mapping):
            raise SettingError(f"{node}: {resolved[node]!r} is no node of settings.", f"Write {node}.NAME=VALUE.")


def _check_texts(texts: Mapping[str, Any], where: str) -> None:
    # OmegaConf lets lists and mappings into a mapping that is declared to hold text.
    for key, value in texts.items():
        if not isinstance(value, str):
            raise SettingError(f"{where}.{key}: {value!r} is not text.")


def _create(group: str, node: Mapping[str, Any]) -> Any:
    settings = {key: value for key, value in node.items() if key != "name"}
    return registry.create(group, node["name"], settings)


def _evaluation(node: Mapping[str, Any]) -> EvaluationSettings:
    from mfx.metrics.evaluation import EvaluationSettings

    return EvaluationSettings(**{name: node[name] for name in settings_of(EvaluationSettings)})


def _metrics(typed: list[str], objective: str, evaluation: Mapping[str, Any]) -> dict[str, Metric]:
    """Make the metrics that were asked for, and the objective if it is not among them."""
    from mfx.metrics.names import full_name

    return metrics_of([*typed, *([] if objective in map(full_name, typed) else [objective])], evaluation)


def metrics_of(names: Iterable[str], evaluation: Mapping[str, Any]) -> dict[str, Metric]:
    """Make metrics by their typed names, with the settings that the node ``evaluation`` has for each.

    Raises
    ------
    MFXError
        As `mfx.metrics.names.create_metrics` does.
    """
    from mfx.metrics.names import create_metrics, parse

    asked = list(names)
    own = {name: evaluation[name] for name in {parse(one)[0] for one in asked} if name in _own_nodes(evaluation)}
    return create_metrics(asked, own)


def _own_nodes(evaluation: Mapping[str, Any]) -> list[str]:
    return [name for name, node in evaluation.items() if isinstance(node, Mapping)]


def _check_objective(objective: str, metric: Metric, name: str, model: Model) -> None:
    if metric.needs == "ratings" and model.predicts != "ratings":
        raise MetricError(
            f"objective={objective} needs predicted ratings, and model '{name}' predicts a ranking only.",
            f"Choose a ranking metric, such as objective={type(model).objective}.",
        )
