# SPDX-License-Identifier: MIT
"""ScaleReport -> Document: rates by number of workers, costs by buffer size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import STAGES, CrewCurve, CrewPoint
from drmbench.render.common import caveat_section, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.render.spread import repetition_line
from drmbench.units import format_bytes, format_ns, format_rate, format_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import Layout, ScaleReport, SizePoint, SizeSweep

LAYOUTS: dict[Layout, str] = {
    "shared-vma-split": "one buffer and mapping, each touches its part",
    "shared-vma-same": "one buffer and mapping, each touches all pages",
    "own-vma": "one buffer, a mapping each, each touches its part",
    "own-buffer": "a buffer each, on one open file",
    "own-file": "a buffer each, each on an open file of its own",
}
"""What each layout is, in a few words."""

_FLOOR = "memfd"
_CREWS = (
    Column("target", grows=True),
    *(Column(name, number=True) for name in
      ("workers", "faults", "wall", "faults/s", "effic.", "p50", "p99", "vs memfd")),
)
_SIZES = tuple(Column(name, number=True) for name in
               ("size", "touch/page", "flt/page", "total", "total/page", "vs line", "min - max"))
_STAGES = (Column("size", number=True),
           *(Column("offset" if name == "map_offset" else name, number=True) for name in STAGES))
_CREW_RULE = (
    "--size is that of all workers together. faults/s: faults of all workers over the time from the first touch of "
    "one to the last touch of another; nothing is timed within it."
)
_EFFICIENCY_RULE = (
    "effic.: faults/s over N times that of one worker in the same layout. p50, p99: touches that fault, each timed "
    "alone, in a pass of its own whose fault counting keeps the workers a little apart."
)
_SIZE_RULE = (
    "total: all stages of one buffer; vs line: total over what a straight line (fixed cost + cost a page) through the "
    "smaller sizes says, median and range of the runs."
)
_HOW_CREWS = (_CREW_RULE, _EFFICIENCY_RULE)
_HOW_SIZES = (_SIZE_RULE,)


def scale_document(report: ScaleReport) -> Document:
    """Crews by layout and kind of worker, then sweeps by target; how to read them, caveats."""
    curves = [result for result in report.results if isinstance(result, CrewCurve)]
    sweeps = [result for result in report.results if not isinstance(result, CrewCurve)]
    how = [*(_HOW_CREWS if curves else ()), *(_HOW_SIZES if sweeps else ())]
    setting = [machine(report.environment), *repetition_line(report.repetition), *how]
    sections = [Section("Faults by several workers and by size", lines=setting)]
    groups: dict[tuple[Layout, str], list[CrewCurve]] = {}
    for curve in curves:
        groups.setdefault((curve.layout, curve.worker_kind), []).append(curve)
    sections += [_crew_section(layout, workers, group) for (layout, workers), group in groups.items()]
    for sweep in sweeps:
        sections += _size_sections(sweep)
    return Document([*sections, *caveat_section(report.caveats)])


def floor_of(curve: CrewCurve, curves: Sequence[CrewCurve]) -> CrewCurve | None:
    """The curve of memfd for the same layout, workers, access and phase; None for memfd itself."""
    if curve.target.driver == _FLOOR:
        return None
    same = (curve.layout, curve.worker_kind, curve.access, curve.phase)
    return next((other for other in curves if other.target.driver == _FLOOR
                 and (other.layout, other.worker_kind, other.access, other.phase) == same), None)


def _crew_section(layout: Layout, workers: str, curves: Sequence[CrewCurve]) -> Section:
    first = curves[0]
    sizes = dict.fromkeys(format_bytes(curve.size_bytes) for curve in curves)
    title = (f"{layout}, {workers}: {LAYOUTS[layout]} ({first.access}, {first.phase}, {', '.join(sizes)}, "
             f"{first.runs} run{'' if first.runs == 1 else 's'})")
    rows = [_crew_row(curve, point, floor_of(curve, curves)) for curve in curves for point in curve.points]
    crowded = any(point.oversubscribed for curve in curves for point in curve.points)
    return Section(title, _CREWS, rows, ["* more workers than CPUs"] if crowded else [])


def _crew_row(curve: CrewCurve, point: CrewPoint, floor: CrewCurve | None) -> list[str]:
    beside = next((each for each in floor.points if each.workers == point.workers), None) if floor else None
    ratio = point.faults_per_s / beside.faults_per_s if beside is not None and beside.faults_per_s else None
    efficiency = "-" if point.efficiency is None else f"{100 * point.efficiency:.0f} %"
    return [
        label_of(curve.target), f"{point.workers}{'*' if point.oversubscribed else ''}", str(point.faults),
        format_ns(point.wall_ns), format_rate(point.faults_per_s), efficiency, format_ns(point.fault_ns.p50),
        format_ns(point.fault_ns.p99), format_ratio(ratio),
    ]


def _size_sections(sweep: SizeSweep) -> list[Section]:
    runs = f"{sweep.runs} run{'' if sweep.runs == 1 else 's'}"
    title = f"{label_of(sweep.target)}: cost by size ({sweep.access}, {sweep.phase}, {runs})"
    stages = [
        [format_bytes(size.size_bytes), *(format_ns(getattr(size.stages_ns, stage)) for stage in STAGES)]
        for size in sweep.sizes if size.stages_ns is not None
    ]
    lines = [_verdict(sweep), *(f"{format_bytes(size.size_bytes)} does not fit: {size.reason}"
                                for size in sweep.sizes if size.errno is not None)]
    return [Section(title, _SIZES, [_size_row(size) for size in sweep.sizes], lines),
            Section("Where it is paid, by size (median of the buffers)", _STAGES, stages)]


def _size_row(size: SizePoint) -> list[str]:
    if size.total_ns_per_page is None:
        return [format_bytes(size.size_bytes), size.errno or "-", *"-----"]
    spread = "-"
    if size.ratio_min is not None and size.ratio_max is not None:
        spread = f"{format_ratio(size.ratio_min)} - {format_ratio(size.ratio_max)}"
    return [
        format_bytes(size.size_bytes), format_ns(size.touch_ns_per_page), f"{size.faults_per_page or 0:.4g}",
        format_ns(size.total_ns_per_page * size.pages), format_ns(size.total_ns_per_page),
        format_ratio(size.ratio_to_line), spread,
    ]


def _verdict(sweep: SizeSweep) -> str:
    """Where the cost leaves the line, in a sentence."""
    off = f"{100 * sweep.tolerance:.0f} %"
    line = ""
    if sweep.fixed_ns is not None and sweep.ns_per_page is not None:
        line = f"{format_ns(max(0.0, sweep.fixed_ns))} + {format_ns(sweep.ns_per_page)} a page"
    point = next((size for size in sweep.sizes if size.size_bytes == sweep.knee_bytes), None)
    if point is None:
        return (f"Knee: none found; the straight line is {line or 'not to be had'}. A knee is a size from which on, "
                f"the next one among them, every run is more than {off} off the line through the sizes before it.")
    return (f"Knee: the cost leaves the line {line} at {format_bytes(point.size_bytes)}, where it is "
            f"{format_ratio(point.ratio_to_line)} ({format_ratio(point.ratio_min)} - {format_ratio(point.ratio_max)}) "
            f"of it: from there on every run is more than {off} off it.")
