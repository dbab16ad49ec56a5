# SPDX-License-Identifier: MIT
"""What many boards say together: medians for the same driver and kernel, boards that stand out, kernels that differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median, median_low
from typing import TYPE_CHECKING, TypeVar

from drmbench.comparison.kinds import KINDS
from drmbench.errors import one_line
from drmbench.inference.outliers import outliers
from drmbench.model import FleetDifference, FleetGroup, FleetValue

V = TypeVar("V", str, int)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drmbench.comparison.subject import Subject
    from drmbench.model import Board

_TIMES_KEPT = 4
_LEAST_RATIO = 1.2


@dataclass(slots=True)
class _Seen:
    values: list[FleetValue] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Summary:
    """Takes boards one after the other and keeps only a few numbers of each."""

    _seen: dict[tuple[str, str], _Seen] = field(default_factory=lambda: defaultdict(_Seen))

    def add(self, board: Board) -> None:
        """Count a board in; one without a report adds nothing."""
        if board.report is None or type(board.report) not in KINDS:
            return
        kernel = one_line(board.report.environment.kernel)
        for subject in KINDS[type(board.report)](board.report):
            seen = self._seen[_what(subject), kernel]
            times = subject.times[:_TIMES_KEPT]
            seen.units |= {each.name: each.unit for each in times}
            seen.values.append(FleetValue(
                board.place, {each.name: median_low(each.values) for each in subject.counts},
                {each.name: round(median(each.values), 3) for each in times}, dict(subject.facts),
            ))

    def groups(self) -> list[FleetGroup]:
        """By what was measured, then by kernel."""
        return [_group(what, kernel, seen) for (what, kernel), seen in sorted(self._seen.items())]


def _what(subject: Subject) -> str:
    return one_line(f"{subject.target.driver} {subject.target.buffer}, {subject.variant_text}")


def _group(what: str, kernel: str, seen: _Seen) -> FleetGroup:
    counts = {name: _most(v.counts[name] for v in seen.values if name in v.counts)
              for name in dict.fromkeys(name for v in seen.values for name in v.counts)}
    facts = {name: _most(v.facts[name] for v in seen.values if name in v.facts)
             for name in dict.fromkeys(name for v in seen.values for name in v.facts)}
    series = {name: [v.times.get(name) for v in seen.values] for name in seen.units}
    times = {name: round(median(found), 3) for name, values in series.items()
             if (found := [value for value in values if value is not None])}
    marks = _slow_or_fast(series, times)
    boards = [
        FleetValue(v.place, v.counts, v.times, v.facts, [
            *(f"{name} {number}, the others {counts[name]}" for name, number in v.counts.items()
              if number != counts[name]),
            *(f"{name} is {text}, of the others {facts[name]}" for name, text in v.facts.items()
              if text != facts[name]),
            *marks.get(index, []),
        ]) for index, v in enumerate(seen.values)
    ]
    return FleetGroup(what, kernel, boards, counts, times, seen.units)


def _slow_or_fast(series: dict[str, list[float | None]], times: dict[str, float]) -> dict[int, list[str]]:
    """Board's number -> the quantities in which it lies far outside the others' quartiles, and by a fifth at least."""
    marks: dict[int, list[str]] = defaultdict(list)
    for name, values in series.items():
        present = [index for index, value in enumerate(values) if value is not None]
        for found in outliers([values[index] or 0.0 for index in present]):
            middle = times[name]
            ratio = found.value / middle if middle else 0.0
            if found.grade == "severe" and not 1 / _LEAST_RATIO < ratio < _LEAST_RATIO:
                marks[present[found.run - 1]].append(f"{name} {ratio:.2g}x the median of the others")
    return marks


def _most(values: Iterable[V]) -> V:
    """The most frequent value, of several the smallest."""
    counted = Counter(values)
    return min(counted, key=lambda value: (-counted[value], value))


def differences(groups: Sequence[FleetGroup]) -> list[FleetDifference]:
    """What was counted differently on different kernels; counts are exact, so one board each is enough."""
    by_what: dict[str, list[FleetGroup]] = defaultdict(list)
    for group in groups:
        by_what[group.what].append(group)
    found = []
    for what, kernels in by_what.items():
        for name in dict.fromkeys(name for group in kernels for name in group.counts):
            counted = {group.kernel: group.counts[name] for group in kernels if name in group.counts}
            if len(set(counted.values())) > 1:
                found.append(FleetDifference(what, name, counted))
    return found
