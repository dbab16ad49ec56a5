# SPDX-License-Identifier: MIT
"""A picture of bandwidth: a bar for each way of access, by operation, on one linear scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import SWEEPS
from drmbench.render.svg import WIDTH, Picture, drawing, element, legend, rect, text, tooltip
from drmbench.units import format_gib_s

if TYPE_CHECKING:
    from drmbench.model import BandwidthResult

_BAR = 13.0
_LABELS, _VALUES = 74.0, 44.0


def bandwidth_picture(result: BandwidthResult, label: str) -> Picture:
    """Bars by operation and access: the median of the runs, with a line from the slowest run to the fastest one."""
    operations = [name for name in SWEEPS if any(each.operation == name for each in result.passes)]
    height = 8.0 + _BAR * len(result.passes) + 20 * len(operations) + 20
    caption = f"{label}: GiB/s by access"
    picture = drawing(height, caption)
    most = max(1.0, *(each.bytes_per_s_max for each in result.passes))
    scale = (WIDTH - _LABELS - _VALUES - 4) / most
    y = 4.0
    for operation in operations:
        text(picture, 4, y + 10, operation.replace("-", " "), class_="faint")
        y += 15
        for each in (each for each in result.passes if each.operation == operation):
            text(picture, 4, y + 9, each.instructions[:11])
            bar = rect(picture, _LABELS, y, max(0.5, each.bytes_per_s * scale), _BAR - 2, class_="rate second",
                       data_operation=operation, data_access=each.access, data_bytes_per_s=each.bytes_per_s)
            tooltip(bar, f"{operation} by {each.instructions}: {format_gib_s(each.bytes_per_s_min)} to "
                    f"{format_gib_s(each.bytes_per_s_max)} GiB/s in {len(each.bytes_per_s_runs)} runs")
            element(picture, "line", x1=_LABELS + each.bytes_per_s_min * scale,
                    x2=_LABELS + each.bytes_per_s_max * scale, y1=y + 5.5, y2=y + 5.5, class_="mark")
            text(picture, WIDTH - 4, y + 9, format_gib_s(each.bytes_per_s), anchor="end")
            y += _BAR
        y += 5
    legend(picture, y + 2, [("second", "median of the runs; line: slowest to fastest run")])
    return Picture("bandwidth", caption, picture, height)
