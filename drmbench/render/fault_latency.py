# SPDX-License-Identifier: MIT
"""FaultLatencyReport -> Document: what a first touch costs, where it is paid, how much over the floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import STAGES
from drmbench.render.common import caveat_section, cells, label_of, machine, short_access
from drmbench.render.document import Column, Document, Section
from drmbench.render.histogram import histogram_section
from drmbench.render.spread import SPREAD_COLUMNS, repetition_line, spread_cells
from drmbench.units import format_bytes, format_ns, format_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import FaultLatencyReport, FaultLatencyResult

_FLOOR = ("memfd", "anon")


def fault_latency_document(report: FaultLatencyReport, *, histogram: bool = False) -> Document:
    """The first screen: conclusions, the touch table, the stage table; then histograms and caveats."""
    sections = [
        Section("First touch of a mapped buffer", lines=[machine(report.environment), *_setting(report)]),
        Section("", lines=[line for result in report.results for line in _finding(result, report.results)]),
        _touch_section(report.results),
        _stage_section(report.results),
        *_spread_section(report.results),
    ]
    if histogram:
        sections += [histogram_section(result) for result in report.results if result.histogram]
    return Document([*sections, *caveat_section(report.caveats)])


def _setting(report: FaultLatencyReport) -> list[str]:
    first = report.results[0]
    sizes = sorted({result.size_bytes for result in report.results})
    size = " to ".join(dict.fromkeys(format_bytes(s) for s in (sizes[0], sizes[-1])))
    pages = f"{size} in pages of {format_bytes(report.environment.page_size_bytes)}"
    clock = f"clock {first.clock.source}, its {first.clock.overhead_ns} ns taken off"
    setting = f"{pages}, {first.order}, {first.runs} run{'s' if first.runs > 1 else ''}; {clock}"
    return [setting, *repetition_line(report.repetition)]


def floor_of(result: FaultLatencyResult, results: Sequence[FaultLatencyResult]) -> FaultLatencyResult | None:
    """The baseline with the same access and phase to compare with: memfd, else anon, else None."""
    if result.target.driver in _FLOOR:
        return None
    for name in _FLOOR:
        for other in results:
            same = (other.access, other.phase, other.order) == (result.access, result.phase, result.order)
            if same and other.target.kind == "baseline" and other.target.driver == name:
                return other
    return None


def _paid(result: FaultLatencyResult) -> dict[str, int]:
    """The stages that belong to this phase: a second mapping does not make or destroy the buffer."""
    stages = STAGES if result.phase == "cold" else tuple(s for s in STAGES if s not in {"create", "destroy"})
    return {name: getattr(result.stages_ns, name) for name in stages}


def _finding(result: FaultLatencyResult, results: Sequence[FaultLatencyResult]) -> list[str]:
    if result.target.driver in _FLOOR and any(other.target.driver not in _FLOOR for other in results):
        return []
    paid = _paid(result)
    total = sum(paid.values())
    dearest = max(paid, key=lambda name: paid[name])
    share = 100 * paid[dearest] / total if total else 0
    text = f"{label_of(result.target)}, {result.access}, {result.phase}: {_touch_cost(result)}; "
    text += f"{share:.0f} % of {format_ns(total)} is paid in {dearest}"
    floor = floor_of(result, results)
    if floor is not None and floor.ns_per_page > 0:
        whole = sum(_paid(floor).values()) / floor.pages
        text += f"; touching costs {format_ratio(result.ns_per_page / floor.ns_per_page)} {floor.target.driver}"
        text += f", all stages {format_ratio(total / result.pages / whole)}" if whole else ""
    if result.mechanism is not None and result.target.kind == "drm":
        text += f". Mapped as by {result.mechanism.name}"
    return [text + "."]


def _touch_cost(result: FaultLatencyResult) -> str:
    if result.fault_ns.n == 0:
        return f"no touch faults, one costs {format_ns(result.hit_ns.p50)}"
    plural = "" if result.faults_per_page == 1 else "s"
    text = f"a touch that faults costs {format_ns(result.fault_ns.p50)}, "
    text += f"{result.faults_per_page:.4g} fault{plural} a page"
    window = result.prefault_window_pages
    return text if window in {None, 1} else f"{text} (window {window} pages)"


def _touch_section(results: Sequence[FaultLatencyResult]) -> Section:
    columns = (
        Column("target", grows=True), Column("pass"), Column("flt/page", number=True), Column("window", number=True),
        Column("p50", number=True), Column("p99", number=True), Column("per page", number=True),
        Column("vs floor", number=True),
    )
    rows = []
    for cell, result in zip(cells(results), results, strict=True):
        floor = floor_of(result, results)
        ratio = result.ns_per_page / floor.ns_per_page if floor is not None and floor.ns_per_page else None
        rows.append([
            cell, f"{short_access(result.access)} {result.phase}",
            f"{result.faults_per_page:.4g}", _or_dash(result.prefault_window_pages),
            format_ns(result.fault_ns.p50), format_ns(result.fault_ns.p99), format_ns(result.ns_per_page),
            format_ratio(ratio),
        ])
    return Section("What a touch costs (p50 and p99: of the touches that fault)", columns, rows)


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _stage_section(results: Sequence[FaultLatencyResult]) -> Section:
    names = ("offset" if name == "map_offset" else name for name in STAGES)
    columns = (Column("target", grows=True), Column("pass"), *(Column(name, number=True) for name in names))
    rows = [
        [
            cell, f"{short_access(result.access)} {result.phase}",
            *(format_ns(getattr(result.stages_ns, stage)) for stage in STAGES),
        ]
        for cell, result in zip(cells(results), results, strict=True)
    ]
    return Section("Where it is paid (median of the runs; create and destroy once a buffer)", columns, rows)


def _spread_section(results: Sequence[FaultLatencyResult]) -> list[Section]:
    rows = [
        [cell, f"{short_access(result.access)} {result.phase}",
         *spread_cells(result.ns_per_page, result.spread, result.runs)]
        for cell, result in zip(cells(results), results, strict=True) if result.spread is not None
    ]
    columns = (Column("target", grows=True), Column("pass"), *SPREAD_COLUMNS)
    return [Section("How well it is known (the median of the runs)", columns, rows)] if rows else []
