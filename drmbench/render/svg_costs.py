# SPDX-License-Identifier: MIT
"""Pictures of what it costs: the stages of a buffer's life, and touches by their latency."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drmbench.model import STAGES
from drmbench.render.svg import WIDTH, Picture, drawing, element, legend, rect, text, tooltip
from drmbench.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from xml.etree import ElementTree as ET

    from drmbench.model import FaultLatencyResult

_LABELS = 70.0
_VALUES = 54.0
_BAR = 13.0
_PLOT_Y, _PLOT_HEIGHT = 46.0, 96.0
_PLOT_X = 12.0


def stage_picture(results: Sequence[FaultLatencyResult], label: str) -> Picture:
    """Bars for each stage of the first mapping (cold) and of the second one (warm), on one linear scale."""
    phases = [result.phase for result in results]
    row = _BAR * len(results) + 7
    height = row * len(STAGES) + 10 + 15 * len(results)
    caption = f"{label}: where the time goes, {results[0].access}"
    picture = drawing(height, caption)
    longest = max(1, *(getattr(result.stages_ns, stage) for result in results for stage in STAGES))
    room = WIDTH - _LABELS - _VALUES - 8
    for number, stage in enumerate(STAGES):
        y = 4 + number * row
        text(picture, 4, y + 9, stage)
        for index, result in enumerate(results):
            if result.phase == "warm" and stage in {"create", "destroy"}:
                continue
            ns = getattr(result.stages_ns, stage)
            bar = rect(picture, _LABELS, y + index * _BAR, max(0.5, room * ns / longest), _BAR - 2,
                       class_=f"stage {'first' if result.phase == 'cold' else 'second'}", data_stage=stage,
                       data_phase=result.phase, data_ns=ns)
            tooltip(bar, f"{stage}, {result.phase}: {ns} ns, {getattr(result.faults, stage)} faults")
            text(picture, WIDTH - 4, y + index * _BAR + 9, format_ns(ns), anchor="end")
    words = {"cold": "cold: the first mapping", "warm": "warm: mapped once more, of the same buffer"}
    legend(picture, row * len(STAGES) + 8, [
        ("first" if phase == "cold" else "second", words[phase]) for phase in phases
    ])
    return Picture("stages", caption, picture, height)


def histogram_picture(result: FaultLatencyResult, label: str) -> Picture | None:
    """Touches by latency, both scales logarithmic, with the median and p99 of those that fault; None without any."""
    bins = result.histogram
    if not bins:
        return None
    height = _PLOT_Y + _PLOT_HEIGHT + 18
    caption = f"{label}: touches by latency, {result.access}, {result.phase}"
    picture = drawing(height, caption)
    low, high = math.log10(max(1, bins[0].from_ns)), math.log10(max(2, bins[-1].to_ns))
    scale = (WIDTH - 2 * _PLOT_X) / max(0.01, high - low)
    most = max(part.count for part in bins)

    def x_of(ns: float) -> float:
        return _PLOT_X + (math.log10(max(1, ns)) - low) * scale

    bottom = _PLOT_Y + _PLOT_HEIGHT
    for part in bins:
        tall = _PLOT_HEIGHT * math.log10(part.count + 1) / math.log10(max(1, most) + 1)
        left, right = x_of(part.from_ns), x_of(part.to_ns)
        bar = rect(picture, left, bottom - tall, max(0.5, right - left - 1), tall, class_="bin first",
                   data_from_ns=part.from_ns, data_to_ns=part.to_ns, data_count=part.count)
        tooltip(bar, f"{format_ns(part.from_ns)} to {format_ns(part.to_ns)}: {part.count} touches")
    element(picture, "line", x1=_PLOT_X, x2=WIDTH - _PLOT_X, y1=bottom, y2=bottom, class_="axis")
    _decades(picture, low, high, bottom, x_of(10 ** math.ceil(low)), scale)
    text(picture, 4, 10, f"highest bar {most} touches; both scales log", class_="faint")
    _percentiles(picture, result, bottom, x_of)
    return Picture("histogram", caption, picture, height)


def _decades(picture: ET.Element, low: float, high: float, y: float, x: float, scale: float) -> None:
    """Names of the powers of ten under the axis, as many as there is room for; of its ends where it has none."""
    if math.ceil(low) > math.floor(high):
        text(picture, _PLOT_X, y + 15, format_ns(10 ** low), class_="faint")
        text(picture, WIDTH - _PLOT_X, y + 15, format_ns(10 ** high), anchor="end", class_="faint")
    step = max(1, math.ceil(44 / scale))
    for decade in range(math.ceil(low), math.floor(high) + 1, step):
        at = x + (decade - math.ceil(low)) * scale
        element(picture, "line", x1=at, x2=at, y1=y, y2=y + 4, class_="axis")
        anchor = "start" if at < 30 else "end" if at > WIDTH - 30 else "middle"
        text(picture, at, y + 15, _power_of_ten(decade), anchor=anchor, class_="faint")


def _power_of_ten(decade: int) -> str:
    """The time 10 ** decade ns: 4 -> "10 us"."""
    unit = min(decade // 3, 3)
    return f"{10 ** (decade - 3 * unit)} {('ns', 'us', 'ms', 's')[unit]}"


def _percentiles(
    picture: ET.Element, result: FaultLatencyResult, bottom: float, x_of: Callable[[float], float],
) -> None:
    named = result.fault_ns if result.fault_ns.n else result.hit_ns
    for line, (name, ns) in enumerate((("p50", named.p50), ("p99", named.p99))):
        if ns is not None:
            at = min(max(x_of(ns), _PLOT_X), WIDTH - _PLOT_X)
            y = 24.0 + 14 * line
            element(picture, "line", x1=at, x2=at, y1=y + 2, y2=bottom, class_="mark")
            near_end = at > WIDTH / 2
            text(picture, at - 3 if near_end else at + 3, y, f"{name} {format_ns(ns)}", class_="mark",
                 anchor="end" if near_end else "start", data_percentile=name, data_ns=ns)
