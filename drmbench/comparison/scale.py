# SPDX-License-Identifier: MIT
"""What can be compared of scale: faults and their rate for each number of workers, faults and time for each size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.comparison.subject import Counted, Sampled, Subject
from drmbench.model import STAGES, CrewCurve
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import CrewPoint, ScaleReport, SizeSweep


def subjects(report: ScaleReport) -> list[Subject]:
    """One for each point of each curve."""
    return [found for curve in report.results
            for found in (_of_workers(curve) if isinstance(curve, CrewCurve) else _of_sizes(curve))]


def _of_workers(curve: CrewCurve) -> Iterator[Subject]:
    for point in curve.points:
        yield Subject(
            target=curve.target,
            size_bytes=curve.size_bytes,
            variant={"access": curve.access, "phase": curve.phase, "layout": curve.layout,
                     "workers": f"{point.workers} {curve.worker_kind}", "size": format_bytes(curve.size_bytes)},
            counts=[Counted("faults", _count(point))],
            times=[Sampled("faults_per_s", tuple(point.faults_per_s_runs) or (point.faults_per_s,), "/s",
                           more_is_better=True)],
        )


def _count(point: CrewPoint) -> tuple[int, ...]:
    """The count; where workers may take a fault from one another, between the least and the most that follow."""
    if point.expected_min == point.expected_max:
        return (point.faults,)
    return min(point.expected_min, point.faults), point.faults, max(point.expected_max, point.faults)


def _of_sizes(sweep: SizeSweep) -> Iterator[Subject]:
    for point in sweep.sizes:
        if point.faults is not None:
            yield Subject(
                target=sweep.target,
                size_bytes=point.size_bytes,
                variant={"access": sweep.access, "phase": sweep.phase, "size": format_bytes(point.size_bytes)},
                counts=[Counted("faults" if name == "touch" else f"faults.{name}", (getattr(point.faults, name),))
                        for name in ("touch", *(stage for stage in STAGES if stage != "touch"))],
                times=[Sampled("total", tuple(point.total_ns_runs))] if point.total_ns_runs else [],
            )
