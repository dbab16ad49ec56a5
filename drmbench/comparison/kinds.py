# SPDX-License-Identifier: MIT
"""Which kinds of report can be compared, each by its own file: KINDS is where a new one is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drmbench.comparison import bandwidth, compare_populate, explain, fault_latency, lifecycle, scale
from drmbench.errors import DrmbenchError
from drmbench.model import (
    BandwidthReport,
    ComparePopulateReport,
    ExplainReport,
    FaultLatencyReport,
    LifecycleReport,
    ScaleReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.comparison.subject import Subject
    from drmbench.model import Report

KINDS: dict[type, Callable[[Any], list[Subject]]] = {
    FaultLatencyReport: fault_latency.subjects,
    ComparePopulateReport: compare_populate.subjects,
    ExplainReport: explain.subjects,
    ScaleReport: scale.subjects,
    BandwidthReport: bandwidth.subjects,
    LifecycleReport: lifecycle.subjects,
}
"""Kind of report -> its comparable results, what matters most first."""


def command_of(report: Report) -> str:
    """The sub-command that made the report."""
    return _tag(type(report))


def _tag(kind: type) -> str:
    return str(kind.__struct_config__.tag)  # type: ignore[attr-defined]  # every kind is a msgspec.Struct


def subjects_of(report: Report, name: str) -> list[Subject]:
    """What of this report can be compared. Raises DrmbenchError where nothing can; `name` is what it is called."""
    find = KINDS.get(type(report))
    if find is None:
        known = ", ".join(_tag(kind) for kind in KINDS)
        raise DrmbenchError(name, "compare", reason=f"a report of {command_of(report)} cannot be compared",
                            remedy=f"those of {known} can")
    return find(report)
