# SPDX-License-Identifier: MIT
"""Bootstrap intervals of medians, of their ratios, and of geometric means of those. Needs numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 1999
_SEED = 20250101  # the same values give the same interval, today and tomorrow


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the 95 % percentile bootstrap interval around it."""

    low: float
    middle: float
    high: float

    @property
    def reach_percent(self) -> float | None:
        """How far the farther end is from the estimate, in percent of it; None where that is 0."""
        if self.middle == 0:
            return None
        return 100 * max(self.high - self.middle, self.middle - self.low) / abs(self.middle)


def resampled_medians(values: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    """Medians of RESAMPLES draws of n out of the n values, with replacement; shape (RESAMPLES,).

    A median of such a draw is an order statistic of n uniform ranks, and those of n uniforms are Beta distributed:
    two numbers a draw are enough, however many runs there are.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = ordered.size
    rank = (n + 1) // 2
    lower = rng.beta(rank, n - rank + 1, RESAMPLES)
    if n % 2:
        return _at(ordered, lower)
    upper = lower + (1 - lower) * rng.beta(1, n - rank, RESAMPLES)
    return (_at(ordered, lower) + _at(ordered, upper)) / 2


def _at(ordered: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    index = np.ceil(uniform * ordered.size).astype(np.int64) - 1
    found: NDArray[np.float64] = ordered[np.clip(index, 0, ordered.size - 1)]
    return found


def median_interval(values: Sequence[float]) -> Interval | None:
    """The median and its interval; None for no value, and the width is 0 for a single one."""
    if not len(values):
        return None
    return _around(float(np.median(values)), resampled_medians(values, np.random.default_rng(_SEED)))


def resampled_ratios(base: Sequence[float], new: Sequence[float], stream: int = 0) -> NDArray[np.float64] | None:
    """Ratios new / base of medians drawn for each side alone, shape (RESAMPLES,); `stream` gives others.

    None where a side has no value, or a ratio is not finite and above 0.
    """
    if not len(base) or not len(new):
        return None
    rng = np.random.default_rng([_SEED, stream])
    below, above = resampled_medians(base, rng), resampled_medians(new, rng)
    if float(below.min()) <= 0 or float(above.min()) <= 0:
        return None
    with np.errstate(over="ignore", under="ignore"):
        ratios = above / below
    return ratios if np.isfinite(ratios).all() and float(ratios.min()) > 0 else None


def ratio_interval(base: Sequence[float], new: Sequence[float], stream: int = 0) -> Interval | None:
    """The ratio of the medians, new / base, and its interval; None where there is no ratio."""
    drawn = resampled_ratios(base, new, stream)
    return None if drawn is None else ratio_around(base, new, drawn)


def ratio_around(base: Sequence[float], new: Sequence[float], drawn: NDArray[np.float64]) -> Interval:
    """The same from ratios that resampled_ratios() drew."""
    return _around(float(np.median(new)) / float(np.median(base)), drawn)


def geometric_mean(ratios: Sequence[float], drawn: Sequence[NDArray[np.float64]]) -> Interval | None:
    """The geometric mean of ratios and its interval; `drawn` are their resampled_ratios(), of different streams."""
    if not ratios:
        return None
    middle = float(np.exp(np.mean(np.log(ratios))))
    return _around(middle, np.exp(np.mean(np.log(np.stack(list(drawn))), axis=0)))


def _around(middle: float, drawn: NDArray[np.float64]) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(min(float(low), middle), middle, max(float(high), middle))
