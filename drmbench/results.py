# SPDX-License-Identifier: MIT
"""Finished series -> results of the report: medians over runs, percentiles over touches, verdicts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import structs

from drmbench.buffer import PAGE_BYTES
from drmbench.errors import errno_name
from drmbench.inference.intervals import median_interval
from drmbench.inference.outliers import outliers
from drmbench.model import (
    QUANTILE_STEPS,
    STAGES,
    ClockInfo,
    ComparePopulateResult,
    Conclusion,
    ExplainResult,
    FaultLatencyResult,
    Payment,
    PerRun,
    PerStage,
    Phase,
    RunOutlier,
    Spread,
    StrategyFaults,
    StrategyResult,
    TargetInfo,
    TouchPass,
)
from drmbench.native import bucket_lower_ticks
from drmbench.oracle import conclude
from drmbench.stats import (
    TickScale,
    by_page,
    distribution,
    fault_map,
    histogram_bins,
    median_int,
    percentile_ticks,
    ratios,
)
from drmbench.workloads.fault import PER_RUN
from drmbench.workloads.passes import PASSES
from drmbench.workloads.populate import STRATEGIES, PopulateRun, PopulateSeries
from drmbench.workloads.verdict import Evidence, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from drmbench.native import Clock
    from drmbench.targets import Target
    from drmbench.workloads.explain import ExplainSeries, PaymentRun
    from drmbench.workloads.fault import FaultSeries, PhaseRun, PhaseSeries


def clock_info(clock: Clock) -> ClockInfo:
    """The clock in whole ns; a step finer than 1 ns is given as 1."""
    return ClockInfo(clock.source, round(clock.overhead_ns), max(1, math.ceil(clock.resolution_ns)))


def target_info(target: Target, kind: str) -> TargetInfo:
    """The target as a result names it."""
    return TargetInfo(target.kind, target.node, target.driver, target.description, kind)


def fault_results(series: FaultSeries, clock: Clock) -> list[FaultLatencyResult]:
    """One result for each phase that was asked for and has at least one finished run."""
    return [
        _fault_result(series, phase, done, clock)
        for phase, done in series.phases.items()
        if done.runs and phase in series.parameters.phases
    ]


def _fault_result(series: FaultSeries, phase: Phase, done: PhaseSeries, clock: Clock) -> FaultLatencyResult:
    parameters = series.parameters
    pages = parameters.size_bytes // PAGE_BYTES
    counts = {name: median_int([run.stages[name].faults for run in done.runs]) for name in STAGES}
    times = {name: median_int([run.stages[name].ns for run in done.runs]) for name in STAGES}
    scale = TickScale(bucket_lower_ticks(), clock.ns_per_tick, clock.overhead_ns)
    passes = _passes(series, done, pages, scale)
    least, most = zip(done.faulted_extremes, done.hit_extremes, strict=True)
    return FaultLatencyResult(
        target=target_info(series.target, series.kind),
        size_bytes=parameters.size_bytes,
        pages=pages,
        access=parameters.access,
        order=parameters.order,
        phase=phase,
        runs=len(done.runs),
        faults=PerStage(**counts),
        faults_per_page=counts["touch"] / pages,
        prefault_window_pages=passes[0].prefault_window_pages,
        stages_ns=PerStage(**times),
        ns_per_page=round(times["touch"] / pages, 2),
        fault_ns=distribution(done.faulted, done.faulted_extremes, scale),
        hit_ns=distribution(done.hit, done.hit_extremes, scale),
        vm_flags=done.expected.vm_flags,
        clock=clock_info(clock),
        passes=passes,
        histogram=histogram_bins(done.faulted, done.hit, scale),
        quantiles_ns=_quantiles(done.faulted + done.hit, (min(least), max(most)), scale),
        ns_per_page_runs=[round(run.stages["touch"].ns / pages, 2) for run in done.runs],
        private_mapping=done.expected.private_mapping,
        address=done.expected.address,
        per_run=_per_run(done.runs, scale),
        spread=spread_of([run.stages["touch"].ns / pages for run in done.runs]),
    )


def spread_of(values: Sequence[float]) -> Spread | None:
    """How well the median of these runs is known, None without any; needs numpy only."""
    interval = median_interval(values)
    if interval is None:
        return None
    found = [RunOutlier(outlier.run, outlier.value, outlier.grade) for outlier in outliers(values)]
    return Spread(interval.low, interval.high, interval.reach_percent, found)


def _per_run(runs: Sequence[PhaseRun], scale: TickScale) -> PerRun:
    return PerRun(
        faults={name: [run.stages[name].faults for run in runs] for name in STAGES},
        stages_ns={name: [run.stages[name].ns for run in runs] for name in STAGES},
        fault_ns=_percentiles([run.fault_ticks for run in runs], scale),
        hit_ns=_percentiles([run.hit_ticks for run in runs], scale),
    )


def _percentiles(ticks: Sequence[list[float] | None], scale: TickScale) -> dict[str, list[int]]:
    """By name, one entry a run; nothing where a run had no such touch."""
    by_run = [each for each in ticks if each is not None]
    if len(by_run) < len(ticks):
        return {}
    return {name: [scale.ns(each[index]) for each in by_run] for index, name in enumerate(PER_RUN)}


def _quantiles(counts: NDArray[np.uint64], extremes_ticks: tuple[int, int], scale: TickScale) -> list[int]:
    """At each of QUANTILE_STEPS; the first and the last are the exact extremes."""
    between = percentile_ticks(counts, extremes_ticks, scale.lower_ticks, QUANTILE_STEPS[1:-1])
    least, most = extremes_ticks
    return [scale.ns(value) for value in (least, *between, most)]


def _passes(series: FaultSeries, done: PhaseSeries, pages: int, scale: TickScale) -> list[TouchPass]:
    found: list[TouchPass] = []
    for index, access in enumerate(PASSES[series.parameters.access]):
        faults = median_int([run.passes[index].faults for run in done.runs])
        found.append(TouchPass(
            access=access,
            faults=faults,
            faults_per_page=faults / pages,
            prefault_window_pages=done.expected.windows[index],
            ns=median_int([run.passes[index].ns for run in done.runs]),
            fault_map=fault_map(by_page(done.expected.faults[index], series.order)),
            page_latency=done.by_page[index].latency(pages, scale.ns),
        ))
    return found


def populate_results(series: PopulateSeries, clock: Clock) -> list[ComparePopulateResult]:
    """One result where at least one run of all strategies finished, else none."""
    if not series.runs:
        return []
    parameters = series.parameters
    lazy = [run["lazy"] for run in series.runs]
    return [ComparePopulateResult(
        target=target_info(series.target, series.kind),
        size_bytes=parameters.size_bytes,
        pages=parameters.size_bytes // PAGE_BYTES,
        access=parameters.access,
        vm_flags=series.vm_flags,
        strategies={
            name: _strategy_result(name, [run[name] for run in series.runs], lazy, series.vm_flags)
            for name in parameters.strategies
        },
        order=parameters.order,
        runs=len(series.runs),
        clock=clock_info(clock),
    )]


def _strategy_result(
    name: str, runs: list[PopulateRun], lazy: list[PopulateRun], vm_flags: list[str],
) -> StrategyResult:
    faults = StrategyFaults(
        mmap=median_int([run.mmap.faults for run in runs]),
        populate=median_int([run.populate.faults for run in runs]),
        touch=median_int([run.touch.faults for run in runs]),
    )
    refusal = next((run.errno for run in runs if run.errno is not None), None)
    verdict, reason = judge(Evidence(
        call=STRATEGIES[name].call,
        lazy_touch_faults=median_int([run.touch.faults for run in lazy]),
        touch_faults=faults.touch,
        earlier_faults=faults.mmap + faults.populate,
        errno=refusal,
        vm_flags=vm_flags,
    ))
    spread = ratios([run.total_ns for run in runs], [run.total_ns for run in lazy])
    middle, least, most = spread if spread is not None else (None, None, None)
    # The times are those of one run, the one with the median total, so that they add up.
    typical = sorted(runs, key=lambda run: run.total_ns)[(len(runs) - 1) // 2]
    return StrategyResult(
        verdict=verdict,
        reason=reason,
        errno=None if refusal is None else errno_name(refusal),
        faults=faults,
        mmap_ns=typical.mmap.ns,
        populate_ns=typical.populate.ns,
        touch_ns=typical.touch.ns,
        total_ns=typical.total_ns,
        ratio_to_lazy=middle,
        ratio_to_lazy_min=least,
        ratio_to_lazy_max=most,
        total_ns_runs=[run.total_ns for run in runs],
        stages_ns_runs={name: [getattr(run, name).ns for run in runs] for name in ("mmap", "populate", "touch")},
        spread=spread_of([run.total_ns for run in runs]),
    )


def explain_results(series: ExplainSeries, clock: Clock, arch: str) -> list[ExplainResult]:
    """One result with what is concluded from it, where at least one run finished, else none."""
    if not series.payments:
        return []
    seen = series.probed
    touches = [result for each in series.touches for result in fault_results(each, clock)]
    first, *second = (_payment(mapping) for mapping in zip(*series.payments, strict=True))
    evidence = ExplainResult(
        target=target_info(series.target, series.kind),
        size_bytes=series.size_bytes,
        pages=series.pages,
        runs=len(series.payments),
        offset_bytes=seen.offset_bytes,
        vma=seen.vma,
        touches=touches,
        descending_faults=seen.descending_faults,
        first_mapping=first,
        second_mapping=second[0] if second else None,
        populate=populate_results(series.populate, clock)[0],
        after_close=seen.after_close,
        child=seen.child,
        private_mapping=touches[0].private_mapping,
        huge=seen.huge,
        helpers=seen.helpers,
        problems=seen.problems,
        conclusion=Conclusion([], [], [], ""),
    )
    return [structs.replace(evidence, conclusion=conclude(evidence, arch))]


def _payment(runs: Sequence[PaymentRun]) -> Payment:
    return Payment(
        mmap_ns=min(run.mmap.ns for run in runs),
        first_touch_ns=min(run.first_touch.ns for run in runs),
        other_touches_ns=min(run.other_touches.ns for run in runs),
    )
