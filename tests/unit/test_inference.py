# SPDX-License-Identifier: MIT
"""Every statistic on synthetic runs with known answers, and against scipy's own."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from drmbench.inference.intervals import (
    geometric_mean,
    median_interval,
    ratio_interval,
    resampled_medians,
    resampled_ratios,
)
from drmbench.inference.outliers import outliers
from drmbench.inference.rank_test import adjusted, mann_whitney

RNG = np.random.default_rng(7)
LOGNORMAL = RNG.lognormal(8, 0.1, 25).tolist()
SAMPLES = {
    "normal": RNG.normal(1000, 30, 20).tolist(),
    "heavy-tailed": (1000 + 20 * RNG.standard_t(2, 21)).tolist(),
    "bimodal": [*RNG.normal(1000, 10, 12), *RNG.normal(2000, 10, 13)],
    "tied": [100.0] * 9 + [101.0] * 6 + [102.0] * 5,
    "skewed": LOGNORMAL,
    "five": [10.0, 11.0, 12.0, 13.0, 40.0],
    "two": [3.0, 5.0],
}


class TestMedian:
    """The percentile bootstrap of the median, drawn by order statistics."""

    @pytest.mark.parametrize("name", SAMPLES)
    def test_its_interval_is_that_of_scipy(self, name: str) -> None:
        values = SAMPLES[name]
        found = median_interval(values)
        theirs = stats.bootstrap((values,), np.median, method="percentile", n_resamples=9999, vectorized=True,
                                 random_state=np.random.default_rng(3)).confidence_interval
        assert found is not None
        assert found.middle == np.median(values)
        # Both draw at random from a distribution in steps, whose ends may fall one step beside each other.
        steps = np.sort(np.unique(np.concatenate([values, [found.low, found.high, *theirs]])))
        gap = float(np.diff(steps).max()) if name == "two" else float(np.ptp(values)) * 0.12
        assert found.low == pytest.approx(theirs.low, abs=gap)
        assert found.high == pytest.approx(theirs.high, abs=gap)

    @pytest.mark.parametrize("n", [1, 2, 5, 6, 9, 24])
    def test_the_draws_are_distributed_as_medians_of_resamples(self, n: int) -> None:
        values = np.sqrt(np.arange(1, n + 1))
        rng = np.random.default_rng(5)
        plain = np.median(rng.choice(values, (20_000, n)), axis=1)
        assert stats.ks_2samp(resampled_medians(values.tolist(), rng), plain).statistic < 0.045

    def test_one_run_has_no_width(self) -> None:
        found = median_interval([42.0])
        assert found is not None
        assert (found.low, found.middle, found.high, found.reach_percent) == (42, 42, 42, 0)

    def test_no_run_has_no_interval(self) -> None:
        assert median_interval([]) is None

    def test_the_reach_is_to_the_farther_end(self) -> None:
        found = median_interval([10, 10, 10, 10, 10, 10, 10, 30, 30, 30, 30])
        assert found is not None
        assert (found.middle, found.low, found.high, found.reach_percent) == (10, 10, 30, 200)

    def test_the_same_runs_give_the_same_interval(self) -> None:
        assert median_interval(LOGNORMAL) == median_interval(list(LOGNORMAL))

    @pytest.mark.parametrize(("n", "least"), [(6, 0.93), (10, 0.93), (30, 0.93)])
    def test_it_covers_the_true_median_about_as_often_as_it_says(self, n: int, least: float) -> None:
        rng = np.random.default_rng(11)
        covered = 0
        for _ in range(1000):
            found = median_interval(rng.lognormal(0, 0.5, n).tolist())
            covered += found is not None and found.low <= 1 <= found.high
        assert covered / 1000 >= least


class TestRatio:
    """new / base of the medians."""

    def test_identical_runs_have_a_ratio_of_one(self) -> None:
        found = ratio_interval([5.0] * 10, [5.0] * 10)
        assert found is not None
        assert (found.low, found.middle, found.high) == (1, 1, 1)

    def test_a_shift_is_found_within_its_interval(self) -> None:
        found = ratio_interval(LOGNORMAL, [1.2 * value for value in LOGNORMAL])
        assert found is not None
        assert found.middle == pytest.approx(1.2)
        assert found.low < 1.2 < found.high

    @pytest.mark.parametrize("name", ["normal", "heavy-tailed", "skewed"])
    def test_its_interval_is_that_of_scipy(self, name: str) -> None:
        base, new = SAMPLES[name], [1.1 * value for value in SAMPLES["skewed"]]
        found = ratio_interval(base, new)
        theirs = stats.bootstrap((base, new), lambda b, n, axis: np.median(n, axis=axis) / np.median(b, axis=axis),
                                 method="percentile", n_resamples=9999,
                                 random_state=np.random.default_rng(3)).confidence_interval
        assert found is not None
        assert found.low == pytest.approx(theirs.low, rel=0.02)
        assert found.high == pytest.approx(theirs.high, rel=0.02)

    @pytest.mark.parametrize(("base", "new"), [([], [1.0]), ([1.0], []), ([0.0, 0.0], [1.0]), ([1.0], [0.0]),
                                               ([1e-308], [1e308]), ([1e308], [5e-324])])
    def test_there_is_none_to_or_of_nothing(self, base: list[float], new: list[float]) -> None:
        assert ratio_interval(base, new) is None

    def test_streams_are_independent_draws(self) -> None:
        one, other = (resampled_ratios(LOGNORMAL, LOGNORMAL, stream) for stream in (0, 1))
        assert one is not None
        assert other is not None
        assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.1


class TestGeometricMean:
    def test_twice_and_half_make_one(self) -> None:
        ratios = [2.0, 0.5]
        drawn = [np.full(10, ratio) for ratio in ratios]
        found = geometric_mean(ratios, drawn)
        assert found is not None
        assert found.middle == pytest.approx(1)
        assert found.middle == pytest.approx(float(stats.gmean(ratios)))

    def test_more_results_narrow_the_interval(self) -> None:
        drawn = [resampled_ratios(LOGNORMAL, LOGNORMAL, stream) for stream in range(9)]
        every = [ratios for ratios in drawn if ratios is not None]
        one, nine = geometric_mean([1.0], every[:1]), geometric_mean([1.0] * 9, every)
        assert one is not None
        assert nine is not None
        assert (nine.high - nine.low) < 0.5 * (one.high - one.low)

    def test_of_nothing_there_is_none(self) -> None:
        assert geometric_mean([], []) is None


class TestMannWhitney:
    @pytest.mark.parametrize("name", SAMPLES)
    def test_it_is_scipys(self, name: str) -> None:
        found = mann_whitney(SAMPLES["normal"], SAMPLES[name])
        tied = len(set(SAMPLES["normal"]) | set(SAMPLES[name])) < len(SAMPLES["normal"]) + len(SAMPLES[name])
        theirs = stats.mannwhitneyu(SAMPLES[name], SAMPLES["normal"], method="asymptotic" if tied else "exact")
        assert found.p == pytest.approx(theirs.pvalue)

    def test_the_exact_p_of_six_against_six_by_hand(self) -> None:
        # All of one side below all of the other: 2 of the C(12, 6) = 924 orders.
        found = mann_whitney([1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12])
        assert found.p == pytest.approx(2 / 924)
        assert found.delta == 1

    def test_cliffs_delta_by_counting_pairs(self) -> None:
        base, new = SAMPLES["tied"], [101.0, 101.0, 99.0, 103.0]
        more = sum(n > b for n in new for b in base)
        less = sum(n < b for n in new for b in base)
        assert mann_whitney(base, new).delta == pytest.approx((more - less) / (len(base) * len(new)))

    def test_identical_values_differ_in_nothing(self) -> None:
        assert mann_whitney([5.0] * 8, [5.0] * 8) == mann_whitney([1.0] * 8, [1.0] * 8)
        assert (mann_whitney([5.0] * 8, [5.0] * 8).p, mann_whitney([5.0] * 8, [5.0] * 8).delta) == (1, 0)

    def test_one_against_one_proves_nothing(self) -> None:
        assert mann_whitney([1.0], [2.0]).p == 1

    def test_many_tests_at_once_by_hand(self) -> None:
        # Benjamini-Hochberg: the i-th smallest of m, times m / i.
        assert adjusted([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.5])
        assert adjusted([]) == []


class TestOutliers:
    def test_they_are_named_by_run_and_graded(self) -> None:
        found = outliers([10, 11, 12, 10, 15, 11, 12, 10, 90, 11])
        assert [(o.run, o.value, o.grade) for o in found] == [(5, 15, "mild"), (9, 90, "severe")]

    def test_a_low_one_is_one_too(self) -> None:
        assert [o.run for o in outliers([100, 101, 99, 100, 20, 100, 101])] == [5]

    def test_against_scipys_quartiles(self) -> None:
        values = SAMPLES["heavy-tailed"]
        spread = float(stats.iqr(values))
        first, third = np.quantile(values, [0.25, 0.75])
        beyond = [v for v in values if v < first - 1.5 * spread or v > third + 1.5 * spread]
        assert beyond
        assert [o.value for o in outliers(values)] == beyond

    def test_few_runs_have_none(self) -> None:
        assert outliers([1, 1, 1, 1000]) == []

    def test_two_modes_are_no_outliers(self) -> None:
        assert outliers(SAMPLES["bimodal"]) == []


def test_what_measuring_needs_does_without_scipy() -> None:
    program = ("import sys; from drmbench.inference import intervals, outliers; intervals.median_interval([1, 2, 3]); "
               "outliers.outliers([1, 2, 3, 4, 5]); sys.exit('scipy' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_medians_of_very_many_runs_are_quick_and_narrow() -> None:
    values = np.random.default_rng(1).lognormal(0, 0.3, 100_000).tolist()
    found = median_interval(values)
    assert found is not None
    assert math.isclose(found.middle, 1, rel_tol=0.01)
    assert found.reach_percent is not None
    assert found.reach_percent < 0.5
