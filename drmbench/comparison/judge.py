# SPDX-License-Identifier: MIT
"""The verdicts: counts are exact, times need enough runs, a rank test, and an interval beyond the noise."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median, median_low
from typing import TYPE_CHECKING

from drmbench.inference.intervals import Interval, ratio_around, resampled_ratios
from drmbench.inference.outliers import outliers
from drmbench.inference.rank_test import RankTest, mann_whitney
from drmbench.model import CountComparison, RunOutlier, TimeComparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from drmbench.comparison.subject import Counted, Sampled
    from drmbench.model import CountVerdict, TimeVerdict

FEWEST_RUNS = 6
"""With 5 a side the bootstrap interval of a median cannot reach 95 % coverage: 1 - 2 / 2**5 is 94 %."""

ALPHA = 0.05
DEFAULT_NOISE_PERCENT = 5.0


def compare_counts(base: Counted, new: Counted) -> CountComparison:
    """One run a side is enough where every run counts the same; else the ranges must lie apart."""
    was, now = median_low(base.values), median_low(new.values)
    varies = len(set(base.values)) > 1 or len(set(new.values)) > 1
    verdict: CountVerdict = "same" if was == now else "more" if now > was else "fewer"
    reason = ""
    if verdict != "same" and varies and _overlap(base.values, new.values):
        verdict, reason = "cannot tell", "the runs of one side count differently, and the ranges overlap"
    elif abs(was - now) == 1 and base.alignment != new.alignment:
        verdict, reason = "cannot tell", "the mapping began elsewhere in its prefault window"
    return CountComparison(base.name, was, now, verdict, varies=varies, reason=reason)


def _overlap(one: Sequence[int], other: Sequence[int]) -> bool:
    return max(min(one), min(other)) <= min(max(one), max(other))


@dataclass(frozen=True, slots=True)
class Tested:
    """One quantity of one result, tested; `drawn`, `interval` and `test` are None where there is nothing to test."""

    base: Sampled
    new: Sampled
    drawn: NDArray[np.float64] | None
    interval: Interval | None
    test: RankTest | None


def test_times(base: Sampled, new: Sampled, stream: int) -> Tested:
    """The ratio of the medians and the rank test; `stream` tells the bootstrap draws of quantities apart."""
    drawn = resampled_ratios(base.values, new.values, stream)
    interval = None if drawn is None else ratio_around(base.values, new.values, drawn)
    enough = min(len(base.values), len(new.values)) >= FEWEST_RUNS
    return Tested(base, new, drawn, interval, mann_whitney(base.values, new.values) if enough and interval else None)


@dataclass(frozen=True, slots=True)
class Rule:
    """What counts as a difference; `distrust` says why times prove nothing here at all, "" where they may."""

    noise_percent: float = DEFAULT_NOISE_PERCENT
    alpha: float = ALPHA
    distrust: str = ""


def conclude(tested: Tested, p_adjusted: float | None, rule: Rule) -> TimeComparison:
    """The comparison of one quantity, with its verdict and why."""
    verdict, reason = _verdict(tested, p_adjusted, rule)
    interval, test = tested.interval, tested.test
    known = interval if test else None  # the interval of a few runs would look surer than it is
    return TimeComparison(
        name=tested.base.name, unit=tested.base.unit, more_is_better=tested.base.more_is_better,
        base=median(tested.base.values), new=median(tested.new.values),
        base_runs=len(tested.base.values), new_runs=len(tested.new.values),
        ratio=interval.middle if interval else None,
        ratio_low=known.low if known else None,
        ratio_high=known.high if known else None,
        p=test.p if test else None, p_adjusted=p_adjusted, cliffs_delta=test.delta if test else None,
        verdict=verdict, reason=reason,
        base_outliers=_outliers(tested.base), new_outliers=_outliers(tested.new),
    )


def _verdict(tested: Tested, p: float | None, rule: Rule) -> tuple[TimeVerdict, str]:
    interval = tested.interval
    if interval is None:
        return "cannot tell", "too short to measure"
    if rule.distrust:
        return "cannot tell", rule.distrust
    fewest = min(len(tested.base.values), len(tested.new.values))
    if tested.test is None or p is None:
        return "cannot tell", f"{fewest} run{'s' if fewest > 1 else ''}, {FEWEST_RUNS} are needed"
    noise = rule.noise_percent / 100
    low_edge, high_edge = 1 / (1 + noise), 1 + noise
    if low_edge <= interval.low and interval.high <= high_edge:
        return "same", f"within {rule.noise_percent:g} %"
    apart = interval.low > 1 or interval.high < 1
    if apart and p < rule.alpha and not low_edge <= interval.middle <= high_edge:
        return ("slower" if (interval.middle > 1) != tested.base.more_is_better else "faster"), "shown by both tests"
    return "cannot tell", "the interval is too wide" if not apart else "not clear of noise"


def _outliers(sampled: Sampled) -> list[RunOutlier]:
    return [RunOutlier(found.run, found.value, found.grade) for found in outliers(sampled.values)]
