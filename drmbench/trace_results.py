# SPDX-License-Identifier: MIT
"""Finished trace series -> results of the report: trees from text, medians over passes, and what could mislead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from drmbench import caveats
from drmbench.buffer import PAGE_BYTES
from drmbench.errors import DrmbenchError
from drmbench.model import TraceResult, TraceStep
from drmbench.results import target_info
from drmbench.stats import median_int
from drmbench.trace.graph import GraphSection, parse_graph
from drmbench.trace.tree import collapsed, faults_of_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drmbench.model import Caveat, StepName
    from drmbench.trace.graph import GraphTrace
    from drmbench.workloads.trace import TraceSeries


def trace_results(series: TraceSeries, untraceable: list[str]) -> list[TraceResult]:
    """One result where the series was traced, or its faults counted; else none. The thread is the one that asks."""
    if not series.traced and series.check is None:
        return []
    graph = parse_graph(series.text, threading.get_native_id())
    steps = series.parameters.steps if series.traced else ()
    return [TraceResult(
        target=target_info(series.target, series.kind),
        size_bytes=series.parameters.size_bytes,
        pages=series.parameters.size_bytes // PAGE_BYTES,
        access=series.parameters.access,
        steps=[_step(series, name, graph) for name in steps],
        address=series.traced[-1].address if series.traced else None,
        untraceable=untraceable if series.traced else [],
        check=series.check,
        lost_events=max(series.lost_events, graph.lost_events),
        unread_lines=graph.unread_lines,
        tracer=series.tracer,
    )]


def _step(series: TraceSeries, name: StepName, graph: GraphTrace) -> TraceStep:
    life = series.traced[-1]
    section = graph.sections.get(name, GraphSection([], complete=False))
    start, size_bytes = (0, 0) if life.address is None else (life.address, series.parameters.size_bytes)
    roots, others = faults_of_mapping(section.roots, start, size_bytes, PAGE_BYTES)
    return TraceStep(
        name=name,
        call=life.calls[name],
        calls=collapsed(roots),
        returned=life.returned.get(name),
        errno=life.errno if name == "denied" else None,
        traced_ns=median_int([each.stages[name].ns for each in series.traced]),
        untraced_ns=median_int([each.stages[name].ns for each in series.untraced]),
        other_faults=others,
        complete=section.complete,
        repetitions=len(series.traced),
        addressed=series.has_addresses,
    )


def trace_caveats(label: str, result: TraceResult) -> Iterator[Caveat]:
    """What could mislead the reader of this result."""
    if result.untraceable:
        yield caveats.untraceable(", ".join(result.untraceable))
    if result.lost_events:
        yield caveats.events_lost(label, result.lost_events)
    if any(not step.addressed for step in result.steps):
        yield caveats.no_fault_addresses()
    if any(not step.complete or not step.calls for step in result.steps if step.name != "touch"):
        yield caveats.nothing_traced(label)
    if result.check is not None and result.check.how != "perf":
        yield caveats.perf_refused(result.check.how)


def overhead(results: Iterable[TraceResult]) -> Iterator[Caveat]:
    """The overhead of tracing, stated once for the report."""
    steps = [step for result in results for step in result.steps]
    slower = [step.traced_ns / step.untraced_ns for step in steps if step.traced_ns and step.untraced_ns]
    if slower:
        yield caveats.tracing_overhead(min(slower), max(slower), max(step.repetitions for step in steps))


def disagreements(results: Iterable[TraceResult]) -> Iterator[DrmbenchError]:
    """An error for each result whose two counts of --faults differ."""
    for result in results:
        check = result.check
        if check is not None and not check.equal:
            pages = f", on page {check.differing[0]} first" if check.differing else ""
            yield DrmbenchError(
                f"{result.target.driver} {result.target.buffer}", "--faults",
                reason=f"the touch loop counted {check.touch_faults} faults, the kernel {check.kernel_faults} by "
                       f"{check.how}{pages}",
                remedy="one of the two counts is wrong here: trust no number of fault-latency until it is known which",
            )
