# SPDX-License-Identifier: MIT
"""A picture of a buffer's life: what each call takes, a bar for each count of live buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import LIFE_OPERATIONS
from drmbench.render.common import label_of
from drmbench.render.svg import WIDTH, Picture, drawing, element, rect, text, tooltip
from drmbench.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import LifecycleResult

_BAR = 13.0
_LABELS, _VALUES = 66.0, 56.0


def live_pictures(results: Sequence[LifecycleResult]) -> list[tuple[str, list[Picture]]]:
    """(label, a picture for each size) of each target, in the order of the report."""
    targets: dict[str, dict[int, list[LifecycleResult]]] = {}
    for result in results:
        targets.setdefault(label_of(result.target), {}).setdefault(result.size_bytes, []).append(result)
    return [(label, [_picture(group, label) for group in sizes.values()]) for label, sizes in targets.items()]


def _picture(group: list[LifecycleResult], label: str) -> Picture:
    """Bars by operation: the median, with a line from there to p99, on a linear scale up to the longest bar."""
    costs = [(name, result.live_buffers, each) for name in LIFE_OPERATIONS for result in group
             for each in result.operations if each.operation == name]
    names = list(dict.fromkeys(name for name, _live, _each in costs))
    height = 22.0 + _BAR * len(costs) + 20 * len(names)
    caption = f"{label}, {format_bytes(group[0].size_bytes)}: a call, by live buffers"
    picture = drawing(height, caption)
    most = max(1, *(each.latency_ns.p50 or 0 for _name, _live, each in costs), 1)
    scale = (WIDTH - _LABELS - _VALUES - 8) / most
    y = 4.0
    for name in names:
        text(picture, 4, y + 10, name, class_="faint")
        y += 15
        for _name, live, each in (cost for cost in costs if cost[0] == name):
            middle, high = each.latency_ns.p50 or 0, each.latency_ns.p99 or 0
            text(picture, _LABELS - 6, y + 9, str(live)[:8], anchor="end")
            bar = rect(picture, _LABELS, y, max(0.5, middle * scale), _BAR - 2, class_="call second",
                       data_operation=name, data_live=live, data_ns=middle)
            tooltip(bar, f"{name} with {live} alive: median {middle} ns, p99 {high} ns, {each.calls} calls")
            element(picture, "line", x1=_LABELS + middle * scale, x2=_LABELS + min(most, max(middle, high)) * scale,
                    y1=y + 5.5, y2=y + 5.5, class_="mark")
            text(picture, WIDTH - 4, y + 9, format_ns(middle), anchor="end")
            y += _BAR
        y += 5
    text(picture, 4, y + 10, "bar: median; line: to p99, cut off at the longest bar", class_="faint")
    return Picture("live", caption, picture, height)
