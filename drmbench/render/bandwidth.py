# SPDX-License-Identifier: MIT
"""BandwidthReport -> Document: how fast each mapping is, by which access, and what that says of its caching."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from drmbench.model import SWEEP_ACCESSES, SWEEPS
from drmbench.render.common import caveat_section, cells, label_of, machine
from drmbench.render.document import Column, Document, Section
from drmbench.render.spread import repetition_line
from drmbench.units import format_bytes, format_gib_s, format_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.model import BandwidthPass, BandwidthReport, BandwidthResult

_FLOOR = ("anon", "memfd")
_DONE = {"read": "read", "write": "written", "fill": "filled", "copy-to": "copied to", "copy-from": "copied from"}
_WIDTHS = {"scalar": "8 B", "vector16": "16 B", "vector32": "32 B", "nontemporal": "nt 16 B", "libc": "libc"}


def bandwidth_document(report: BandwidthReport) -> Document:
    """Conclusions, the rates, the same beside anon, the spread, the machine's own limits, caveats."""
    results = report.results
    anon = anon_of(results)
    setting = [machine(report.environment), *_setting(results), *repetition_line(report.repetition)]
    sections = [
        Section("Bandwidth through a mapping", lines=setting),
        Section("", lines=[line for result in _subjects(results) for line in _finding(result, anon)]),
        _table("GiB/s (2^30 bytes a second; median of the runs; a copy counts each byte once)", results,
               lambda _result, each: format_gib_s(each.bytes_per_s)),
    ]
    others = [result for result in results if result is not anon]
    if anon is not None and others:
        sections.append(_table("The same as a multiple of anon's", others,
                               lambda _result, each: format_ratio(_against(each, anon))))
    sections.append(Section("How far the runs lie apart", lines=[_spread(result) for result in results]))
    sections += _limits(results)
    return Document([*sections, *caveat_section(report.caveats)])


def anon_of(results: Sequence[BandwidthResult]) -> BandwidthResult | None:
    """The result of anonymous memory, which is cached for certain; None where it did not run along."""
    found = (r for r in results if r.target.kind == "baseline" and r.target.driver == "anon")
    return next(found, None)


def access_label(access: str) -> str:
    """The access in a narrow cell, by the bytes that one instruction moves."""
    return _WIDTHS.get(access, access)


def _setting(results: Sequence[BandwidthResult]) -> list[str]:
    first = results[0]
    sizes = sorted({result.size_bytes for result in results})
    size = " to ".join(dict.fromkeys(format_bytes(s) for s in (sizes[0], sizes[-1])))
    clock = f"clock {first.clock.source}, its {first.clock.overhead_ns} ns taken off"
    named: dict[str, dict[str, None]] = {}
    for each in (each for result in results for each in result.passes):
        named.setdefault(each.access, {})[each.instructions] = None
    told = "; ".join(f"{access_label(access)}: {', '.join(named[access])}" for access in SWEEP_ACCESSES
                     if access in named)
    return [f"{size}, every page touched before, {first.runs} run{'s' if first.runs > 1 else ''}; {clock}",
            *([f"one thread. {told}"] if told else [])]


def _subjects(results: Sequence[BandwidthResult]) -> list[BandwidthResult]:
    """What was asked for, without the baselines that only ran along."""
    named = [result for result in results if result.target.driver not in _FLOOR]
    return named or list(results)


def _finding(result: BandwidthResult, anon: BandwidthResult | None) -> list[str]:
    parts = []
    for operation in SWEEPS:
        passes = [each for each in result.passes if each.operation == operation]
        if passes:
            best = max(passes, key=lambda each: each.bytes_per_s)
            ratio = None if anon is None or result is anon else _against(best, anon)
            beside = "" if ratio is None else f", {format_ratio(ratio)} anon"
            parts.append(f"{_DONE[operation]} at {format_gib_s(best.bytes_per_s)} GiB/s ({best.instructions}{beside})")
    text = f"{label_of(result.target)}: at best {', '.join(parts)}. Caching: {result.caching.text}."
    if result.caching.evidence:
        text += f" Evidence: {'; '.join(result.caching.evidence)}."
    return [text]


def _against(each: BandwidthPass, anon: BandwidthResult) -> float | None:
    same = (other for other in anon.passes if (other.operation, other.access) == (each.operation, each.access))
    reference = next(same, None)
    return each.bytes_per_s / reference.bytes_per_s if reference is not None and reference.bytes_per_s > 0 else None


def _table(
    title: str, results: Sequence[BandwidthResult], cell: Callable[[BandwidthResult, BandwidthPass], str],
) -> Section:
    columns = (Column("target", grows=True), Column("access"),
               *(Column(name.replace("-", " "), number=True) for name in SWEEPS))
    rows = []
    for name, result in zip(cells(results), results, strict=True):
        by_way: dict[tuple[str, str], str] = {
            (each.operation, each.access): cell(result, each) for each in result.passes
        }
        for access in SWEEP_ACCESSES:
            row = [by_way.get((operation, access), "-") for operation in SWEEPS]
            if any(value != "-" for value in row):
                rows.append([name, access_label(access), *row])
    return Section(title, columns, rows)


def _spread(result: BandwidthResult) -> str:
    spreads = [((each.bytes_per_s_max - each.bytes_per_s_min) / each.bytes_per_s, each)
               for each in result.passes if each.bytes_per_s > 0]
    if not spreads:
        return f"{label_of(result.target)}: nothing to compare"
    widest, most = max(spreads, key=lambda found: found[0])
    middle = statistics.median(spread for spread, _each in spreads)
    return (f"{label_of(result.target)}: fastest to slowest {100 * middle:.3g} % of the median for half of the passes, "
            f"at most {100 * widest:.3g} % ({most.operation} by {most.instructions})")


def _limits(results: Sequence[BandwidthResult]) -> list[Section]:
    limits = next((result.stream for result in results if result.stream is not None), None)
    if limits is None:
        return []
    cache = next((result.cache_bytes for result in results if result.cache_bytes is not None), None)
    beside = "" if cache is None else f" (last-level cache: {format_bytes(cache)})"
    copy, triad = format_gib_s(limits.copy_bytes_per_s), format_gib_s(limits.triad_bytes_per_s)
    text = (f"copy {copy} GiB/s, triad {triad} GiB/s: one thread, vectors of 16 bytes, three private anonymous arrays "
            f"of {format_bytes(limits.array_bytes)}{beside}, best run; bytes loaded and bytes stored both count, so a "
            "copy's figure is twice that of the table above")
    return [Section("What this machine's memory can do (as STREAM measures it)", lines=[text])]
