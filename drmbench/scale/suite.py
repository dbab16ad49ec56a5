# SPDX-License-Identifier: MIT
"""From options to a ScaleReport: crews by number of workers, or buffers by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench import caveats
from drmbench.model import CrewCurve, ScaleReport, SizeSweep
from drmbench.runner import Job
from drmbench.scale.cpus import cpus_to_use
from drmbench.scale.curves import crew_curves
from drmbench.scale.layouts import Ground
from drmbench.scale.sizes import SizeSeries, size_sweeps
from drmbench.scale.workers import CrewSeries, Team

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drmbench.measurement import Options, Progress
    from drmbench.model import Access, Caveat, Environment, WorkerKind
    from drmbench.native import Clock
    from drmbench.runner import Outcome
    from drmbench.targets import Target

DEFAULT_SIZE_BYTES = 16 << 20
FLOOR = ("memfd",)


def _series(options: Options, target: Target, kind: str, access: Access, size_bytes: int) -> CrewSeries | SizeSeries:
    ground = Ground(target, kind, access, options.phases[0])
    if options.size_sweep:
        return SizeSeries(ground, options.size_sweep)
    counts: dict[WorkerKind, tuple[int, ...]] = {"threads": options.threads, "processes": options.processes}
    teams = [Team(layout, workers, count) for layout in options.layouts
             for workers, each in counts.items() for count in each]
    return CrewSeries(ground, size_bytes, teams, cpus_to_use())


def _results(
    series: CrewSeries | SizeSeries, clock: Clock, _environment: Environment,
) -> list[CrewCurve | SizeSweep]:
    access: Access = "read" if series.ground.access == "read" else "write"
    if isinstance(series, SizeSeries):
        return [*size_sweeps(series, access, clock)]
    return [*crew_curves(series, access, clock)]


def _remarks(
    series: CrewSeries | SizeSeries, found: list[CrewCurve | SizeSweep], _clock: Clock, _environment: Environment,
) -> Iterable[Caveat]:
    label = series.target.buffer_label(series.ground.kind)
    if isinstance(series, CrewSeries):
        for layout in series.left_out:
            yield caveats.layout_left_out(label, layout)
    for result in found:
        if isinstance(result, CrewCurve):
            yield from caveats.about_crews(label, result)
        else:
            yield from caveats.about_sizes(label, result)


def _on_all(environment: Environment, results: list[CrewCurve | SizeSweep]) -> Iterable[Caveat]:
    crews = [result for result in results if isinstance(result, CrewCurve)]
    if crews:
        yield from caveats.about_cpus(environment, crews)


def run_scale(options: Options, progress: Progress) -> Outcome:
    """Measure the curves; raises as Job.run()."""
    return Job(_series, _results, ScaleReport, _remarks, _on_all).run(options, progress)
