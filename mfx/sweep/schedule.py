"""Which point and which stage each trial of a sweep belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from mfx import results
from mfx.sweep import points
from mfx.sweep.plan import SweepPlan
from mfx.sweep.space import Point

GRID_FILE = "grid.json"


class Schedule:
    """Random points, then those of the grid, once it is laid; the grid is kept in the study's folder.

    Attributes
    ----------
    random : list of Point
        Trial 0, which is the defaults, and the random points.
    grid : mfx.sweep.points.Grid or None
        None until the grid is laid.
    first_of_grid : int
        Number of the first trial of the grid.
    """

    def __init__(self, made: SweepPlan, folder: Path) -> None:
        self._path = folder / GRID_FILE
        self.random = points.random_points(made.space, made.seed, made.settings.random_trials)
        self.grid: points.Grid | None = None
        self.first_of_grid = len(self.random)

    def point(self, number: int) -> Point:
        """Return the point of a trial."""
        if number < self.first_of_grid:
            return self.random[number]
        assert self.grid is not None
        return self.grid.points[number - self.first_of_grid]

    def stage_of(self, number: int) -> str:
        """Name the stage of a trial."""
        return "defaults" if number == 0 else "random" if number < self.first_of_grid else "grid"

    def read(self) -> None:
        """Take the grid from the folder, if it was laid."""
        if self._path.is_file():
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self.first_of_grid = found["first"]
            self.grid = points.Grid(found["over"], found["axes"], found["points"])

    def lay(self, grid: points.Grid, first: int, importances: Mapping[str, float]) -> None:
        """Take a grid that begins with trial `first`, and keep it."""
        self.grid, self.first_of_grid = grid, first
        results.write_json(self._path, {"first": first, "importances": dict(importances), **asdict(grid)})
