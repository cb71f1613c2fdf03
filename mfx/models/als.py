"""Alternating least squares with biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mfx.models.least_squares import LeastSquaresModel
from mfx.registry import register
from mfx.settings import setting, tunable

if TYPE_CHECKING:
    from mfx.solver.least_squares import Ridge


@register("model", "als")
@dataclass(kw_only=True)
class ALS(LeastSquaresModel):
    """Matrix factorisation with biases, fitted by alternating exact ridge regressions.

    Minimises ``sum (r - mu - b_u - b_i - u.v)^2 + user_reg |U|^2 + item_reg |V|^2 + bias_reg (|b_u|^2 + |b_i|^2)``
    over the observed ratings (Koren, Bell and Volinsky 2009), factors and bias of a row solved together.

    Parameters
    ----------
    factors : int
        Number of latent factors.
    reg : float
        Penalty of squared factors, on both sides.
    user_reg, item_reg : float, optional
        Penalty of one side, in place of `reg`.

    Other settings are those of `LeastSquaresModel`.
    """

    factors: int = tunable(13, low=4, high=64, log=True, ge=1)

    reg: float = tunable(12.0, low=1.0, high=100.0, log=True, ge=0.0)
    user_reg: float | None = setting(None, ge=0.0)
    item_reg: float | None = setting(None, ge=0.0)

    @property
    def rank(self) -> int:
        """Number of factors."""
        return self.factors

    def user_ridge(self, *, with_bias: bool = True) -> Ridge:
        """Return the penalty of user rows."""
        return self.ridge(self.reg if self.user_reg is None else self.user_reg, with_bias=with_bias)

    def item_ridge(self) -> Ridge:
        """Return the penalty of item rows."""
        return self.ridge(self.reg if self.item_reg is None else self.item_reg)

    @classmethod
    def from_precisions(
        cls, *, precision: float, factor_precision: float, bias_precision: float, **settings: Any
    ) -> Self:
        """Make the model from Koto's Bayesian parameters.

        With noise precision lambda and prior precisions tau (factors) and gamma (biases) the posterior mode minimises
        our objective at ``reg = tau / lambda`` and ``bias_reg = gamma / lambda``, without a mean (Koto, eq. 3 to 10).
        """
        ratios = {"reg": factor_precision / precision, "bias_reg": bias_precision / precision}
        return cls(**{"mean": False, **ratios, **settings})

    @classmethod
    def from_single_reg(cls, reg: float, **settings: Any) -> Self:
        """Make the model with one penalty for factors and biases alike (Fokam, eq. 2)."""
        return cls(**{"reg": reg, "bias_reg": reg, **settings})
