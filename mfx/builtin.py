"""The components that MFX brings along, entering through the same door as any plugin.

A new component is one new file in its room: every module that holds a ``@register`` is imported, and no list has to
be edited. The other modules of a room are left to those who need them, since some compile kernels.
"""

from __future__ import annotations

import importlib
from pathlib import Path

ROOMS = ("data", "split", "models", "metrics", "engine", "tracking")


def component_modules() -> list[str]:
    """Return the names of all modules of MFX that register a component, in the order of the flow."""
    found = []
    for room in ROOMS:
        for path in sorted((Path(__file__).parent / room).glob("*.py")):
            if "\n@register(" in path.read_text(encoding="utf-8"):
                found.append(f"mfx.{room}.{path.stem}")
    return found


for _module in component_modules():
    importlib.import_module(_module)
