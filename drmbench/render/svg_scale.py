# SPDX-License-Identifier: MIT
"""Pictures of scale: rates by number of workers, costs by buffer size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drmbench.render.common import label_of
from drmbench.render.scale import floor_of
from drmbench.render.svg import WIDTH, Picture, drawing, element, legend, text, tooltip
from drmbench.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree import ElementTree as ET

    from drmbench.model import CrewCurve, SizeSweep

_X, _Y, _TALL, _RIGHT = 52.0, 18.0, 120.0, 14.0
_STYLES = (("first", "fault"), ("second", "present"))  # of the target and of memfd: threads, processes


def crew_picture(curves: Sequence[CrewCurve], every: Sequence[CrewCurve]) -> Picture:
    """Faults per second by number of workers, of one target in one layout, beside memfd and a line without loss."""
    label = label_of(curves[0].target)
    caption = f"{label}: faults/s by workers, {curves[0].layout}"
    floors = [floor for curve in curves if (floor := floor_of(curve, every)) is not None]
    drawn = [(curve, _STYLES[beside][curve.worker_kind == "processes"])
             for beside, group in enumerate((curves, floors)) for curve in group]
    height = _Y + _TALL + 34 + 15 * (len(drawn) + 1)
    picture = drawing(height, caption)
    most = max(point.workers for curve, _style in drawn for point in curve.points)
    top = max(1e-9, *(point.faults_per_s for curve, _style in drawn for point in curve.points))

    def place(workers: float, rate: float) -> tuple[float, float]:
        room = WIDTH - _X - _RIGHT
        return _X + room * (workers - 1) / max(1, most - 1), _Y + _TALL * (1 - min(1.0, rate / top))

    _frame(picture, format_rate(top), "0")
    one = curves[0].points[0].faults_per_s / curves[0].points[0].workers
    steps = [1 + (most - 1) * step / 32 for step in range(33)]
    _line(picture, [place(step, one * step) for step in steps if one * step <= top], "ideal")
    for curve, style in drawn:
        _line(picture, [place(point.workers, point.faults_per_s) for point in curve.points], style)
        for point in curve.points:
            x, y = place(point.workers, point.faults_per_s)
            dot = element(picture, "circle", cx=x, cy=y, r=2.5, class_=style, data_workers=point.workers,
                          data_faults_per_s=point.faults_per_s)
            tooltip(dot, f"{point.workers} {curve.worker_kind}: {format_rate(point.faults_per_s)}, "
                         f"{point.faults} faults")
    for workers in sorted({point.workers for point in curves[0].points} | {1, most})[-12:]:
        text(picture, place(workers, 0)[0], _Y + _TALL + 14, str(workers), anchor="middle", class_="faint")
    legend(picture, _Y + _TALL + 24, [
        *((style, f"{label_of(curve.target)}, {curve.worker_kind}") for curve, style in drawn),
        ("ideal", f"{curves[0].worker_kind} without loss"),
    ])
    return Picture("scaling", caption, picture, height)


def size_picture(sweep: SizeSweep) -> Picture | None:
    """Cost a page by buffer size, both scales logarithmic, with the straight line and the knee; None without any."""
    label = label_of(sweep.target)
    fit = [(size, size.total_ns_per_page) for size in sweep.sizes if size.total_ns_per_page]
    if not fit:
        return None
    caption = f"{label}: cost a page by size, {sweep.access}, {sweep.phase}"
    height = _Y + _TALL + 34 + 30
    picture = drawing(height, caption)
    left, right = math.log2(fit[0][0].size_bytes), math.log2(max(size.size_bytes for size, _ns in fit))
    low, high = math.log10(min(ns for _size, ns in fit)), math.log10(max(ns for _size, ns in fit))

    def place(size_bytes: float, ns: float) -> tuple[float, float]:
        x = _X + (WIDTH - _X - _RIGHT) * (math.log2(size_bytes) - left) / max(0.01, right - left)
        share = (math.log10(ns) - low) / max(0.01, high - low)
        return min(max(x, _X), WIDTH - _RIGHT), _Y + _TALL * (1 - min(max(share, 0.0), 1.0))

    _frame(picture, format_ns(10 ** min(high, 300)), format_ns(10 ** low))
    if sweep.fixed_ns is not None and sweep.ns_per_page is not None:
        said = [(size.size_bytes, sweep.fixed_ns / size.pages + sweep.ns_per_page) for size, _ns in fit]
        _line(picture, [place(size_bytes, ns) for size_bytes, ns in said if 0 < ns < math.inf], "ideal")
    _line(picture, [place(size.size_bytes, ns) for size, ns in fit], "first")
    for size, ns in fit:
        x, y = place(size.size_bytes, ns)
        dot = element(picture, "circle", cx=x, cy=y, r=2.5, class_="first", data_size_bytes=size.size_bytes,
                      data_ns_per_page=ns)
        tooltip(dot, f"{format_bytes(size.size_bytes)}: {format_ns(ns)} a page")
    if sweep.knee_bytes is not None:
        x = place(sweep.knee_bytes, fit[0][1])[0]
        element(picture, "line", x1=x, x2=x, y1=_Y, y2=_Y + _TALL, class_="mark")
        text(picture, x - 3, _Y + 8, f"knee {format_bytes(sweep.knee_bytes)}", anchor="end", class_="mark")
    text(picture, _X, _Y + _TALL + 14, format_bytes(fit[0][0].size_bytes), class_="faint")
    text(picture, WIDTH - 4, _Y + _TALL + 14, format_bytes(fit[-1][0].size_bytes), anchor="end", class_="faint")
    legend(picture, _Y + _TALL + 24, [("first", "all stages of a buffer, a page"), ("ideal", "the straight line")])
    return Picture("sizes", caption, picture, height)


def _frame(picture: ET.Element, top: str, bottom: str) -> None:
    element(picture, "line", x1=_X, x2=_X, y1=_Y, y2=_Y + _TALL, class_="axis")
    element(picture, "line", x1=_X, x2=WIDTH - _RIGHT, y1=_Y + _TALL, y2=_Y + _TALL, class_="axis")
    text(picture, _X - 4, _Y + 4, top, anchor="end", class_="faint")
    text(picture, _X - 4, _Y + _TALL, bottom, anchor="end", class_="faint")


def _line(picture: ET.Element, points: Sequence[tuple[float, float]], style: str) -> None:
    if len(points) > 1:
        element(picture, "polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=f"curve {style}")
