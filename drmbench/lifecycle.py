# SPDX-License-Identifier: MIT
"""drmbench lifecycle from options to report: its series, their results, and what could mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import LIFE_OPERATIONS, Caveat, LifecycleReport, LifecycleResult, OperationCost
from drmbench.results import clock_info, target_info
from drmbench.runner import Job
from drmbench.stats import exact_distribution
from drmbench.units import format_bytes
from drmbench.workloads.lifecycle import LifecycleParameters, LifecycleSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.measurement import Options, Progress
    from drmbench.model import Access, Environment
    from drmbench.native import Clock
    from drmbench.runner import Outcome
    from drmbench.targets import Target
    from drmbench.workloads.lifecycle import Level, LevelRuns

_FEW_CALLS = 100


def run_lifecycle(options: Options, progress: Progress) -> Outcome:
    """Time each call of a buffer's life by size and by count of live buffers; raises as Job.run()."""
    return Job(_series, _results, LifecycleReport, _remarks).run(options, progress)


def _series(options: Options, target: Target, kind: str, _access: Access, _size_bytes: int) -> LifecycleSeries:
    return LifecycleSeries(target, kind, LifecycleParameters(
        options.sizes, options.live_buffers, options.cycles or 1, options.live_fixed,
    ))


def _results(series: LifecycleSeries, clock: Clock, _environment: Environment) -> list[LifecycleResult]:
    """One result for each size and count of live buffers that has a finished run."""
    return [_result(series, level, done, clock)
            for level, done in sorted(series.levels.items(), key=lambda item: (item[0].size_bytes, item[0].live))]


def _result(series: LifecycleSeries, level: Level, done: LevelRuns, clock: Clock) -> LifecycleResult:
    return LifecycleResult(
        target=target_info(series.target, series.kind),
        size_bytes=level.size_bytes,
        live_buffers=level.live,
        runs=done.runs,
        cycles=series.parameters.cycles,
        vmas=done.vmas,
        operations=[
            OperationCost(name, len(done.ns[name]), done.faults[name],
                          round(len(done.ns[name]) * 1e9 / max(1, sum(done.ns[name])), 1),
                          exact_distribution(done.ns[name]))
            for name in LIFE_OPERATIONS if any(done.ns.get(name, ()))  # else there is no system call behind it
        ],
        problems=series.problems,
        clock=clock_info(clock),
    )


def _remarks(
    series: LifecycleSeries, found: list[LifecycleResult], _clock: Clock, _environment: Environment,
) -> Iterator[Caveat]:
    for less in series.reduced:
        yield Caveat("live-reduced", f"{series.who}: {less.wanted} live buffers of {format_bytes(less.size_bytes)} do "
                     f"not fit, measured with {less.used}: {less.reason}", less.remedy or "fewer with --live")
    if "export" in series.problems:
        yield Caveat("not-shared", f"{series.who}: export and import are left out: {series.problems['export']}",
                     "drmbench explain tells more of the driver")
    calls = min((each.calls for result in found for each in result.operations), default=_FEW_CALLS)
    if calls < _FEW_CALLS:
        yield Caveat("few-samples", f"under {_FEW_CALLS} calls, so p99 is no more than the maximum",
                     "more --cycles or more --runs")
