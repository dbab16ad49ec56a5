# SPDX-License-Identifier: MIT
"""What `drmbench compare` finds between saved reports, or between things measured in turns."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import AtLeastOne, Caveat, Count, Duration, Environment, RunOutlier, Size, TargetInfo

CountVerdict = Literal["more", "fewer", "same", "cannot tell"]
TimeVerdict = Literal["faster", "slower", "same", "cannot tell"]
ConditionVerdict = Literal["met", "not met", "undecided"]


class CompareSide(msgspec.Struct, frozen=True):
    """One of the things compared: a file, a baseline, or what was measured live; the first is the base."""

    name: str
    command: str
    environment: Environment


class CountComparison(msgspec.Struct, frozen=True):
    """Something counted in both; medians of the runs. `varies` where not every run of a side counted the same."""

    name: str
    base: Count
    new: Count
    verdict: CountVerdict
    varies: bool = False
    reason: str = ""


class TimeComparison(msgspec.Struct, frozen=True):
    """Something measured in both; medians of the runs, in `unit`.

    `ratio` is new / base with its 95 % bootstrap interval, `p` that of Mann-Whitney U, `p_adjusted` the same among
    all tests of this comparison (Benjamini-Hochberg), `cliffs_delta` P(new > base) - P(new < base). null where
    there is none, and where the runs are too few for one.
    """

    name: str
    unit: str
    more_is_better: bool
    base: Duration
    new: Duration
    base_runs: Size
    new_runs: Size
    ratio: Duration | None
    ratio_low: Duration | None
    ratio_high: Duration | None
    p: Duration | None
    p_adjusted: Duration | None
    cliffs_delta: float | None
    verdict: TimeVerdict
    reason: str
    base_outliers: list[RunOutlier] = []
    new_outliers: list[RunOutlier] = []


class FactChange(msgspec.Struct, frozen=True):
    """Something that is no number and differs: a mechanism, a verdict, VmFlags, an errno."""

    name: str
    base: str
    new: str


class CompareResult(msgspec.Struct, frozen=True):
    """One result that both sides have; `side` is the index of the new one, `variant` says how it was measured."""

    side: Size
    target: TargetInfo
    new_target: TargetInfo
    variant: str
    counts: list[CountComparison]
    times: list[TimeComparison]
    facts: list[FactChange]


class GeometricMean(msgspec.Struct, frozen=True):
    """The geometric mean of one quantity's ratios over `results` results, with its 95 % bootstrap interval."""

    side: Size
    name: str
    results: Size
    ratio: Duration
    ratio_low: Duration
    ratio_high: Duration


class OneSided(msgspec.Struct, frozen=True):
    """A result that only one of the two has; `side` is the one that has it."""

    side: Count
    other_side: Count
    result: str


class CompareCondition(msgspec.Struct, frozen=True):
    """One --fail-if, and where it is met or could not be decided."""

    text: str
    verdict: ConditionVerdict
    where: list[str]


class CompareParameters(msgspec.Struct, frozen=True):
    """What was asked for; `size_bytes` is the buffer size of the first result."""

    noise_percent: Duration
    alpha: Duration
    conditions: list[str]
    across: list[str]
    live: bool
    size_bytes: Size


class CompareReport(msgspec.Struct, frozen=True, tag_field="command", tag="compare"):
    """What `drmbench compare` found; `environment` is that of the base."""

    schema_version: Literal[1]
    environment: Environment
    parameters: CompareParameters
    sides: Annotated[list[CompareSide], msgspec.Meta(min_length=2)]
    results: Annotated[list[CompareResult], AtLeastOne]
    geometric_means: list[GeometricMean]
    one_sided: list[OneSided]
    conditions: list[CompareCondition]
    caveats: list[Caveat]
