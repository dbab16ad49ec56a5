# SPDX-License-Identifier: MIT
"""Report -> pictures. PICTURES is where a new kind is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drmbench.errors import UsageError
from drmbench.model import (
    BandwidthReport,
    ComparePopulateReport,
    CrewCurve,
    ExplainReport,
    FaultLatencyReport,
    LifecycleReport,
    ScaleReport,
    TraceReport,
)
from drmbench.oracle.clues import touch_of
from drmbench.render.common import label_of
from drmbench.render.svg import Picture, render_svg
from drmbench.render.svg_bandwidth import bandwidth_picture
from drmbench.render.svg_calls import call_picture
from drmbench.render.svg_costs import histogram_picture, stage_picture
from drmbench.render.svg_live import live_pictures
from drmbench.render.svg_mapping import mapping_pictures
from drmbench.render.svg_populate import populate_picture
from drmbench.render.svg_scale import crew_picture, size_picture
from drmbench.render.trace import STEP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.model import ExplainResult, FaultLatencyResult, Report, TraceResult

PICTURES: dict[str, str] = {
    "mapping": "the mapping in the address space: which touches faulted, which pages a fault brought along",
    "stages": "the cost of each stage of a buffer's life",
    "histogram": "touches by latency",
    "populate": "where each populate strategy's faults were taken",
    "calls": "the kernel's calls of each step of a trace, with their times",
    "scaling": "faults per second by number of workers",
    "sizes": "cost a page by buffer size",
    "bandwidth": "bytes a second by operation and way of access",
    "live": "what each call of a buffer's life takes, by how many buffers are alive",
}
"""--svg NAME:FILE -> what it shows. Without a name: the first that the report has, in this order."""


def pictures_of(report: Report) -> list[tuple[str, list[Picture]]]:
    """For each thing that was measured, in the order of the report: its label and all its pictures."""
    if isinstance(report, ScaleReport):
        return _of_scale(report)
    if isinstance(report, LifecycleReport):
        return live_pictures(report.results)
    if isinstance(report, FaultLatencyReport):
        return [(label_of(phases[0].target), _of_phases(phases)) for phases in _by_series(report.results)]
    drawn = _OF_A_RESULT.get(type(report))
    results: Sequence[Any] = report.results
    return [] if drawn is None else [(label_of(result.target), drawn(result)) for result in results]


def _of_traced(result: TraceResult) -> list[Picture]:
    label = label_of(result.target)
    drawn = [call_picture(step, label, STEP_WORDS.get(step.name, step.name)) for step in result.steps]
    return [picture for picture in drawn if picture is not None]


def _of_scale(report: ScaleReport) -> list[tuple[str, list[Picture]]]:
    curves = [result for result in report.results if isinstance(result, CrewCurve)]
    groups: dict[tuple[object, ...], list[CrewCurve]] = {}
    for curve in curves:
        groups.setdefault((curve.target, curve.access, curve.layout), []).append(curve)
    drawn = [(label_of(group[0].target), crew_picture(group, curves)) for group in groups.values()]
    drawn += [(label_of(sweep.target), picture) for sweep in report.results
              if not isinstance(sweep, CrewCurve) and (picture := size_picture(sweep)) is not None]
    labels = dict.fromkeys(label for label, _picture in drawn)
    return [(label, [picture for other, picture in drawn if other == label]) for label in labels]


def _by_series(results: list[FaultLatencyResult]) -> list[list[FaultLatencyResult]]:
    """Cold and warm of one (target, access, order) together."""
    series: dict[tuple[object, ...], list[FaultLatencyResult]] = {}
    for result in results:
        series.setdefault((result.target, result.access, result.order), []).append(result)
    return list(series.values())


def _of_phases(phases: list[FaultLatencyResult], notes: Sequence[str] = ()) -> list[Picture]:
    label = label_of(phases[0].target)
    histograms = [histogram_picture(result, label) for result in phases]
    return [*mapping_pictures(phases[0], label, notes), stage_picture(phases, label),
            *(picture for picture in histograms if picture is not None)]


def _of_explained(result: ExplainResult) -> list[Picture]:
    label = label_of(result.target)
    writes = [touch for touch in result.touches if touch.access == "write"]
    both = touch_of(result, "read-then-write")
    notes = [f"{result.vma.backing or 'nothing'} at {result.vma.offset_bytes:#x}"]
    pictures = _of_phases(writes, notes) if writes else []
    # A store after a load: the second pass of read-then-write is what the write alone does not show.
    again = mapping_pictures(both, label, notes)[1:] if both is not None else []
    return [*pictures[:1], *again, *pictures[1:], populate_picture(result.populate, label)]


_OF_A_RESULT: dict[type[Report], Callable[[Any], list[Picture]]] = {
    BandwidthReport: lambda result: [bandwidth_picture(result, label_of(result.target))],
    ComparePopulateReport: lambda result: [populate_picture(result, label_of(result.target))],
    ExplainReport: _of_explained,
    TraceReport: _of_traced,
}


def split_svg_option(value: str) -> tuple[str | None, str]:
    """--svg "NAME:FILE" -> (name, path); (None, path) where no picture's name stands before a colon."""
    name, colon, path = value.partition(":")
    return (name, path) if colon and name in PICTURES and path else (None, value)


def chosen_svg(report: Report, name: str | None) -> str:
    """The pictures called `name` of everything in the report, one below the other.

    None takes the first kind that there is. Raises UsageError where the report has none of them.
    """
    pictures = [picture for _label, each in pictures_of(report) for picture in each]
    kinds = [kind for kind in PICTURES if any(picture.name == kind for picture in pictures)]
    if name is None and kinds:
        name = kinds[0]
    if name not in kinds:
        there = f"there are {', '.join(kinds)}" if kinds else "--html shows its tables"
        raise UsageError("--svg", name or "picture", reason="this report has no such picture", remedy=there)
    return render_svg([picture for picture in pictures if picture.name == name])
