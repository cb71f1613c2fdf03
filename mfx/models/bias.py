"""Biases only: the baseline for ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mfx.models.least_squares import LeastSquaresModel
from mfx.registry import register
from mfx.settings import setting


@register("model", "bias")
@dataclass(kw_only=True)
class Bias(LeastSquaresModel):
    """Mean plus a bias of the user and one of the item, both shrunk towards zero: no factors.

    Minimises ``sum (r - mu - b_u - b_i)^2 + bias_reg (|b_u|^2 + |b_i|^2)``.
    Settings are those of `LeastSquaresModel`.
    """

    epochs: int = setting(15, ge=1)

    rows_elsewhere: ClassVar[bool] = True
