# SPDX-License-Identifier: MIT
"""StressReport -> Document: what was done on each target, then each failure with the steps that lead to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import caveat_section, machine
from drmbench.render.document import Column, Document, Section
from drmbench.render.verify import label
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import StressFailure, StressParameters, StressReport, StressResult

_DONE = (
    Column("target", grows=True),
    *(Column(name, number=True) for name in ("rounds", "steps", "steps/s", "checked", "faults", "peak", "result")),
)
_MOST_STEPS_SHOWN = 40


def stress_document(report: StressReport) -> Document:
    """Counts for each target, steps by kind, then the failures."""
    title = Section("Random programs of buffer and mapping calls", lines=[
        machine(report.environment), _about(report.parameters),
        "checked: pages of which every byte was compared with the model; peak: live at once",
    ])
    rows = [_row(result) for result in report.results]
    kinds = [line for result in report.results for line in _kinds(result)]
    sections = [title, Section("", _DONE, rows), Section("Steps by kind", lines=kinds)]
    failed = [
        Section(f"Failed on {label(result.target)}", lines=list(_failure(result, result.failure, report.parameters)))
        for result in report.results if result.failure is not None
    ]
    return Document([*sections, *failed, *caveat_section(report.caveats)])


def _about(parameters: StressParameters) -> str:
    threads = f"{parameters.threads} thread{'s' if parameters.threads > 1 else ''}"
    sizes = (f"buffers up to {format_bytes(parameters.size_bytes)}, at most "
             f"{format_bytes(parameters.live_limit_bytes)} at once")
    if parameters.replay is not None:
        return f"replay of {one_line(parameters.replay)}; {threads}"
    return f"seed {parameters.seed}, {threads}, {parameters.seconds:g} s a target; {sizes}"


def _row(result: StressResult) -> list[str]:
    steps = sum(result.steps.values())
    rate = steps / (result.duration_ns / 1e9) if result.duration_ns else 0.0
    return [label(result.target), str(result.rounds), str(steps), f"{rate:.0f}", str(result.pages_checked),
            str(result.faults), format_bytes(result.peak_live_bytes), "FAIL" if result.failure else "ok"]


def _kinds(result: StressResult) -> Iterator[str]:
    counts = ", ".join(f"{one_line(name)} {count}" for name, count in result.steps.items())
    yield f"{label(result.target)}: {counts or 'none'}; {result.signals} accesses ended in a signal, as they must"


def _failure(result: StressResult, failure: StressFailure, parameters: StressParameters) -> Iterator[str]:
    where = "" if failure.thread is None else f", thread {failure.thread}"
    yield f"seed {parameters.seed}, round {failure.round}{where}: {failure.category}"
    if failure.step:
        yield f"  step: {one_line(failure.step)}"
    yield f"  {one_line(failure.what)}: expected {one_line(failure.expected)}, got {one_line(failure.actual)}"
    for line in failure.kernel_log:
        yield f"  kernel: {one_line(line)}"
    yield f"  {_reproduced(failure)}"
    if failure.replay:
        yield f"  drmbench stress --device {result.target.driver} --replay {one_line(failure.replay)}"
    many = len(failure.program) > 1
    lines = [f"  {f'thread {number}: ' if many else ''}{one_line(step)}"
             for number, steps in enumerate(failure.program) for step in steps]
    if failure.shared:
        yield f"  shared buffers of {', '.join(map(str, failure.shared))} pages"
    yield from lines[:_MOST_STEPS_SHOWN]
    if len(lines) > _MOST_STEPS_SHOWN:
        yield f"  ... and {len(lines) - _MOST_STEPS_SHOWN} more steps"


def _reproduced(failure: StressFailure) -> str:
    steps = sum(map(len, failure.program))
    count = f"{steps} step{'' if steps == 1 else 's'}"
    match failure.reproduced:
        case "yes":
            return f"it fails each time with these {count}:"
        case "sometimes":
            return f"it fails sometimes with these {count}:"
        case "no":
            return f"a replay of all {count} did not fail:"
        case _:
            return f"no replay was tried; the {count}:"
