"""Alternating least squares with biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mfx.interfaces import DoubleArray, FloatArray
from mfx.models.least_squares import LARGEST_PENALTY, LeastSquaresModel
from mfx.registry import register
from mfx.settings import setting, tunable

if TYPE_CHECKING:
    from mfx.solver.layout import SparseRows
    from mfx.solver.least_squares import Prior, Ridge

_FACTORS_TO_DESCEND = 32
"""From here on three steps take no longer than a solve: python tests/bench/peers --only solvers."""


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
    solver : {"auto", "cholesky", "cg"}
        How rows are updated: solved, or brought nearer to the solution by a few steps of conjugate gradients; the last
        epoch solves the users (a fit that is stopped before does not). Both reach the same optimum. "auto" takes what
        gets there sooner: steps from 32 factors on.
    cg_steps : int
        Steps of conjugate gradients that a row takes in an epoch.

    Other settings are those of `LeastSquaresModel`.
    """

    factors: int = tunable(40, low=4, high=64, log=True, ge=1)

    reg: float = tunable(12.0, low=1.0, high=100.0, log=True, ge=0.0, le=LARGEST_PENALTY)
    user_reg: float | None = setting(None, ge=0.0, le=LARGEST_PENALTY)
    item_reg: float | None = setting(None, ge=0.0, le=LARGEST_PENALTY)
    solver: str = setting("auto", choices=("auto", "cholesky", "cg"))
    cg_steps: int = setting(3, ge=1)

    rows_elsewhere: ClassVar[bool] = True

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

    @property
    def descends(self) -> bool:
        """Whether rows are updated by steps of conjugate gradients."""
        return self.solver == "cg" or (self.solver == "auto" and self.factors >= _FACTORS_TO_DESCEND)

    def update_rows(
        self,
        rows: SparseRows,
        other: FloatArray,
        out: FloatArray,
        ridge: Ridge,
        prior: Prior | None = None,
        *,
        exact: bool = False,
    ) -> DoubleArray:
        """Update one side's table given the other's; return each row's objective there."""
        from mfx.solver.least_squares import descend_rows

        if exact or not self.descends:
            return super().update_rows(rows, other, out, ridge, prior)
        return descend_rows(rows, other, out, ridge, steps=self.cg_steps, offset=self.offset_, prior=prior)

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
