"""Sweeps: a broad random search, then a fine grid around the best, as a Hydra sweeper on Optuna."""

from __future__ import annotations

SWEEPER = "hydra_plugins.mfx_sweeper.RandomThenGrid"
"""The class that Hydra knows the sweeper by; a job whose configuration names it is a trial."""
