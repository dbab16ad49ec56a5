# SPDX-License-Identifier: MIT
"""TraceReport -> Document: of each result the steps, each with its tree of calls, and what could not be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import caveat_section, label_of, machine
from drmbench.render.document import Document, Section
from drmbench.render.trace_tree import tree_lines
from drmbench.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import FaultCheck, TraceParameters, TraceReport, TraceResult, TraceStep


def trace_document(report: TraceReport) -> Document:
    """The steps of each result with their trees, then the kernel's count of faults and what is missing."""
    title = Section("What the kernel did", lines=[machine(report.environment), _about(report.parameters)])
    sections = [title, *(section for result in report.results for section in _result(result))]
    if report.missing:
        sections.append(Section("Without results", lines=[one_line(line) for line in report.missing]))
    return Document([*sections, *caveat_section(report.caveats)])


def _about(parameters: TraceParameters) -> str:
    depth = "" if parameters.depth is None else f", {parameters.depth} calls deep"
    return f"{format_bytes(parameters.size_bytes)} a buffer, {parameters.access}{depth}; durations are of traced calls"


def _result(result: TraceResult) -> Iterator[Section]:
    label = label_of(result.target)
    for step in result.steps:
        yield Section(f"{label}: {step.name}", lines=list(_step(step)), listing=list(tree_lines(step.calls)))
    lines = list(_checked(result.check)) if result.check is not None else []
    if result.untraceable:
        lines.append(f"not traceable on this kernel: {', '.join(map(one_line, result.untraceable))}")
    lines += [f"{one_line(name)}: {one_line(why)}" for name, why in result.problems.items()]
    if result.lost_events:
        lines.append(f"ftrace lost {result.lost_events} events: the trees have gaps")
    if result.unread_lines:
        lines.append(f"{result.unread_lines} lines of the trace could not be read")
    if lines:
        yield Section(f"{label}: checked", lines=lines)


def _step(step: TraceStep) -> Iterator[str]:
    ended = step.errno or step.returned
    yield one_line(step.call if ended is None else f"{step.call} = {ended}")
    if step.untraced_ns is not None and step.traced_ns is not None:
        yield f"{format_ns(step.untraced_ns)} untraced, {format_ns(step.traced_ns)} traced"
    if step.other_faults:
        yield f"{step.other_faults} other faults meanwhile, outside of the mapping, are left out"
    if not step.complete:
        yield "a marker is missing: the trace was cut"


def _checked(check: FaultCheck) -> Iterator[str]:
    verdict = "the same" if check.equal else "DIFFERENT"
    yield (f"faults of {check.pages} touches: {check.touch_faults} by the touch loop, {check.kernel_faults} by the "
           f"kernel ({check.how}): {verdict}")
