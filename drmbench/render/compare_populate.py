# SPDX-License-Identifier: MIT
"""ComparePopulateReport -> Document: verdicts with the counts that prove them, then times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.common import caveat_section, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.units import format_bytes, format_ns, format_ratio

if TYPE_CHECKING:
    from drmbench.model import ComparePopulateReport, ComparePopulateResult, StrategyResult

_VERDICTS = (
    Column("strategy"), Column("verdict"), Column("faults: mmap", number=True),
    Column("populate", number=True), Column("touch", number=True),
)
_TIMES = (
    Column("strategy"), Column("mmap", number=True), Column("populate", number=True), Column("touch", number=True),
    Column("total", number=True), Column("vs lazy", number=True), Column("min - max", number=True),
)


def compare_populate_document(report: ComparePopulateReport) -> Document:
    """For each buffer: verdicts and why, then times."""
    sections = [Section("Does populate do anything?", lines=[machine(report.environment)])]
    for result in report.results:
        sections += _sections(result)
    return Document([*sections, *caveat_section(report.caveats)])


def _sections(result: ComparePopulateResult) -> list[Section]:
    target = result.target
    amount = f"{format_bytes(result.size_bytes)} = {result.pages} pages, {result.runs} runs"
    title = f"{label_of(target)}, {result.access}, {amount}"
    verdicts = [
        [name, _verdict(strategy), *(str(n) for n in (
            strategy.faults.mmap, strategy.faults.populate, strategy.faults.touch,
        ))]
        for name, strategy in result.strategies.items()
    ]
    # On a baseline a strategy that works is no news: the counts show it.
    why = [
        f"{name}: {strategy.reason}." for name, strategy in result.strategies.items()
        if target.kind == "drm" or (strategy.verdict != "real" and name != "lazy")
    ]
    flags = " ".join(result.vm_flags) or "not shown by this kernel"
    return [
        Section(title, _VERDICTS, verdicts, [f"VmFlags: {flags}", *why]),
        Section("", _TIMES, [_times(name, strategy) for name, strategy in result.strategies.items()]),
    ]


def _verdict(strategy: StrategyResult) -> str:
    return strategy.verdict if strategy.errno is None else f"{strategy.verdict} ({strategy.errno})"


def _times(name: str, strategy: StrategyResult) -> list[str]:
    spread = "-"
    if strategy.ratio_to_lazy_min is not None and strategy.ratio_to_lazy_max is not None:
        spread = f"{strategy.ratio_to_lazy_min:.2f} - {strategy.ratio_to_lazy_max:.2f}"
    return [
        name, format_ns(strategy.mmap_ns), format_ns(strategy.populate_ns or None), format_ns(strategy.touch_ns),
        format_ns(strategy.total_ns), format_ratio(strategy.ratio_to_lazy), spread,
    ]
