# SPDX-License-Identifier: MIT
"""Statistics against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from drmbench.stats import (
    EMPTY,
    TickScale,
    distribution,
    histogram_bins,
    median_int,
    prefault_window_pages,
    ratios,
)

# Eight buckets of one tick each, then one that holds 8 to 15.
SCALE = TickScale(np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 16], dtype=np.float64), ns_per_tick=10.0, overhead_ns=5.0)


def counts(*samples: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    found = np.zeros(9, dtype=np.uint64)
    for sample in samples:
        found[min(sample, 8)] += 1
    return found


class TestDistribution:
    def test_nearest_rank_by_hand(self) -> None:
        found = distribution(counts(1, 2, 3, 4, 5, 6, 7, 7, 7, 7), (1, 7), SCALE)
        assert (found.n, found.min, found.max) == (10, 5, 65)
        assert (found.p50, found.p90) == (45, 65)

    def test_p99_and_p999_of_a_thousand(self) -> None:
        filled = np.zeros(9, dtype=np.uint64)
        filled[1], filled[2], filled[3] = 989, 10, 1
        found = distribution(filled, (1, 3), SCALE)
        assert (found.p50, found.p99, found.p999, found.max) == (5, 15, 15, 25)

    def test_a_wide_bucket_gives_its_middle_held_by_the_extremes(self) -> None:
        assert distribution(counts(8, 8), (8, 8), SCALE).p50 == 75
        assert distribution(counts(8, 15), (8, 15), SCALE).p50 == 110

    def test_the_clock_is_taken_off_but_never_below_zero(self) -> None:
        assert distribution(counts(0), (0, 0), SCALE).p50 == 0

    def test_nothing_is_null(self) -> None:
        assert distribution(counts(), (2**63, 0), SCALE) == EMPTY


class TestBins:
    def test_every_touch_is_in_one_bin(self) -> None:
        bins = histogram_bins(counts(1, 2, 3, 8, 8), counts(), SCALE)
        assert sum(part.count for part in bins) == 5
        assert all(part.from_ns < part.to_ns for part in bins)
        assert [part.from_ns for part in bins[1:]] == [part.to_ns for part in bins[:-1]]

    def test_no_touch_no_bin(self) -> None:
        assert histogram_bins(counts(), counts(), SCALE) == []


class TestWindow:
    @pytest.mark.parametrize(("faults", "window"), [
        ([1, 1, 1, 1], 1),                    # each touch faults: GEM shmem
        ([2, 2, 2, 2], 1),                    # twice each: pfn_mkwrite
        ([1, 0, 0, 0, 1, 0, 0, 0, 1, 0], 4),  # a window of 4, the last one cut off
        ([1, 0, 0, 0, 0, 0], 6),              # the whole object at the first touch
        ([0, 0, 0, 0], None),                 # mapped before: nothing to see
        ([1, 1, 0, 1, 0, 1, 0, 1, 0, 0], 2),  # one stray fault does not hide it
    ])
    def test_by_hand(self, faults: list[int], window: int | None) -> None:
        assert prefault_window_pages(np.array(faults, dtype=np.uint8)) == window


class TestRunsAndRatios:
    def test_a_median_of_counts_is_one_of_them(self) -> None:
        assert median_int([1024, 1025]) == 1024
        assert median_int([3, 1, 2]) == 2

    def test_ratios_are_taken_run_by_run(self) -> None:
        assert ratios([10, 30, 20], [10, 10, 10]) == (2.0, 1.0, 3.0)

    def test_no_ratio_to_nothing(self) -> None:
        assert ratios([1], [0]) is None
        assert ratios([], []) is None
