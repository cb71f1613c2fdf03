"""One contest in a process of its own: tune a model on train and valid, refit it on both, score test once.

    python contest.py '{"choices": [...], "settings": {...}, "tuned": true, "minutes": 0.5}'

prints one line of JSON. The same code does it for MFX's models and for peers, on the same split.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mfx import compose, experiment, registry
from mfx.errors import MFXError
from mfx.metrics.evaluation import evaluate
from mfx.settings import settings_of
from mfx.split.checks import divide
from mfx.sweep import space as search


@dataclass(frozen=True)
class Tuned:
    """What came of tuning.

    Attributes
    ----------
    settings : dict
        The best settings, the number of epochs among them where fits were stopped on valid.
    value : float
        Their objective on valid.
    trials, failed : int
        How many settings were tried, and how many of these could not be fitted.
    """

    settings: dict[str, Any]
    value: float
    trials: int = 1
    failed: int = 0


def space_of(name: str, fixed: Mapping[str, Any]) -> list[Any]:
    """Return what is searched: the model's own ranges, less what is fixed."""
    known = settings_of(registry.get("model", name).component)
    if not any(info.bounds.tunable for key, info in known.items() if key not in fixed):
        return []
    defaults = {key: fixed.get(key, info.default) for key, info in known.items()}
    found = search.build([], {"model": {"name": name, **defaults}})
    return [one for one in found if one.name.removeprefix("model.") not in fixed]


def warm_up(plan: Any, train: Any, name: str, fixed: Mapping[str, Any]) -> None:
    """Fit a few ratings at both ends of the ranges, so that no trial loads libraries or compiles kernels."""
    few = train.take(np.arange(min(len(train), 2000)))
    short = {"epochs": 1} if "epochs" in settings_of(registry.get("model", name).component) else {}
    dimensions = space_of(name, fixed)
    for end in ("low", "high"):
        point = {one.name.removeprefix("model."): one.nearest(getattr(one, end)) for one in dimensions}
        model = registry.create("model", name, {**fixed, **point, **short}).fit(few)
        evaluate(model, few, few, plan.metrics, plan.evaluation)


def tune(plan: Any, split: Any, fixed: Mapping[str, Any], minutes: float, seed: int) -> Tuned:
    """Try the defaults, then points of Optuna's TPE, until the time is used up; a trial that has begun is finished.

    Parameters
    ----------
    plan : Plan
        Metrics, evaluation and early stopping; its model says which component is tuned.
    split : Split
        Its test is not looked at.
    fixed : mapping
        Settings that are not searched.
    minutes : float
        Minutes of processor time, all threads counted; 0 takes the defaults.
    seed : int
        Seed of the sampler.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name = plan.model.name
    sealed = replace(split, test=split.test.take(np.zeros(len(split.test), dtype=np.bool_)))
    higher = plan.metrics[plan.objective].higher_is_better
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed), direction="maximize" if higher else "minimize"
    )
    space = space_of(name, fixed) if minutes else []
    study.enqueue_trial({one.name: one.default for one in space})
    found: dict[int, Tuned] = {}
    trials, trouble = 0, ""
    began = time.process_time()
    while not trials or (space and time.process_time() - began < 60.0 * minutes):
        trial = study.ask()
        settings = {**fixed, **{one.name.removeprefix("model."): suggested(trial, one) for one in space}}
        trials += 1
        try:
            found[trial.number] = on_valid(plan, sealed, name, settings)
            study.tell(trial, found[trial.number].value)
        except (MFXError, ArithmeticError, np.linalg.LinAlgError) as error:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            trouble = " ".join(str(error).split())
    if not found:
        raise SystemExit(f"{name}: none of {trials} settings could be fitted: {trouble}")
    return replace(found[study.best_trial.number], trials=trials, failed=trials - len(found))


def suggested(trial: Any, dimension: Any) -> int | float:
    """Let a trial of Optuna choose a number of this dimension."""
    suggest = trial.suggest_int if dimension.kind == "int" else trial.suggest_float
    low, high = (type(dimension.default)(end) for end in (dimension.low, dimension.high))
    return suggest(dimension.name, low, high, log=dimension.log)


def on_valid(plan: Any, split: Any, name: str, settings: Mapping[str, Any]) -> Tuned:
    """Fit on train with these settings, stopped on valid where the fit tells of its epochs, and score valid."""
    watched = replace(
        plan, model=registry.create("model", name, settings), metrics={plan.objective: plan.metrics[plan.objective]}
    )
    found = experiment.validate(watched, split, lambda number, point: None).metrics
    epochs = {"epochs": int(found["fit/best_epoch"])} if "fit/best_epoch" in found else {}
    return Tuned({**settings, **epochs}, found[f"valid/{plan.objective}"])


def compete(choices: list[str], settings: Mapping[str, Any], tuned: bool, minutes: float) -> dict[str, Any]:
    """Carry out the contest that choices of `mfx` describe; return numbers and what made them."""
    import peers  # noqa: F401  registers them

    plan = compose.build(compose.compose([*choices, "tracking=console"]))
    ratings = plan.dataset.load()
    split = divide(plan.splitter, ratings)
    given = plan.config["model"]
    known = settings_of(registry.get("model", given["name"]).component)
    fixed = {key: given[key] for key, info in known.items() if given[key] != info.default} | dict(settings)
    if "clip" in known:
        fixed["clip"] = True  # peers are clipped to the rating scale, too
    warm_up(plan, split.train, given["name"], fixed)
    clock = [time.perf_counter(), time.process_time()]
    best = tune(plan, split, fixed, minutes if tuned else 0.0, plan.config["seed"])
    clock += [time.perf_counter(), time.process_time()]
    model = registry.create("model", given["name"], best.settings).fit(split.train_and_valid)
    clock += [time.perf_counter(), time.process_time()]
    test = evaluate(model, split.train_and_valid, split.test, plan.metrics, plan.evaluation)
    return {
        "data": ratings.name,
        "ratings": len(ratings),
        "split": split.fingerprint,
        "objective": plan.objective,
        "tuned": tuned,
        "minutes": minutes if tuned else 0.0,
        "trials": best.trials,
        "failed": best.failed,
        "settings": best.settings,
        "valid": best.value,
        "test": test.values,
        "seconds": {
            "tuning": clock[2] - clock[0],
            "tuning, processor": clock[3] - clock[1],
            "fit": clock[4] - clock[2],
            "fit, processor": clock[5] - clock[3],
        },
    }


if __name__ == "__main__":
    print(json.dumps(compete(**json.loads(sys.argv[1]))))
