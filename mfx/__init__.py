"""MFX: an experiment framework for matrix-factorisation recommenders.

The public door. Names are imported when they are first used, so that ``import mfx`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfx.errors import MFXError
    from mfx.experiment import run
    from mfx.interfaces import Catalogue, Epoch, Features, Ratings, RatingScale, Split
    from mfx.models.als import ALS
    from mfx.models.base import Recommender
    from mfx.models.bias import Bias
    from mfx.models.bpr import BPR
    from mfx.models.genre_als import GenreALS
    from mfx.models.popularity import Popularity
    from mfx.registry import available, create, register
    from mfx.results import Result
    from mfx.settings import Component, setting, tunable

_DOOR = {
    "MFXError": "mfx.errors",
    "Result": "mfx.results",
    "run": "mfx.experiment",
    "Catalogue": "mfx.interfaces",
    "Epoch": "mfx.interfaces",
    "Features": "mfx.interfaces",
    "RatingScale": "mfx.interfaces",
    "Ratings": "mfx.interfaces",
    "Split": "mfx.interfaces",
    "ALS": "mfx.models.als",
    "BPR": "mfx.models.bpr",
    "Bias": "mfx.models.bias",
    "GenreALS": "mfx.models.genre_als",
    "Popularity": "mfx.models.popularity",
    "Recommender": "mfx.models.base",
    "available": "mfx.registry",
    "create": "mfx.registry",
    "register": "mfx.registry",
    "Component": "mfx.settings",
    "setting": "mfx.settings",
    "tunable": "mfx.settings",
}

__all__ = [
    "ALS",
    "BPR",
    "Bias",
    "Catalogue",
    "Component",
    "Epoch",
    "Features",
    "GenreALS",
    "MFXError",
    "Popularity",
    "RatingScale",
    "Ratings",
    "Recommender",
    "Result",
    "Split",
    "available",
    "create",
    "register",
    "run",
    "setting",
    "tunable",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        import importlib.metadata

        return importlib.metadata.version("mfx")
    if name not in _DOOR:
        raise AttributeError(f"module 'mfx' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_DOOR[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
