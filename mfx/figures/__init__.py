"""Numbers to matplotlib figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfx.figures.curves import learning_curve, objective_curve
    from mfx.figures.style import save

__all__ = ["learning_curve", "objective_curve", "save"]


def __getattr__(name: str) -> Any:
    if name in ("learning_curve", "objective_curve"):
        from mfx.figures import curves

        return getattr(curves, name)
    if name == "save":
        from mfx.figures.style import save

        return save
    raise AttributeError(f"module 'mfx.figures' has no attribute '{name}'")
