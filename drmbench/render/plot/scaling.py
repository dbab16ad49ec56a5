# SPDX-License-Identifier: MIT
"""Curves of a scale report: faults per second by workers beside the line without loss, or cost by buffer size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import CrewCurve, ScaleReport, SizeSweep
from drmbench.render.common import label_of
from drmbench.render.plot.figure import CYCLE, Drawing, new_figure, shown, time_axis
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from drmbench.render.plot.figure import Named

MOST = 16
_MARKERS = ("o", "s", "^", "D")


def _results(reports: Sequence[Named]) -> Iterator[tuple[str, CrewCurve | SizeSweep]]:
    for name, report in reports:
        if isinstance(report, ScaleReport):
            before = f"{name}: " if len(reports) > 1 else ""
            for result in report.results:
                yield f"{before}{label_of(result.target)}", result


def applies(reports: Sequence[Named]) -> bool:
    """Whether there is a scale report."""
    return any(True for _ in _results(reports))


def draw(reports: Sequence[Named]) -> Drawing:
    """Numbers: label -> [workers, faults/s, efficiency], or [size in bytes, ns a page]."""
    crews = [(label, result) for label, result in _results(reports) if isinstance(result, CrewCurve)][:MOST]
    sweeps = [(label, result) for label, result in _results(reports) if isinstance(result, SizeSweep)][:MOST]
    figure, axes = new_figure(2 * bool(crews) + bool(sweeps), 3.2)
    drawing = Drawing(figure)
    if crews:
        _rates(axes[0], axes[1], crews, drawing)
    if sweeps:
        _sizes(axes[-1], sweeps, drawing)
    figure.legend(loc="outside lower left", ncols=2)
    return drawing


def _rates(rates: Axes, efficiencies: Axes, crews: Sequence[tuple[str, CrewCurve]], drawing: Drawing) -> None:
    for number, (label, curve) in enumerate(crews):
        name = f"{label}, {curve.layout}, {curve.worker_kind}"
        colour, marker = CYCLE[number % len(CYCLE)], _MARKERS[number // len(CYCLE) % len(_MARKERS)]
        workers = [point.workers for point in curve.points]
        rate = [point.faults_per_s for point in curve.points]
        (line,) = rates.plot(workers, rate, marker=marker, color=colour, label=shown(name), markersize=4)
        line.set_gid(f"scaling-{number}")
        spread = [point.faults_per_s_runs or [point.faults_per_s] for point in curve.points]
        rates.vlines(workers, [min(runs) for runs in spread], [max(runs) for runs in spread], color=colour, alpha=0.5)
        known = [(point.workers, point.efficiency) for point in curve.points if point.efficiency is not None]
        efficiencies.plot([at for at, _share in known], [share for _at, share in known], marker=marker, color=colour,
                          markersize=4)
        drawing.numbers[f"{number} {name}"] = [
            [point.workers, point.faults_per_s, point.efficiency] for point in curve.points]
    most = max(point.workers for _label, curve in crews for point in curve.points)
    first = crews[0][1].points[0]
    one = first.faults_per_s / first.workers
    rates.plot([1, most], [one, one * most], color="grey", linestyle=":", linewidth=1, label="the first without loss")
    rates.set_ylim(bottom=0)
    rates.set_ylabel("faults per second")
    efficiencies.axhline(1.0, color="grey", linestyle=":", linewidth=1)
    efficiencies.set_ylim(bottom=0)
    efficiencies.set_ylabel("efficiency against one worker")
    efficiencies.set_xlabel("workers")
    for place in (rates, efficiencies):
        place.set_xticks(sorted({point.workers for _label, curve in crews for point in curve.points})[-16:])


def _sizes(place: Axes, sweeps: Sequence[tuple[str, SizeSweep]], drawing: Drawing) -> None:
    for number, (label, sweep) in enumerate(sweeps):
        name = f"{label}, {sweep.access}, {sweep.phase}"
        known = [(point.size_bytes, point.total_ns_per_page) for point in sweep.sizes
                 if point.total_ns_per_page is not None]
        colour = CYCLE[number % len(CYCLE)]
        (line,) = place.plot([size for size, _ns in known], [max(1e-3, ns) for _size, ns in known], marker="o",
                             markersize=4, color=colour, label=shown(name))
        line.set_gid(f"sizes-{number}")
        if sweep.fixed_ns is not None and sweep.ns_per_page is not None:
            fitted = [(point.size_bytes, sweep.fixed_ns / point.pages + sweep.ns_per_page) for point in sweep.sizes]
            place.plot([size for size, _ns in fitted], [max(1e-3, ns) for _size, ns in fitted], color=colour,
                       linestyle=":", linewidth=1)
        if sweep.knee_bytes is not None:
            place.axvline(sweep.knee_bytes, color=colour, linewidth=0.6)
        drawing.numbers[f"{number} {name}"] = [list(point) for point in known]
    place.set_xscale("log", base=2)
    place.xaxis.set_major_formatter(lambda size, _position: format_bytes(round(size)))
    place.set_yscale("log")
    time_axis(place.yaxis)
    place.set_xlabel("size of the buffer; dotted: the straight line through the smaller sizes")
    place.set_ylabel("all stages, per page")
