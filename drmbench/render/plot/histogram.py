# SPDX-License-Identifier: MIT
"""Touches by latency: a row for each result, touches that fault over those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.plot.figure import FAULT, HIT, Drawing, count_axis, new_figure, shown, time_axis, touches_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from drmbench.model import FaultLatencyResult
    from drmbench.render.plot.figure import Named

MOST = 12
"""More results than that are not drawn: nobody could read them."""


def applies(reports: Sequence[Named]) -> bool:
    """Whether a result has a histogram."""
    return any(result.histogram for _label, result in touches_of(reports))


def draw(reports: Sequence[Named]) -> Drawing:
    """All on one time axis. Numbers: label -> [from_ns, to_ns, touches, of which faulted]."""
    series = [(label, result) for label, result in touches_of(reports) if result.histogram][:MOST]
    figure, axes = new_figure(len(series), 1.7)
    drawing = Drawing(figure)
    low = min(max(1, result.histogram[0].from_ns) for _label, result in series)
    high = max(max(2, result.histogram[-1].to_ns) for _label, result in series)
    for number, ((label, result), place) in enumerate(zip(series, axes, strict=True)):
        _bars(place, result, number)
        _marks(place, result)
        place.set_title(shown(label))
        place.set_xscale("log")
        place.set_xlim(low * 0.9, high * 1.1)
        time_axis(place.xaxis)
        place.set_yscale("symlog", linthresh=1)
        place.set_ylim(0, 2 * max(1, *(part.count for part in result.histogram)))
        count_axis(place.yaxis)
        place.set_ylabel("touches")
        drawing.numbers[f"{number} {label}"] = [
            [part.from_ns, part.to_ns, part.count, part.faulted] for part in result.histogram]
    axes[0].legend(loc="upper right", ncols=2)
    axes[-1].set_xlabel("latency of a touch, the clock's own cost taken off")
    return drawing


def _bars(place: Axes, result: FaultLatencyResult, number: int) -> None:
    bins = result.histogram
    left = [max(0.5, part.from_ns) for part in bins]
    width = [max(1, part.to_ns) - start for part, start in zip(bins, left, strict=True)]
    faulted = [_faulted(result, part.count, part.faulted) for part in bins]
    hits = [part.count - faults for part, faults in zip(bins, faulted, strict=True)]
    # Stacked on a log scale the upper part would look small: they overlap instead.
    kinds = ((hits, HIT, "without a fault", "hit"), (faulted, FAULT, "with a fault", "fault"))
    for counts, colour, words, name in kinds:
        drawn = place.bar(left, counts, width, align="edge", color=colour, alpha=0.75, label=words, linewidth=0)
        for index, patch in enumerate(drawn):
            patch.set_gid(f"{name}-{number}-{index}")


def _faulted(result: FaultLatencyResult, count: int, faulted: int | None) -> int:
    """A report of an older drmbench does not say it; then all touches count as the most of them do."""
    if faulted is not None:
        return min(faulted, count)
    return count if result.fault_ns.n >= result.hit_ns.n else 0


def _marks(place: Axes, result: FaultLatencyResult) -> None:
    named = result.fault_ns if result.fault_ns.n else result.hit_ns
    for name, ns, style in (("p50", named.p50, "-"), ("p99", named.p99, ":")):
        if ns is not None:
            place.axvline(max(1, ns), color="black", linestyle=style, linewidth=0.9)
            place.annotate(name, (max(1, ns), 0.97), xycoords=("data", "axes fraction"), xytext=(2, 0),
                           textcoords="offset points", va="top", fontsize=7)
