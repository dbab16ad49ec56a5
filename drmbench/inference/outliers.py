# SPDX-License-Identifier: MIT
"""Runs far from the others: counted and named, never removed. Needs numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 5
_MILD, _SEVERE = 1.5, 3.0


@dataclass(frozen=True, slots=True)
class Outlier:
    """Run number `run` (from 1, in the order of time) took `value`."""

    run: int
    value: float
    grade: Literal["mild", "severe"]


def outliers(values: Sequence[float]) -> list[Outlier]:
    """Values more than 1.5 (mild) or 3 (severe) interquartile ranges outside the quartiles: Tukey's fences.

    None among fewer than 5 values.
    """
    if len(values) < FEWEST:
        return []
    first, third = (float(q) for q in np.quantile(np.asarray(values, dtype=np.float64), [0.25, 0.75]))
    spread = third - first
    found = []
    for run, value in enumerate(values, 1):
        beyond = max(first - value, value - third)
        if beyond > _MILD * spread:
            found.append(Outlier(run, value, "severe" if beyond > _SEVERE * spread else "mild"))
    return found
