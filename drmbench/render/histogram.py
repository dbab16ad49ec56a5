# SPDX-License-Identifier: MIT
"""--histogram: touches by latency as bars of text, those that fault apart from those that do not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drmbench.render.common import label_of, short_access
from drmbench.render.document import Bar, Section
from drmbench.units import format_ns

if TYPE_CHECKING:
    from drmbench.model import Distribution, FaultLatencyResult, HistogramBin

KINDS = ("with a fault", "without")


def histogram_section(result: FaultLatencyResult) -> Section:
    """A bar for each bin, its length and the bins both on a log scale; marks where p50 and p99 fall.

    A bar's two parts have the shares that faulted and that did not.
    """
    title = f"{label_of(result.target)}, {short_access(result.access)}, {result.phase}: touches by latency"
    longest = math.log10(max((part.count for part in result.histogram), default=0) + 1) or 1.0
    bars = [
        Bar(f"{format_ns(part.from_ns)} - {format_ns(part.to_ns)}", str(part.count),
            math.log10(part.count + 1) / longest, _faulted(result, part), _marks(result, part))
        for part in _without_gaps(result.histogram)
    ]
    return Section(title, bars=bars, bar_kinds=KINDS)


def _without_gaps(bins: list[HistogramBin]) -> list[HistogramBin]:
    """At most one of several empty bins in a row: it stands for them all."""
    kept: list[HistogramBin] = []
    for part in bins:
        if part.count == 0 and kept and kept[-1].count == 0:
            kept[-1] = type(part)(kept[-1].from_ns, part.to_ns, 0, 0)
        else:
            kept.append(part)
    return kept


def _faulted(result: FaultLatencyResult, part: HistogramBin) -> float:
    """The share of the bin that faulted; an older report does not say, then it is what most of the touches did."""
    if part.faulted is None:
        return float(result.fault_ns.n >= result.hit_ns.n)
    return min(1.0, part.faulted / part.count) if part.count else 0.0


def _marks(result: FaultLatencyResult, part: HistogramBin) -> str:
    both = result.fault_ns.n > 0 and result.hit_ns.n > 0
    found = [
        f"{f'{kind} ' if both else ''}{name} {format_ns(ns)}"
        for kind, named in (("fault", result.fault_ns), ("hit", result.hit_ns))
        for name, ns in _named(named) if ns is not None and part.from_ns <= max(1, ns) < part.to_ns
    ]
    return ", ".join(found)


def _named(named: Distribution) -> tuple[tuple[str, int | None], ...]:
    return (("p50", named.p50), ("p99", named.p99))
