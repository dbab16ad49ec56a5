# SPDX-License-Identifier: MIT
"""Report -> named numbers and verdicts, one by one, as LAVA and KCIDB take them.

A name is made of the target's driver and buffer, of the parameters that change what a number means, and of the
number's own name in the report: it is the same in every run with those parameters, on any kernel and machine. The
node is part of it only where two devices of a report would read the same, since card0 may be card1 after a boot.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drmbench.errors import UsageError
from drmbench.model import BandwidthReport, ComparePopulateReport, FaultLatencyReport, LifecycleReport, ScaleReport
from drmbench.render.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drmbench.model import Report, TargetInfo
    from drmbench.render.rows import Row

Names = tuple[str, ...]
"""Words of letters, digits, - and _ only."""

_KINDS = (BandwidthReport, ComparePopulateReport, FaultLatencyReport, LifecycleReport, ScaleReport)
# What tells results of a target apart, in the order of a name.
_PARAMETERS = ("curve", "size_bytes", "live_buffers", "workers", "worker_kind", "layout", "operation", "access",
               "instructions", "order", "phase", "strategy")
# Numbers that were asked for, or say where something lies, or are of the clock and not of what was measured.
_NO_MEASURES = frozenset({
    "size_bytes", "pages", "runs", "cycles", "calls", "workers", "live_buffers", "address", "bytes", "checked_bytes",
    "cache_bytes", "expected_min", "expected_max", "oversubscribed", "clock.overhead_ns", "clock.resolution_ns",
})
_RATES = {"faults_per_page": "faults/page", "faults_per_s": "faults/s", "touches_per_s": "touches/s",
          "per_s": "calls/s", "ns_per_page": "ns/page"}
_SCALES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_TARGET = ("kind", "node", "driver", "buffer")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit ("ns", "faults", "B/s", "" for a ratio), or a verdict in a word, with its reason."""

    target: Names
    parameters: Names
    quantity: Names
    value: float | None = None
    unit: str = ""
    verdict: str = ""
    reason: str = ""

    @property
    def names(self) -> Names:
        """All words of the name but the command's."""
        return (*self.target, *self.parameters, *self.quantity)


def word(text: str) -> str:
    """Letters, digits, - and _ only, 60 at most: what LAVA's addresses and KCIDB's paths both take."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:_LONGEST] or "unnamed"


def target_names(targets: Iterable[TargetInfo]) -> dict[TargetInfo, Names]:
    """Driver and buffer of each, and the node where another has the same ones; a baseline has one name for both."""
    found = list(dict.fromkeys(targets))
    short = {target: _words([target.driver] if target.kind == "baseline" else [target.driver, target.buffer])
             for target in found}
    seen = Counter(short.values())
    return {target: (*names, word((target.node or "").rpartition("/")[2])) if seen[names] > 1 else names
            for target, names in short.items()}


def measures_of(report: Report, format_name: str) -> list[Measure]:
    """Every number of the report but those that were asked for, and every verdict; no name twice.

    Raises UsageError for a kind of report that has no such numbers.
    """
    if not isinstance(report, _KINDS):
        raise UsageError("show", f"--format {format_name}", reason="this kind of report has no numbers for it",
                         remedy="--format table shows it")
    names = target_names(result.target for result in report.results)
    by_row: dict[tuple[object, ...], Names] = {
        tuple(getattr(target, field) for field in _TARGET): name for target, name in names.items()}
    return list(_told_apart(
        measure for row in rows_of(report)
        for measure in _of_row(row, by_row[tuple(row[f"target.{field}"] for field in _TARGET)])
    ))


def _words(texts: Iterable[str]) -> Names:
    return tuple(word(text) for text in texts)


def _parameter(name: str, value: object) -> str:
    if name == "size_bytes" and isinstance(value, int):
        return next((f"{value // scale}{unit}" for unit, scale in _SCALES if value % scale == 0), f"{value}B")
    if name in {"workers", "live_buffers"}:
        return f"{name.removesuffix('_buffers')}-{value}"
    return word(str(value))


def _of_row(row: Row, target: Names) -> Iterator[Measure]:
    parameters = tuple(_parameter(name, row[name]) for name in _PARAMETERS if row.get(name) is not None)
    for path, value in row.items():
        if path not in _NO_MEASURES and isinstance(value, int | float) and not isinstance(value, bool):
            yield Measure(target, parameters, _words(path.split(".")), value, _unit(path))
    if isinstance(row.get("verdict"), str):
        yield Measure(target, parameters, ("verdict",), verdict=str(row["verdict"]), reason=str(row["reason"]))


def _unit(path: str) -> str:
    group, _, last = path.rpartition(".")
    if last == "n":
        return "calls" if group == "latency_ns" else "touches"
    if last in _RATES:
        return _RATES[last]
    if last.startswith("bytes_per_s"):
        return "B/s"
    if group.endswith("_ns") or last.endswith("_ns"):
        return "ns"
    if "faults" in {group, last}:
        return "faults"
    ends = {"_pages": "pages", "_bytes": "B"}
    return next((unit for end, unit in ends.items() if last.endswith(end)), "")


def _told_apart(measures: Iterable[Measure]) -> Iterator[Measure]:
    """A number behind the names that come again: only a report edited by hand has such."""
    seen: set[Names] = set()
    times: Counter[Names] = Counter()
    for measure in measures:
        names, chosen = measure.names, measure
        while chosen.names in seen:
            times[names] += 1
            chosen = replace(measure, quantity=(*measure.quantity, f"again-{times[names]}"))
        seen.add(chosen.names)
        yield chosen
