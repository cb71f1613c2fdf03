"""What a ranking is measured by: the same metrics of the most popular items, which anybody gets without a model."""

from __future__ import annotations

from collections.abc import Mapping

from mfx import registry
from mfx.compose import Plan
from mfx.interfaces import Split

PREFIX = "popularity/"
"""Beginning of the names of these numbers among the metrics of a run."""

_DECIMALS = 4


def popularity_on_test(plan: Plan, split: Split) -> dict[str, float]:
    """Score popularity on test, by the ranking metrics of the plan.

    One pass over the users of test: popularity has one score for each item and is fitted by counting.

    Returns
    -------
    dict of str to float
        Such as ``"popularity/ndcg@10"``; empty without ranking metrics, without test, or where the model of the plan
        is popularity itself.
    """
    metrics = {name: metric for name, metric in plan.metrics.items() if metric.needs != "ratings"}
    if not metrics or not len(split.test) or plan.config["model"]["name"] == "popularity":
        return {}
    seen = split.train_and_valid
    model = registry.create("model", "popularity").fit(seen)
    values, _ = plan.engine.evaluate(model, seen, split.test, metrics, plan.evaluation)
    return {f"{PREFIX}{name}": value for name, value in values.items()}


def notes(plan: Plan, test: Mapping[str, float], popularity: Mapping[str, float]) -> list[str]:
    """Say in a line if the model's lists are worse than those of popularity, and which models are made for lists.

    Parameters
    ----------
    plan : Plan
        Whose model it is.
    test : mapping of str to float
        The model's metrics on test, such as ``"ndcg@10"``.
    popularity : mapping of str to float
        What `popularity_on_test` returned.
    """
    for name, metric in plan.metrics.items():
        level, value = popularity.get(f"{PREFIX}{name}"), test.get(name)
        if level is None or value is None:
            continue
        # As they are shown, because sums of equal terms may differ in the last bit.
        level, value = round(level, _DECIMALS), round(value, _DECIMALS)
        if not (value < level if metric.higher_is_better else value > level):
            continue
        numbers = f"{level:.{_DECIMALS}f} against {value:.{_DECIMALS}f}"
        line = f"By {name} popularity is better than {plan.config['model']['name']}: {numbers}."
        if plan.model.predicts == "ranking":
            return [line]
        ranking = [
            entry.name
            for entry in registry.available("model")
            if getattr(entry.component, "predicts", "") == "ranking" and entry.name != "popularity"
        ]
        return [f"{line} It predicts ratings; for lists, try a ranking model: model={' or model='.join(ranking)}."]
    return []
