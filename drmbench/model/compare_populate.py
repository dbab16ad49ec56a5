# SPDX-License-Identifier: MIT
"""What `drmbench compare-populate` reports."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import (
    Access,
    AtLeastOne,
    Caveat,
    ClockInfo,
    Count,
    Duration,
    Environment,
    Order,
    Parameters,
    Repetition,
    Size,
    Spread,
    TargetInfo,
)

Verdict = Literal["real", "no-op", "refused", "moot"]


class StrategyFaults(msgspec.Struct, frozen=True):
    """Faults per run (median) of mmap(), of the populate step and of the touch pass after it."""

    mmap: Count
    populate: Count
    touch: Count


class StrategyResult(msgspec.Struct, frozen=True):
    """One way to populate: what the kernel did, by count, and what it cost against lazy.

    The times are those of the run with the median total and add up to it; the ratio is the median of the
    ratios taken run by run. `total_ns_runs` and `stages_ns_runs` (mmap, populate, touch) are the runs one by one,
    and `spread` is that of their total.
    """

    verdict: Verdict
    reason: str
    errno: str | None
    faults: StrategyFaults
    mmap_ns: Count
    populate_ns: Count
    touch_ns: Count
    total_ns: Count
    ratio_to_lazy: Duration | None
    ratio_to_lazy_min: Duration | None = None
    ratio_to_lazy_max: Duration | None = None
    total_ns_runs: list[Count] = []
    stages_ns_runs: dict[str, list[Count]] = {}
    spread: Spread | None = None


class ComparePopulateResult(msgspec.Struct, frozen=True):
    """All strategies on one buffer kind, runs interleaved."""

    target: TargetInfo
    size_bytes: Size
    pages: Size
    access: Access
    vm_flags: list[str]
    strategies: dict[str, StrategyResult]
    order: Order = "sequential"
    runs: Size = 1
    clock: ClockInfo | None = None


class ComparePopulateReport(msgspec.Struct, frozen=True, tag_field="command", tag="compare-populate"):
    """What `drmbench compare-populate` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: Annotated[list[ComparePopulateResult], AtLeastOne]
    caveats: list[Caveat]
    repetition: Repetition | None = None
