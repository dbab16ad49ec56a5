# SPDX-License-Identifier: MIT
"""CompareReport -> Document: counts first, then times with their intervals, then what both do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import caveat_section, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.units import format_ns, format_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drmbench.model import CompareReport, CompareResult, CountComparison, TimeComparison

_COUNTS = (
    Column("faults of", grows=True), Column("base", number=True), Column("new", number=True), Column("verdict"),
)
_TIMES = (
    Column("", width=15), Column("base", number=True, width=7), Column("new", number=True, width=7),
    Column("ratio", number=True, width=5), Column("95 % interval", number=True, width=13),
    Column("p", number=True, width=6), Column("effect", number=True, width=6), Column("verdict", width=11),
)
_MEANS = (
    Column("quantity"), Column("results", number=True), Column("new / base", number=True),
    Column("95 % interval", number=True),
)
_CHANGED = {"more", "fewer", "cannot tell"}


def compare_document(report: CompareReport) -> Document:
    """What was compared, the counts that differ, the times of each result, means, conditions, caveats."""
    sections = [
        Section("Compared", lines=_setting(report)),
        *([Section("", lines=list(_conditions(report)))] if report.conditions else []),
        Section("", lines=_summary(report)),
        *_counts(report),
        *[section for result in report.results for section in _times(report, result)],
        *_means(report),
        *_one_sided(report),
    ]
    return Document([*sections, *caveat_section(report.caveats)])


def _setting(report: CompareReport) -> list[str]:
    names = ["base", *(["new"] if len(report.sides) == 2 else [f"new {i}" for i in range(1, len(report.sides))])]
    lines = [one_line(f"{role}: {side.name}: {machine(side.environment)}")
             for role, side in zip(names, report.sides, strict=True)]
    how = "measured in turns, in one session" if report.parameters.live else "measured apart"
    return [*lines, f"{how}; ratios are new / base, and up to {report.parameters.noise_percent:g} % is noise"]


def _conditions(report: CompareReport) -> Iterator[str]:
    for condition in report.conditions:
        where = f": {'; '.join(condition.where)}" if condition.where else ""
        yield one_line(f"--fail-if '{condition.text}': {condition.verdict}{where}.")


def _summary(report: CompareReport) -> list[str]:
    counts = [count.verdict for result in report.results for count in result.counts]
    times = [time.verdict for result in report.results for time in result.times]
    differ = sum(verdict in {"more", "fewer"} for verdict in counts)
    unsure = counts.count("cannot tell")
    fault_line = f"{differ} of {len(counts)} fault counts differ"
    fault_line += f", {unsure} cannot be told" if unsure else ""
    parts = ", ".join(f"{times.count(verdict)} {verdict}" for verdict in ("slower", "faster", "same", "cannot tell"))
    return [f"{fault_line} (one difference is proof).", f"Times: {parts}."]


def _name(report: CompareReport, result: CompareResult) -> str:
    base, new = label_of(result.target), label_of(result.new_target)
    which = base if base == new else f"{base} -> {new}"
    side = "" if len(report.sides) == 2 else f"{_side(report, result.side)}: "
    return one_line(f"{side}{which}, {result.variant}")


def _side(report: CompareReport, index: int) -> str:
    return report.sides[index].name if index < len(report.sides) else f"side {index}"


def _counts(report: CompareReport) -> list[Section]:
    rows, lines = [], []
    for result in report.results:
        name = _name(report, result)
        for count in result.counts:
            if count.verdict in _CHANGED:
                stage = count.name.partition(".")[2] or "touch"
                rows.append([f"{stage}: {name}", str(count.base), str(count.new), _count_verdict(count)])
        lines += [one_line(f"{name}: {change.name}: {change.base} -> {change.new}.") for change in result.facts]
    if not rows and not lines:
        return []
    return [Section("What differs in counts and in kind", _COUNTS, rows, lines)]


def _count_verdict(count: CountComparison) -> str:
    if count.verdict == "cannot tell" or not count.base:
        return count.verdict
    return f"{count.verdict} ({format_ratio(count.new / count.base)})"


def _times(report: CompareReport, result: CompareResult) -> list[Section]:
    if not result.times:
        return []
    return [Section(_name(report, result), _TIMES, [_time_row(time) for time in result.times], list(_notes(result)))]


def _time_row(time: TimeComparison) -> list[str]:
    shown = _shown(time.unit)
    interval = "-"
    if time.ratio_low is not None and time.ratio_high is not None:
        interval = f"{_plain(time.ratio_low)} - {_plain(time.ratio_high)}"
    return [
        one_line(time.name), shown(time.base), shown(time.new),
        "-" if time.ratio is None else _plain(time.ratio), interval,
        _probability(time.p_adjusted), "-" if time.cliffs_delta is None else f"{time.cliffs_delta:+.2f}", time.verdict,
    ]


def _shown(unit: str) -> Callable[[float], str]:
    return format_ns if unit == "ns" else "{:.4g}".format


def _plain(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 9.9995 else f"{ratio:.4g}"


def _probability(p: float | None) -> str:
    if p is None:
        return "-"
    return "<.001" if p < 0.001 else f"{p:.3f}"


def _notes(result: CompareResult) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for time in result.times:
        if time.verdict == "cannot tell":
            reasons.setdefault(time.reason, []).append(time.name)
    for reason, names in reasons.items():
        yield one_line(f"cannot tell {', '.join(names)}: {reason}.")
    kept = [time for time in result.times if time.base_outliers or time.new_outliers]
    if kept:
        counts = ", ".join(f"{time.name} {len(time.base_outliers)} + {len(time.new_outliers)}" for time in kept)
        yield one_line(f"outlying runs, base + new, kept: {counts}; the farthest: {max(map(_farthest, kept))[1]}.")


def _farthest(time: TimeComparison) -> tuple[float, str]:
    """(how far from its median, in words) of the farthest outlier of this quantity."""
    shown = _shown(time.unit)
    sides = (("base", time.base, time.base_outliers), ("new", time.new, time.new_outliers))
    return max(
        (outlier.value / middle if middle else 0.0,
         f"{time.name} of {side} run {outlier.run}, {shown(outlier.value)} instead of {shown(middle)}")
        for side, middle, outliers in sides for outlier in outliers
    )


def _means(report: CompareReport) -> list[Section]:
    sections = []
    for side in range(1, len(report.sides)):
        rows = [[one_line(mean.name), str(mean.results), _plain(mean.ratio),
                 f"{_plain(mean.ratio_low)} - {_plain(mean.ratio_high)}"]
                for mean in report.geometric_means if mean.side == side]
        if rows:
            name = "" if len(report.sides) == 2 else f", {report.sides[side].name}"
            sections.append(Section(one_line(f"Geometric mean over the results{name}"), _MEANS, rows))
    return sections


def _one_sided(report: CompareReport) -> list[Section]:
    lines = [one_line(f"{_side(report, found.side)}, not {_side(report, found.other_side)}: {found.result}")
             for found in report.one_sided]
    return [Section("In one of the two only", lines=lines)] if lines else []
