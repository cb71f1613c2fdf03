"""Settings that several splitters share."""

from __future__ import annotations

from dataclasses import dataclass

from mfx.interfaces import Ratings, Split
from mfx.settings import Component, setting
from mfx.split.parts import Emptiness, Labels, build

MORE_VALID = "Raise split.valid_fraction, or set split.valid_fraction=0 to go without early stopping."


@dataclass(kw_only=True)
class SharesSplitter(Component):
    """A splitter that gives test a share of the ratings, and valid a share of the rest.

    Parameters
    ----------
    fraction : float
        Share of test, as an exact decimal; each count is rounded down.
    valid_fraction : float
        Share of valid in what test leaves, by the same rule; 0 for no valid part, hence no early stopping.
    """

    fraction: float = setting(0.2, gt=0, lt=1)
    valid_fraction: float = setting(0.1, ge=0, lt=1)

    def _build(self, ratings: Ratings, labels: Labels, rule: str) -> Split:
        return build(ratings, labels, rule, splitter=getattr(type(self), "name", type(self).__name__), **self.empty())

    def empty(self) -> Emptiness:
        """Say what an empty part means, as `mfx.split.parts.refuse_empty` asks it."""
        return {
            "more_test": "Raise split.fraction, or use more data.",
            "more_valid": MORE_VALID,
            "no_valid": self.valid_fraction == 0,
        }
