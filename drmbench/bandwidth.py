# SPDX-License-Identifier: MIT
"""drmbench bandwidth from options to report: its series, their results, what is concluded and what could mislead."""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec import structs

from drmbench.buffer import PAGE_BYTES
from drmbench.model import (
    BandwidthPass,
    BandwidthReport,
    BandwidthResult,
    Caching,
    Caveat,
    StreamLimits,
)
from drmbench.oracle.caching import caching_of
from drmbench.results import clock_info, target_info
from drmbench.runner import Job
from drmbench.sweep import instructions
from drmbench.units import format_bytes
from drmbench.workloads.bandwidth import BandwidthParameters, BandwidthSeries
from drmbench.workloads.outside import Outside, last_level_cache_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drmbench.measurement import Options, Progress
    from drmbench.model import Access, Environment, Parameters
    from drmbench.native import Clock
    from drmbench.runner import Outcome
    from drmbench.targets import Target
    from drmbench.workloads.bandwidth import Way

_UNKNOWN = Caching(None, "", [])


def run_bandwidth(options: Options, progress: Progress) -> Outcome:
    """Measure how fast bytes move through each mapping; raises as Job.run()."""
    with Outside() as outside:
        return Job(partial(_series, outside), _results, _report, _remarks, _remarks_on_all).run(options, progress)


def _series(
    outside: Outside, options: Options, target: Target, kind: str, _access: Access, size_bytes: int,
) -> BandwidthSeries:
    return BandwidthSeries(target, kind, BandwidthParameters(size_bytes, options.operations, options.seed), outside)


def _results(series: BandwidthSeries, clock: Clock, _environment: Environment) -> list[BandwidthResult]:
    """One result where at least one run finished, else none."""
    if not series.runs:
        return []
    return [BandwidthResult(
        target=target_info(series.target, series.kind),
        size_bytes=series.parameters.size_bytes,
        pages=series.parameters.size_bytes // PAGE_BYTES,
        runs=series.runs,
        checked_bytes=series.checked_bytes,
        passes=[_pass(series, way) for way in series.extents],
        problems=series.problems,
        vm_flags=series.vm_flags,
        cache_bytes=last_level_cache_bytes(),
        clock=clock_info(clock),
        caching=_UNKNOWN,
        stream=_stream(series),
    )]


def _pass(series: BandwidthSeries, way: Way) -> BandwidthPass:
    extent, stages = series.extents[way], series.passes[way]
    moved = extent.size_bytes * extent.times
    rates = [round(moved * 1e9 / max(1, stage.ns), 1) for stage in stages]
    return BandwidthPass(
        *way, instructions(*way), extent.size_bytes, extent.times, sum(stage.faults for stage in stages),
        round(statistics.median(rates), 1), min(rates), max(rates), rates,
    )


def _stream(series: BandwidthSeries) -> StreamLimits | None:
    """The best of the runs, as STREAM reports it."""
    if not series.streams:
        return None
    size_bytes = series.array_bytes
    copy, triad = (min(max(1, stage.ns) for stage in stages) for stages in (
        [run.copy for run in series.streams], [run.triad for run in series.streams],
    ))
    return StreamLimits(size_bytes, round(2e9 * size_bytes / copy, 1), round(3e9 * size_bytes / triad, 1),
                        sum(run.wrong for run in series.streams))


def _report(
    version: Literal[1], environment: Environment, parameters: Parameters, results: list[BandwidthResult],
    caveats: list[Caveat],
) -> BandwidthReport:
    concluded = [structs.replace(result, caching=caching_of(result, results, environment)) for result in results]
    return BandwidthReport(version, environment, parameters, concluded, caveats)


def _remarks(
    series: BandwidthSeries, found: list[BandwidthResult], _clock: Clock, _environment: Environment,
) -> Iterator[Caveat]:
    label = series.target.buffer_label(series.kind)
    if not series.stores:
        yield Caveat("stores-left-out", f"{label}: its bytes must not change, so it is only read and copied from",
                     "memfd is what a file of the page cache costs")
    for way, problem in series.problems.items():
        yield Caveat("pass-left-out", f"{label}: {way}: {problem}",
                     "such an access is not for this memory, or its content is not what was stored")
    for result in found:
        faulting = [each for each in result.passes if each.faults]
        if faulting:
            counted = sum(each.faults for each in faulting)
            yield Caveat("not-steady", f"{label}: {counted} faults in {len(faulting)} kinds of timed passes, though "
                         "every page had been touched", "the mapping lost pages meanwhile: is memory short?")
        if result.stream is not None and result.stream.wrong_elements:
            yield Caveat("stream-wrong", f"STREAM's arrays hold {result.stream.wrong_elements} wrong elements",
                         "test this machine's memory")


def _remarks_on_all(environment: Environment, results: list[BandwidthResult]) -> Iterable[Caveat]:
    cache = results[0].cache_bytes
    small = [result for result in results if cache is not None and result.size_bytes < cache]
    if small and not environment.emulated:
        yield Caveat("fits-in-cache", f"{format_bytes(small[0].size_bytes)} fit in the last-level cache of "
                     f"{format_bytes(cache or 0)}: where the mapping is cached, that is what was measured",
                     f"--size {format_bytes(4 * (cache or 0)).replace(' ', '')}")
    stream = next((result.stream for result in results if result.stream is not None), None)
    if stream is not None and cache is not None and stream.array_bytes < 4 * cache:
        yield Caveat("stream-small", f"STREAM's arrays of {format_bytes(stream.array_bytes)} are smaller than four "
                     "times the cache, so its limits are somewhat high", "a larger --size")
