"""The components that MFX brings along, entering through the same door as any plugin.

Every module of a room is imported, so that a new component is one new file. Names that begin with an underscore are
left out. Importing must stay quick: modules of rooms import scipy, pandas, mlflow and the like inside functions.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

ROOMS = ("data", "split", "models", "metrics", "tracking")

for _room in ROOMS:
    for _module in pkgutil.iter_modules([str(Path(__file__).parent / _room)]):
        if not _module.name.startswith("_"):
            importlib.import_module(f"mfx.{_room}.{_module.name}")
