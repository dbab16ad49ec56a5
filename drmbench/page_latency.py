# SPDX-License-Identifier: MIT
"""Latency by page index: a bounded series, whatever the size of the buffer and the number of runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drmbench.model import PageLatency

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MOST_GROUPS = 1024
MOST_RUNS = 64


def pages_per_group(pages: int) -> int:
    """So many neighbouring pages share an entry that there are at most MOST_GROUPS of them."""
    return max(1, -(-pages // MOST_GROUPS))


@dataclass(frozen=True, slots=True)
class Grouped:
    """One pass in clock ticks, by groups of neighbouring pages: shape (groups,) each."""

    median: NDArray[np.uint32]
    most: NDArray[np.uint32]


def grouped(ticks: NDArray[np.uint32]) -> Grouped:
    """Ticks by page, shape (pages,), one or more -> the lower median and the maximum of each group of pages."""
    size = pages_per_group(ticks.size)
    whole = ticks.size // size * size
    table = np.sort(ticks[:whole].reshape(-1, size), axis=1)
    median, most = table[:, (size - 1) // 2], table[:, -1]
    if whole < ticks.size:
        rest = np.sort(ticks[whole:])
        median = np.append(median, rest[(rest.size - 1) // 2])
        most = np.append(most, rest[-1])
    return Grouped(median.copy(), most.copy())


@dataclass(slots=True)
class PageSeries:
    """One pass of all runs: the maximum of them all, and the medians of the first MOST_RUNS."""

    medians: list[NDArray[np.uint32]] = field(default_factory=list)
    most: NDArray[np.uint32] | None = None

    def add(self, run: Grouped) -> None:
        """Take in a finished run."""
        if len(self.medians) < MOST_RUNS:
            self.medians.append(run.median)
        self.most = run.most if self.most is None else np.maximum(self.most, run.most)

    def latency(self, pages: int, ns: Callable[[float], int]) -> PageLatency | None:
        """In ns, `ns` turning ticks into them; None where no run was finished."""
        if self.most is None:
            return None
        # Sorted and indexed, so that a median is a time that was measured.
        middle = np.sort(np.stack(self.medians), axis=0)[(len(self.medians) - 1) // 2]
        return PageLatency(pages_per_group(pages), [ns(int(t)) for t in middle], [ns(int(t)) for t in self.most])
