# SPDX-License-Identifier: MIT
"""A straight line through costs by size, and the size at which they leave it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE = 0.25
LEAST_SIZES = 4
"""So many sizes make a line; only those above them are held against one."""


@dataclass(frozen=True, slots=True)
class Line:
    """cost = fixed + slope * size."""

    fixed: float
    slope: float

    def at(self, size: float) -> float:
        """What it says of a size."""
        return self.fixed + self.slope * size


@dataclass(frozen=True, slots=True)
class Departure:
    """Cost over what the line through the smaller sizes says: the median, least and most of the runs."""

    ratio: float
    least: float
    most: float

    def side(self, tolerance: float = TOLERANCE) -> int:
        """1: every run lies above the tolerance, -1: below, 0: neither."""
        return (self.least > 1 + tolerance) - (self.most < 1 - tolerance)


def fitted(sizes: Sequence[float], costs: Sequence[float]) -> Line | None:
    """Least squares of the relative error, so that small sizes weigh as much as large ones; None without two sizes."""
    if len(sizes) < 2 or min(costs) <= 0:
        return None
    weight = 1 / np.asarray(costs, dtype=np.float64)
    left = np.column_stack([weight, weight * np.asarray(sizes, dtype=np.float64)])
    (fixed, slope), *_rest = np.linalg.lstsq(left, np.ones(len(sizes)), rcond=None)
    return Line(float(fixed), float(slope))


def departure(sizes: Sequence[float], runs: Sequence[Sequence[float]], size: float,
              costs: Sequence[float]) -> Departure | None:
    """How far the `costs` of `size` are from the line through `sizes`, each run against a line of its own.

    runs[i] are the costs of sizes[i]. A run's own line carries its uncertainty into the interval. None where
    there are too few sizes or a line says nothing above 0.
    """
    if len(sizes) < LEAST_SIZES:
        return None
    ratios: list[float] = []
    for number, cost in enumerate(costs):
        line = fitted(sizes, [each[number] for each in runs if number < len(each)] or [0.0])
        if line is None or line.at(size) <= 0:
            return None
        ratios.append(cost / line.at(size))
    return Departure(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None


def knee(sizes: Sequence[float], runs: Sequence[Sequence[float]], tolerance: float = TOLERANCE) -> int | None:
    """The index of the first size from which on every run is off the line, on the same side; at least two sizes are.

    The line is that through the sizes before it. None where there is no such size.
    """
    for index in range(LEAST_SIZES, len(sizes) - 1):
        found = [departure(sizes[:index], runs[:index], sizes[at], runs[at]) for at in range(index, len(sizes))]
        sides = {0 if each is None else each.side(tolerance) for each in found}
        if sides in ({1}, {-1}):
            return index
    return None
