# SPDX-License-Identifier: MIT
"""Several reports of the same measurement in one figure: medians and p99 below one another, faults beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import FaultLatencyReport
from drmbench.render.plot.figure import CYCLE, Drawing, new_figure, series_label, shown, time_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import Distribution, FaultLatencyResult
    from drmbench.render.plot.figure import Named

MOST = 16


def _rows(reports: Sequence[Named]) -> dict[str, dict[int, FaultLatencyResult]]:
    """Label of what was measured -> number of the report -> its first result, for all that two reports share."""
    found: dict[str, dict[int, FaultLatencyResult]] = {}
    for number, (_name, report) in enumerate(reports):
        if isinstance(report, FaultLatencyReport):
            for result in report.results:
                found.setdefault(f"{series_label(result)}, {result.order}", {}).setdefault(number, result)
    return {label: each for label, each in found.items() if len(each) > 1}


def _named(result: FaultLatencyResult) -> Distribution:
    return result.fault_ns if result.fault_ns.n else result.hit_ns


def applies(reports: Sequence[Named]) -> bool:
    """Whether two reports have something in common."""
    return len(reports) > 1 and bool(_rows(reports))


def draw(reports: Sequence[Named]) -> Drawing:
    """A dot at the median, a line to p99, faults a page as text.

    Numbers: label -> report -> p50, p99, faults a page.
    """
    rows = dict(list(_rows(reports).items())[:MOST])
    figure, (place,) = new_figure(1, 1.0 + (0.2 * len(reports) + 0.25) * len(rows))
    drawing = Drawing(figure)
    step = 0.8 / len(reports)
    for row, (label, each) in enumerate(rows.items()):
        numbers = drawing.numbers.setdefault(label, {})
        for number, result in each.items():
            named = _named(result)
            p50, p99 = max(1, named.p50 or 1), max(1, named.p99 or 1)
            y = row + (number - (len(reports) - 1) / 2) * step
            colour = CYCLE[number % len(CYCLE)]
            place.plot([p50, max(p50, p99)], [y, y], color=colour, linewidth=1, gid=f"p99-{row}-{number}")
            place.plot([max(p50, p99)], [y], "|", color=colour, markersize=7)
            place.plot([p50], [y], "o", color=colour, markersize=5, gid=f"p50-{row}-{number}")
            place.annotate(f"{result.faults_per_page:.4g} faults/page", (1.0, y), xycoords=("axes fraction", "data"),
                           xytext=(4, 0), textcoords="offset points", va="center", fontsize=7, color=colour)
            numbers[f"{number} {reports[number][0]}"] = [named.p50, named.p99, result.faults_per_page]
    place.set_yticks(range(len(rows)), [shown(label) for label in rows])
    place.set_ylim(len(rows) - 0.4, -0.6)
    place.set_xscale("log")
    time_axis(place.xaxis)
    place.set_xlabel("a touch that faults: median (dot) and p99 (bar)")
    keys = [place.plot([], [], "o", color=CYCLE[number % len(CYCLE)], label=shown(f"{number + 1}. {name}"))[0]
            for number, (name, _report) in enumerate(reports)]
    figure.legend(handles=keys, loc="outside lower left", ncols=2)
    return drawing
