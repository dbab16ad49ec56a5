# SPDX-License-Identifier: MIT
"""From counts and bucket arrays to the numbers of a report; knows neither drivers nor native code."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from drmbench.model import Distribution, FaultGroup, FaultRun, HistogramBin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

N = TypeVar("N", np.uint8, np.uint32)

QUANTILES = (0.5, 0.9, 0.99, 0.999)
EMPTY = Distribution(0, None, None, None, None, None, None)


def median_int(values: Sequence[int]) -> int:
    """The median of per-run integers; between two middle values the lower one, so a count stays a count."""
    return statistics.median_low(values)


class TickScale:
    """Turns clock ticks into ns: `ticks * ns_per_tick - overhead_ns`, never below 0.

    `lower_ticks` are the histogram's bucket bounds, shape (buckets + 1,).
    """

    def __init__(self, lower_ticks: NDArray[np.float64], ns_per_tick: float, overhead_ns: float) -> None:
        self.lower_ticks = lower_ticks
        self.ns_per_tick = ns_per_tick
        self.overhead_ns = overhead_ns

    def ns(self, ticks: float) -> int:
        """Whole ns."""
        return max(0, round(ticks * self.ns_per_tick - self.overhead_ns))


def percentile_ticks(
    counts: NDArray[np.uint64], extremes_ticks: tuple[int, int], lower_ticks: NDArray[np.float64],
    quantiles: Sequence[float] = QUANTILES,
) -> list[float]:
    """Percentiles (nearest rank) of a bucketed histogram that is not empty, shape (buckets,), in ticks.

    A percentile is its bucket's middle, held between the exact minimum and maximum; off by 0.8 % at most.
    """
    reached = np.cumsum(counts)
    total = int(reached[-1])
    least, most = extremes_ticks
    found: list[float] = []
    for quantile in quantiles:
        rank = max(1, math.ceil(quantile * total - 1e-9))
        bucket = int(np.searchsorted(reached, rank))
        # Ticks are whole: bucket [a, b) holds a .. b-1.
        middle = (lower_ticks[bucket] + lower_ticks[bucket + 1] - 1) / 2
        found.append(min(max(float(middle), least), most))
    return found


def distribution(
    counts: NDArray[np.uint64], extremes_ticks: tuple[int, int], scale: TickScale,
) -> Distribution:
    """percentile_ticks() of a histogram, shape (buckets,), in ns; EMPTY where nothing was counted."""
    total = int(counts.sum())
    if total == 0:
        return EMPTY
    least, most = extremes_ticks
    ticks = percentile_ticks(counts, extremes_ticks, scale.lower_ticks)
    p50, p90, p99, p999 = (scale.ns(value) for value in ticks)
    return Distribution(total, scale.ns(least), p50, p90, p99, p999, scale.ns(most))


def exact_distribution(values_ns: Sequence[int]) -> Distribution:
    """The same of single times in ns, all of which are at hand: exact nearest ranks."""
    if not values_ns:
        return EMPTY
    ordered = sorted(values_ns)
    p50, p90, p99, p999 = (ordered[max(1, math.ceil(quantile * len(ordered) - 1e-9)) - 1] for quantile in QUANTILES)
    return Distribution(len(ordered), ordered[0], p50, p90, p99, p999, ordered[-1])


def histogram_bins(
    faulted: NDArray[np.uint64], hit: NDArray[np.uint64], scale: TickScale, *, per_decade: int = 8,
) -> list[HistogramBin]:
    """Two histograms together in logarithmic steps of ns, from the first filled bin to the last one."""
    bins: dict[int, tuple[int, int]] = {}
    for bucket in np.flatnonzero(faulted + hit):
        middle = (scale.lower_ticks[bucket] + scale.lower_ticks[bucket + 1] - 1) / 2
        step = math.floor(math.log10(max(1, scale.ns(middle))) * per_decade + 1e-9)
        faults, hits = bins.get(step, (0, 0))
        bins[step] = faults + int(faulted[bucket]), hits + int(hit[bucket])
    found = []
    for step in range(min(bins, default=0), max(bins, default=-1) + 1):
        faults, hits = bins.get(step, (0, 0))
        edges = round(10 ** (step / per_decade)), round(10 ** ((step + 1) / per_decade))
        found.append(HistogramBin(*edges, faults + hits, faults))
    return found


def prefault_window_pages(faults: NDArray[np.uint8]) -> int | None:
    """How many pages one fault made present, from the faults of a sequential pass, shape (pages,).

    The most frequent distance from one faulting touch to the next; with a single one, to the end. None
    where nothing faulted.
    """
    faulting = np.flatnonzero(faults)
    if faulting.size == 0:
        return None
    if faulting.size == 1:
        return int(faults.size - faulting[0])
    distances, counts = np.unique(np.diff(faulting), return_counts=True)
    return int(distances[np.argmax(counts)])


MAP_GROUPS = 256
_LONGEST_PERIOD = 4


def by_page(values: NDArray[N], order: NDArray[np.uint32]) -> NDArray[N]:
    """Faults or ticks in the order of the touches -> the same by page, both of shape (pages,)."""
    by_index = np.empty_like(values)
    by_index[order] = values
    return by_index


def fault_map(faults: NDArray[np.uint8]) -> list[FaultGroup]:
    """Faults by page, shape (pages,), run-length coded, with runs that repeat folded; at most MAP_GROUPS groups."""
    if faults.size == 0:
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(faults)) + 1])
    lengths = np.diff(np.concatenate([starts, [faults.size]]))
    runs = list(zip(faults[starts].tolist(), lengths.tolist(), strict=True))
    groups: list[FaultGroup] = []
    at = 0
    while at < len(runs) and len(groups) < MAP_GROUPS:
        period, times = max(
            ((p, _repeats(runs, at, p)) for p in range(1, _LONGEST_PERIOD + 1)),
            key=lambda found: (found[0] * found[1] if found[1] > 1 else 1, -found[0]),
        )
        period = period if times > 1 else 1
        groups.append(FaultGroup(times, [FaultRun(*run) for run in runs[at:at + period]]))
        at += period * times
    return groups


def _repeats(runs: list[tuple[int, int]], at: int, period: int) -> int:
    """How often the `period` runs from `at` on come one after the other."""
    pattern = runs[at:at + period]
    times = 1
    while runs[at + times * period:at + (times + 1) * period] == pattern:
        times += 1
    return times


def ratios(values: Sequence[int], references: Sequence[int]) -> tuple[float, float, float] | None:
    """(median, min, max) of value / reference taken run by run; None where a reference is 0 or nothing ran."""
    pairs = list(zip(values, references, strict=False))
    if not pairs or any(reference <= 0 for _value, reference in pairs):
        return None
    each = [value / reference for value, reference in pairs]
    return statistics.median(each), min(each), max(each)
