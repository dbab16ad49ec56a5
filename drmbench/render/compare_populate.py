# SPDX-License-Identifier: MIT
"""ComparePopulateReport -> Document: verdicts with the counts that prove them, then times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.common import caveat_section, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.render.spread import reach, repetition_line
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
    Column("+-", number=True),
)


def compare_populate_document(report: ComparePopulateReport) -> Document:
    """For each buffer: verdicts and why, then times."""
    setting = [machine(report.environment), *repetition_line(report.repetition)]
    sections = [Section("Does populate do anything?", lines=setting)]
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
        Section("", _TIMES, [_times(name, strategy) for name, strategy in result.strategies.items()],
                _outlying(result)),
    ]


def _outlying(result: ComparePopulateResult) -> list[str]:
    spreads = {name: strategy.spread for name, strategy in result.strategies.items()}
    counts = [f"{name} {len(spread.outliers)}" for name, spread in spreads.items() if spread and spread.outliers]
    return [f"+- is how well the median total is known; outlying runs, kept: {', '.join(counts) or 'none'}."]


def _verdict(strategy: StrategyResult) -> str:
    return strategy.verdict if strategy.errno is None else f"{strategy.verdict} ({strategy.errno})"


def _times(name: str, strategy: StrategyResult) -> list[str]:
    spread = "-"
    if strategy.ratio_to_lazy_min is not None and strategy.ratio_to_lazy_max is not None:
        least, most = (format_ratio(ratio) for ratio in (strategy.ratio_to_lazy_min, strategy.ratio_to_lazy_max))
        spread = f"{least.removesuffix('x')} - {most.removesuffix('x')}"
    return [
        name, format_ns(strategy.mmap_ns), format_ns(strategy.populate_ns or None), format_ns(strategy.touch_ns),
        format_ns(strategy.total_ns), format_ratio(strategy.ratio_to_lazy), spread,
        reach(strategy.spread),
    ]
