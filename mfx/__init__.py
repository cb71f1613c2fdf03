"""MFX: an experiment framework for matrix-factorisation recommenders.

The public door: plugins need `mfx`, `mfx.solver` (kernels that work on arrays) and `mfx.testing` (contract suites);
all else is private. Names are imported when they are first used, so that ``import mfx`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfx import solver
    from mfx.data.pieces import Sink
    from mfx.data.raw import Facts, IdColumn, Origin, RawRatings, Tags
    from mfx.errors import (
        DataError,
        MetricError,
        MFXError,
        ModelError,
        PluginError,
        SettingError,
        SplitError,
        TrackingError,
        UnknownName,
    )
    from mfx.experiment import run
    from mfx.interfaces import (
        BoolArray,
        Catalogue,
        DataInfo,
        Dataset,
        DoubleArray,
        Epoch,
        Features,
        FloatArray,
        IndexArray,
        Metric,
        Model,
        OnEpoch,
        PointerArray,
        Ratings,
        RatingScale,
        RunInfo,
        Split,
        Splitter,
        TrackedRun,
        Tracker,
    )
    from mfx.metrics.base import ListMetric, RelevanceMetric
    from mfx.metrics.evaluation import Evaluation, EvaluationSettings, evaluate
    from mfx.metrics.names import create_metrics
    from mfx.metrics.outcomes import ListOutcome, RankOutcome, RatingOutcome, Relevant
    from mfx.models.als import ALS
    from mfx.models.base import Recommender
    from mfx.models.bayes_mf import BayesMF
    from mfx.models.bias import Bias
    from mfx.models.bpr import BPR
    from mfx.models.factors import FactorModel
    from mfx.models.folded import Folded
    from mfx.models.genre_als import GenreALS
    from mfx.models.least_squares import LeastSquaresModel
    from mfx.models.popularity import Popularity
    from mfx.registry import available, create, register
    from mfx.results import Result
    from mfx.settings import Component, setting, tunable
    from mfx.split.audit import audit
    from mfx.split.chance import item_hash, rating_hash
    from mfx.timestamps import TimeUnit

_DOOR = {
    "mfx.data.pieces": ("Sink",),
    "mfx.data.raw": (
        "Facts",
        "IdColumn",
        "Origin",
        "RawRatings",
        "Tags",
    ),
    "mfx.errors": (
        "DataError",
        "MFXError",
        "MetricError",
        "ModelError",
        "PluginError",
        "SettingError",
        "SplitError",
        "TrackingError",
        "UnknownName",
    ),
    "mfx.experiment": ("run",),
    "mfx.interfaces": (
        "BoolArray",
        "Catalogue",
        "DataInfo",
        "Dataset",
        "DoubleArray",
        "Epoch",
        "Features",
        "FloatArray",
        "IndexArray",
        "Metric",
        "Model",
        "OnEpoch",
        "PointerArray",
        "RatingScale",
        "Ratings",
        "RunInfo",
        "Split",
        "Splitter",
        "TrackedRun",
        "Tracker",
    ),
    "mfx.metrics.base": (
        "ListMetric",
        "RelevanceMetric",
    ),
    "mfx.metrics.evaluation": (
        "Evaluation",
        "EvaluationSettings",
        "evaluate",
    ),
    "mfx.metrics.names": ("create_metrics",),
    "mfx.metrics.outcomes": (
        "ListOutcome",
        "RankOutcome",
        "RatingOutcome",
        "Relevant",
    ),
    "mfx.models.als": ("ALS",),
    "mfx.models.bayes_mf": ("BayesMF",),
    "mfx.models.bias": ("Bias",),
    "mfx.models.bpr": ("BPR",),
    "mfx.models.genre_als": ("GenreALS",),
    "mfx.models.popularity": ("Popularity",),
    "mfx.models.base": ("Recommender",),
    "mfx.models.factors": ("FactorModel",),
    "mfx.models.folded": ("Folded",),
    "mfx.models.least_squares": ("LeastSquaresModel",),
    "mfx.registry": (
        "available",
        "create",
        "register",
    ),
    "mfx.results": ("Result",),
    "mfx.settings": (
        "Component",
        "setting",
        "tunable",
    ),
    "mfx.split.audit": ("audit",),
    "mfx.split.chance": (
        "item_hash",
        "rating_hash",
    ),
    "mfx.timestamps": ("TimeUnit",),
}
_HOME = {name: module for module, names in _DOOR.items() for name in names}

__all__ = [
    "ALS",
    "BPR",
    "BayesMF",
    "Bias",
    "BoolArray",
    "Catalogue",
    "Component",
    "DataError",
    "DataInfo",
    "Dataset",
    "DoubleArray",
    "Epoch",
    "Evaluation",
    "EvaluationSettings",
    "FactorModel",
    "Facts",
    "Features",
    "FloatArray",
    "Folded",
    "GenreALS",
    "IdColumn",
    "IndexArray",
    "LeastSquaresModel",
    "ListMetric",
    "ListOutcome",
    "MFXError",
    "Metric",
    "MetricError",
    "Model",
    "ModelError",
    "OnEpoch",
    "Origin",
    "PluginError",
    "PointerArray",
    "Popularity",
    "RankOutcome",
    "RatingOutcome",
    "RatingScale",
    "Ratings",
    "RawRatings",
    "Recommender",
    "RelevanceMetric",
    "Relevant",
    "Result",
    "RunInfo",
    "SettingError",
    "Sink",
    "Split",
    "SplitError",
    "Splitter",
    "Tags",
    "TimeUnit",
    "TrackedRun",
    "Tracker",
    "TrackingError",
    "UnknownName",
    "audit",
    "available",
    "create",
    "create_metrics",
    "evaluate",
    "item_hash",
    "rating_hash",
    "register",
    "run",
    "setting",
    "solver",
    "tunable",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        import importlib.metadata

        return importlib.metadata.version("mfx")
    import importlib

    if name in ("solver", "testing"):
        return importlib.import_module(f"mfx.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'mfx' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
