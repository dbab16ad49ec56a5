# SPDX-License-Identifier: MIT
"""The empirical distribution: which share of the touches took at most so long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import QUANTILE_STEPS
from drmbench.render.plot.figure import CYCLE, Drawing, new_figure, shown, time_axis, touches_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import FaultLatencyResult
    from drmbench.render.plot.figure import Named

MOST = 16
_STYLES = ("-", "--", ":", "-.")


def _points(result: FaultLatencyResult) -> list[tuple[int, float]]:
    """(ns, share): the quantiles; of an older drmbench's report the edges of its histogram."""
    if len(result.quantiles_ns) == len(QUANTILE_STEPS):
        return list(zip(result.quantiles_ns, QUANTILE_STEPS, strict=True))
    total = sum(part.count for part in result.histogram)
    points, reached = [], 0
    for part in result.histogram:
        reached += part.count
        points.append((part.to_ns, reached / total if total else 0.0))
    return points


def applies(reports: Sequence[Named]) -> bool:
    """Whether a result has a distribution."""
    return any(_points(result) for _label, result in touches_of(reports))


def draw(reports: Sequence[Named]) -> Drawing:
    """A curve a result, all touches together. Numbers: label -> [ns, share]."""
    series = [(label, result) for label, result in touches_of(reports) if _points(result)][:MOST]
    figure, (place,) = new_figure(1, 3.2 + 0.17 * len(series))
    drawing = Drawing(figure)
    for number, (label, result) in enumerate(series):
        points = _points(result)
        (line,) = place.step([max(1, ns) for ns, _share in points], [share for _ns, share in points], where="post",
                             color=CYCLE[number % len(CYCLE)], linestyle=_STYLES[number // len(CYCLE) % len(_STYLES)],
                             label=shown(label), linewidth=1.4)
        line.set_gid(f"ecdf-{number}")
        drawing.numbers[f"{number} {label}"] = [list(point) for point in points]
    place.set_xscale("log")
    time_axis(place.xaxis)
    place.set_ylim(0, 1.01)
    place.set_xlabel("latency of a touch, the clock's own cost taken off")
    place.set_ylabel("share of the touches")
    figure.legend(loc="outside lower left", ncols=2)
    return drawing
