# SPDX-License-Identifier: MIT
"""From the options of `drmbench trace` to stdout, the files and the exit status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from drmbench.cli.reporting import measure_and_report
from drmbench.errors import UsageError
from drmbench.model import TraceReport
from drmbench.store import load
from drmbench.trace.compare import compare_traces
from drmbench.trace_runner import TraceOptions, run_trace

if TYPE_CHECKING:
    from drmbench.measurement import Progress
    from drmbench.runner import Outcome


@dataclass(frozen=True, slots=True)
class Places:
    """Where the report goes: files, "-" or None, and what stdout shows."""

    json_path: str | None
    html_path: str | None
    svg: str | None
    format_name: str


def trace_and_report(options: TraceOptions, places: Places, against: str | None) -> int:
    """Trace, print, save, and say what is missing; returns the exit status. Raises DrmbenchError."""
    other = _loaded(against) if against is not None else None

    def run(options: TraceOptions, progress: Progress) -> Outcome:
        outcome = run_trace(options, progress)
        if other is None or not isinstance(outcome.report, TraceReport):
            return outcome
        compared = compare_traces(outcome.report, other)
        return replace(outcome, report=structs.replace(outcome.report, comparisons=compared))

    return measure_and_report(
        run, options, places.json_path, places.format_name, html_path=places.html_path, svg=places.svg,
    )


def _loaded(path: str) -> TraceReport:
    report = load(path)
    if not isinstance(report, TraceReport):
        raise UsageError(path, "--against", reason="this is no report of drmbench trace",
                         remedy="drmbench trace --json FILE makes one")
    return report
