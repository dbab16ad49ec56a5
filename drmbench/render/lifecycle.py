# SPDX-License-Identifier: MIT
"""LifecycleReport -> Document: what each call of a buffer's life takes, by size and count of live buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import LIFE_OPERATIONS
from drmbench.render.common import caveat_section, cells, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.render.spread import repetition_line
from drmbench.units import format_bytes, format_ns, format_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.model import LifecycleReport, LifecycleResult, OperationCost

_FLOOR = ("memfd", "anon")


def lifecycle_document(report: LifecycleReport) -> Document:
    """Conclusions, median and p99 of each call, rates, faults where there were any, caveats."""
    results = report.results
    setting = [machine(report.environment), *_setting(results), *repetition_line(report.repetition)]
    sections = [
        Section("The life of a buffer", lines=setting),
        Section("", lines=[line for group in _groups(_subjects(results)) for line in _finding(group, results)]),
        _table("Median of a call", results, lambda each: format_ns(each.latency_ns.p50)),
        _table("p99 of a call", results, lambda each: format_ns(each.latency_ns.p99)),
        _table("Calls a second, one after the other", results, lambda each: _rate(each.per_s)),
    ]
    if any(each.faults for result in results for each in result.operations):
        sections.append(_table("Faults a call", results, lambda each: f"{each.faults / each.calls:.4g}"))
    return Document([*sections, *caveat_section(report.caveats)])


def _setting(results: Sequence[LifecycleResult]) -> list[str]:
    first = results[0]
    calls = first.runs * first.cycles
    runs = f"{first.runs} run{'s' if first.runs > 1 else ''} of {first.cycles}"
    clock = f"clock {first.clock.source}, its {first.clock.overhead_ns} ns taken off"
    return [f"each call {calls} times ({runs}), no page touched; {clock}"]


def _subjects(results: Sequence[LifecycleResult]) -> list[LifecycleResult]:
    """What was asked for, without the baselines that only ran along."""
    return [result for result in results if result.target.driver not in _FLOOR] or list(results)


def _groups(results: Sequence[LifecycleResult]) -> list[list[LifecycleResult]]:
    """The counts of live buffers of one target and size, ascending."""
    groups: dict[tuple[object, int], list[LifecycleResult]] = {}
    for result in results:
        groups.setdefault((result.target, result.size_bytes), []).append(result)
    return [sorted(group, key=lambda result: result.live_buffers) for group in groups.values()]


def whole_ns(result: LifecycleResult) -> int:
    """The medians of create to destroy together, without export and import, which not every buffer sees."""
    return sum(each.latency_ns.p50 or 0 for each in result.operations if each.operation not in {"export", "import"})


def _finding(group: list[LifecycleResult], results: Sequence[LifecycleResult]) -> list[str]:
    least, most = group[0], group[-1]
    whole = whole_ns(least)
    dearest = max(least.operations, key=lambda each: each.latency_ns.p50 or 0)
    share = 100 * (dearest.latency_ns.p50 or 0) / whole if whole else 0
    text = f"{label_of(least.target)}, {format_bytes(least.size_bytes)}: a life takes {format_ns(whole)}"
    text += f" with {least.live_buffers} alive, {share:.0f} % of it {dearest.operation}" if whole else ""
    floor = _floor_of(least, results)
    if floor is not None and whole_ns(floor):
        text += f", {format_ratio(whole / whole_ns(floor))} {floor.target.driver}"
    if most is not least and whole:
        text += f"; {format_ratio(whole_ns(most) / whole)} with {most.live_buffers} alive"
        grown = _grown_most(least, most)
        text += f", {grown[0]} most: {format_ratio(grown[1])}" if grown is not None and grown[1] > 1 else ""
    return [text + "."]


def _floor_of(result: LifecycleResult, results: Sequence[LifecycleResult]) -> LifecycleResult | None:
    if result.target.driver in _FLOOR:
        return None
    alike = [other for other in results if other.target.kind == "baseline"
             and (other.size_bytes, other.live_buffers) == (result.size_bytes, result.live_buffers)]
    found = (other for name in _FLOOR for other in alike if other.target.driver == name)
    return next(found, None)


def _grown_most(least: LifecycleResult, most: LifecycleResult) -> tuple[str, float] | None:
    """The call whose median grew most with the count of live buffers, and by what factor."""
    before = {each.operation: each.latency_ns.p50 for each in least.operations}
    grown = [(each.operation, each.latency_ns.p50 / reference) for each in most.operations
             if each.latency_ns.p50 is not None and (reference := before.get(each.operation))]
    return max(grown, key=lambda found: found[1], default=None)


def _rate(per_s: float) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if per_s >= unit:
            return f"{per_s / unit:.3g} {name}"
    return f"{per_s:.3g}"


def _table(
    title: str, results: Sequence[LifecycleResult], cell: Callable[[OperationCost], str],
) -> Section:
    seen = {each.operation for result in results for each in result.operations}
    names = [name for name in LIFE_OPERATIONS if name in seen]
    columns = (Column("target", grows=True), Column("size", number=True), Column("live", number=True),
               *(Column("offset" if name == "map_offset" else name, number=True) for name in names))
    rows = []
    for name, result in zip(cells(results), results, strict=True):
        by_name = {each.operation: cell(each) for each in result.operations}
        rows.append([name, format_bytes(result.size_bytes).replace(" ", ""), str(result.live_buffers),
                     *(by_name.get(operation, "-").replace(" ", "") for operation in names)])
    return Section(title, columns, rows)
