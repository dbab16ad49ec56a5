# SPDX-License-Identifier: MIT
"""TraceReport -> Document: the steps of each result with their trees, what is missing, and the functions in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import caveat_section, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.render.trace_comparison import comparison_section
from drmbench.render.trace_tree import tree_lines
from drmbench.trace.notes import note_of
from drmbench.trace.tree import each_call
from drmbench.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import FaultCheck, TraceParameters, TraceReport, TraceResult, TraceStep
    from drmbench.trace.notes import Note

STEP_WORDS = {
    "mmap": "mmap", "touch": "first touch", "munmap": "munmap",
    "denied": "mmap by another open file, which holds no handle",
}
_NOTES = (Column("function", grows=True, width=29), Column("what it decides", grows=True))


def trace_document(report: TraceReport) -> Document:
    """Trees first, in the order of the steps; then comparisons, counts, and the functions in words."""
    title = Section("What the kernel did", lines=[machine(report.environment), *_about(report.parameters)])
    sections = [title, *(section for result in report.results for section in _trees(result))]
    sections += [comparison_section(comparison) for comparison in report.comparisons]
    sections += _completeness(report.results)
    if report.missing:
        sections.append(Section("Without results", lines=[one_line(line) for line in report.missing]))
    if rows := _notes(report.results):
        sections.append(Section("These functions in words", _NOTES, rows))
    return Document([*sections, *caveat_section(report.caveats)])


def _about(parameters: TraceParameters) -> Iterator[str]:
    depth = "" if parameters.depth is None else f", {parameters.depth} calls deep"
    yield f"buffers of {format_bytes(parameters.size_bytes)}, {parameters.access}{depth}"
    yield ("Each function under its caller, with its module, the errno it returned (=) or may return (->), and how "
           "long it took while ftrace watched: such times are longer than without.")


def _trees(result: TraceResult) -> Iterator[Section]:
    label = label_of(result.target)
    for step in result.steps:
        yield Section(f"{label}: {STEP_WORDS.get(step.name, step.name)}", lines=list(_step(step)),
                      listing=list(tree_lines(step.calls)))


def _step(step: TraceStep) -> Iterator[str]:
    ended = step.errno or step.returned
    yield one_line(step.call if ended is None else f"{step.call} = {ended}")
    if step.untraced_ns is not None and step.traced_ns is not None:
        slower = f", {step.traced_ns / step.untraced_ns:.1f} times as long" if step.untraced_ns else ""
        of = f" (medians of {step.repetitions})" if step.repetitions > 1 else ""
        yield f"{format_ns(step.untraced_ns)} untraced, {format_ns(step.traced_ns)} traced{of}{slower}"
    if step.other_faults:
        yield f"{_count(step.other_faults, 'fault')} of other memory meanwhile, left out"
    if not step.addressed:
        yield "this kernel does not say which address a fault is of: faults of other memory may be among these"
    if not step.complete:
        yield "the trace was cut: its beginning or its end is missing"
    if not step.calls:
        yield "no function of the walk-through was called" if step.complete else "nothing of it was recorded"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _completeness(results: Sequence[TraceResult]) -> Iterator[Section]:
    """What was counted and what is missing; what holds for several results is said once."""
    said: dict[tuple[str, ...], list[str]] = {}
    for result in results:
        if lines := tuple(_remarks(result)):
            said.setdefault(lines, []).append(label_of(result.target))
    for lines, labels in said.items():
        yield Section(f"{', '.join(labels)}: how complete this is", lines=list(lines))


def _remarks(result: TraceResult) -> Iterator[str]:
    if result.check is not None:
        yield from _checked(result.check)
    if result.untraceable:
        yield f"not to be seen on this kernel: {', '.join(map(one_line, result.untraceable))}"
    for name, why in result.problems.items():
        yield f"{one_line(name)}: {one_line(why)}"
    if result.tracer == "global":
        yield "the global tracer was free and was used; it is as it was"
    if result.lost_events:
        yield f"ftrace lost {_count(result.lost_events, 'event')}: the trees have gaps"
    if result.unread_lines:
        yield f"{_count(result.unread_lines, 'line')} of the trace could not be read"


def _checked(check: FaultCheck) -> Iterator[str]:
    verdict = "the same" if check.equal else "THEY DIFFER"
    yield (f"faults of touching {_count(check.pages, 'page')}: {check.touch_faults} by the touch loop, "
           f"{check.kernel_faults} by the kernel ({check.how}): {verdict}")
    if check.differing:
        yield f"pages of which they differ: {', '.join(map(str, check.differing))}"
    if check.outside:
        yield f"{_count(check.outside, 'fault')} of other memory meanwhile, left out"


def _notes(results: Sequence[TraceResult]) -> list[list[str]]:
    """Each function that the walk-through knows, once, in the order of the trees; those with one note together."""
    known: dict[Note, dict[str, None]] = {}
    for call in (call for result in results for step in result.steps for call in each_call(step.calls)):
        note = note_of(call.function)
        if note is not None:
            known.setdefault(note, {})[one_line(call.function)] = None
    rows = []
    for note, names in known.items():
        refusals = "".join(f"; {errno}: {when}" for errno, when in note.errno)
        rows.append([", ".join(names), f"{note.text}{refusals} ({note.file})"])
    return rows
