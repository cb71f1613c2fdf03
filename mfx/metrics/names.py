"""Names of metrics as people type them: ``rmse``, ``ndcg@10``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mfx.errors import MetricError
from mfx.interfaces import Metric
from mfx.metrics.settings import EvaluationSettings
from mfx.registry import create, get
from mfx.settings import settings_of

_TYPED = re.compile(r"([A-Za-z_]\w*)(?:@(\d+))?")
_SAMPLED = re.compile(r".*_sampled_(\d+)")


def parse(text: str) -> tuple[str, int | None]:
    """Split ``"ndcg@10"`` into ``("ndcg", 10)``, and ``"rmse"`` into ``("rmse", None)``.

    Raises
    ------
    MetricError
        If the text is neither NAME nor NAME@K with K at least 1.
    """
    found = _TYPED.fullmatch(text)
    if found is None or (found[2] is not None and int(found[2]) < 1):
        raise MetricError(f"'{text}' does not name a metric.", "Write NAME or NAME@K, such as rmse or ndcg@10.")
    return found[1], None if found[2] is None else int(found[2])


def tracker_name(text: str) -> str:
    """Rewrite a name for trackers that refuse ``@``: ``"ndcg@10"`` becomes ``"ndcg_at_10"``."""
    return text.replace("@", "_at_")


def full_name(text: str) -> str:
    """Complete a name with the default list length: ``"ndcg"`` becomes ``"ndcg@10"``, ``"rmse"`` stays.

    Raises
    ------
    UnknownName
        If there is no such metric.
    MetricError
        If the name is malformed, or gives @K to a metric that takes none.
    """
    name, k = parse(text)
    info = settings_of(get("metric", name).component).get("k")
    if info is None:
        if k is not None:
            raise MetricError(f"Metric '{name}' takes no list length, but '{text}' gives one.", f"Write {name}.")
        return name
    return f"{name}@{info.default if k is None else k}"


def create_metrics(names: Iterable[str], settings: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Metric]:
    """Make metrics from their typed names.

    Parameters
    ----------
    names : iterable of str
        Such as ``["rmse", "ndcg@5", "ndcg@10"]``.
    settings : mapping of str to mapping, optional
        Settings of single metrics by metric name without @K, such as ``{"ndcg": {"gain": "rating"}}``; they hold
        for every K.

    Returns
    -------
    dict of str to Metric
        By full name, in the order given.

    Raises
    ------
    UnknownName, SettingError
        As `mfx.registry.create` does.
    MetricError
        If a name is malformed or given twice, or settings name a list length or a metric that was not asked for.
    """
    given = dict(settings or {})
    made: dict[str, Metric] = {}
    used = set()
    for text in names:
        full = full_name(text)
        name, k = parse(full)
        if full in made:
            raise MetricError(f"Metric '{full}' is asked for twice.", "Remove one of the two.")
        extra = dict(given.get(name, {}))
        if "k" in extra:
            raise MetricError(f"Settings of metric '{name}' hold a list length.", f"Write it as {name}@{extra['k']}.")
        made[full] = create("metric", name, extra if k is None else {**extra, "k": k})
        used.add(name)
    idle = sorted(set(given) - used)
    if idle:
        raise MetricError(f"There are settings for metric '{idle[0]}', which was not asked for.", "Add it to metrics.")
    return made


def under_protocol(name: str, metric: Metric, settings: EvaluationSettings) -> str:
    """Say in a metric's name that candidates are sampled: with 99 of them ``"ndcg@10"`` is ``"ndcg@10_sampled_99"``.

    Such numbers are far higher than those of full lists and can order models differently (Krichene and Rendle 2020,
    "On sampled metrics for item recommendation"), so that they need names of their own. Other metrics keep theirs.
    """
    return name if settings.sampled is None or metric.needs == "ratings" else f"{name}_sampled_{settings.sampled}"


def check_protocol(metrics: Mapping[str, Metric], settings: EvaluationSettings) -> None:
    """Refuse metrics whose names speak of other candidates than the settings.

    Raises
    ------
    MetricError
        Naming the first of them.
    """
    expected = None if settings.sampled is None else str(settings.sampled)
    for name, metric in metrics.items():
        found = _SAMPLED.fullmatch(name)
        if metric.needs != "ratings" and (found[1] if found else None) != expected:
            plain = name if found is None else name[: found.start(1) - len("_sampled_")]
            raise MetricError(
                f"Metric '{name}' is asked for with evaluation.candidates={settings.candidates}.",
                f"Call it {under_protocol(plain, metric, settings)}, so that nobody takes it for another protocol's.",
            )
