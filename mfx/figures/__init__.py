"""Numbers to matplotlib figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfx.figures.curves import descent_curve, dynamics, learning_curve, objective_curve
    from mfx.figures.style import save

__all__ = ["descent_curve", "dynamics", "learning_curve", "objective_curve", "save"]
_CURVES = ("descent_curve", "dynamics", "learning_curve", "objective_curve")


def __getattr__(name: str) -> Any:
    if name in _CURVES:
        from mfx.figures import curves

        return getattr(curves, name)
    if name == "save":
        from mfx.figures.style import save

        return save
    raise AttributeError(f"module 'mfx.figures' has no attribute '{name}'")
