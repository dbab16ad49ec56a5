# SPDX-License-Identifier: MIT
"""Finished series -> results of the report: rates and efficiency against one worker."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from drmbench.buffer import PAGE_BYTES
from drmbench.model import CrewCurve, CrewPoint
from drmbench.native import bucket_lower_ticks
from drmbench.results import clock_info, target_info
from drmbench.scale.expected import expected_faults
from drmbench.scale.layouts import ARRANGEMENTS
from drmbench.stats import TickScale, distribution, median_int

if TYPE_CHECKING:
    from drmbench.model import Access
    from drmbench.native import Clock
    from drmbench.scale.workers import CrewSeries, Team, TeamRuns


def crew_curves(series: CrewSeries, access: Access, clock: Clock) -> list[CrewCurve]:
    """One result for each layout and kind of worker that has finished runs."""
    finished = {team: runs for team, runs in series.teams.items() if runs.runs}
    curves: list[CrewCurve] = []
    for layout, kind in dict.fromkeys((team.layout, team.kind) for team in finished):
        chosen = sorted(((team, runs) for team, runs in finished.items() if (team.layout, team.kind) == (layout, kind)),
                        key=lambda pair: pair[0].workers)
        reference = statistics.median(_rates(chosen[0][1])) if chosen[0][0].workers == 1 else None
        curves.append(CrewCurve(
            target=target_info(series.target, series.ground.kind),
            size_bytes=series.pages * PAGE_BYTES,
            pages=series.pages,
            access=access,
            phase=series.ground.phase,
            layout=layout,
            worker_kind=kind,
            runs=len(chosen[0][1].runs),
            clock=clock_info(clock),
            points=[_point(series, team, runs, reference, clock) for team, runs in chosen],
        ))
    return curves


def _rates(runs: TeamRuns) -> list[float]:
    """Faults per second, run by run."""
    return [1e9 * sum(run.faults) / max(1, run.wall_ns) for run in runs.runs]


def _point(series: CrewSeries, team: Team, runs: TeamRuns, reference: float | None, clock: Clock) -> CrewPoint:
    scale = TickScale(bucket_lower_ticks(), clock.ns_per_tick, clock.overhead_ns)
    rates = _rates(runs)
    rate = statistics.median(rates)
    # Those of one run, the one with the median count, so that they add up.
    typical = sorted(runs.runs, key=lambda run: sum(run.faults))[(len(runs.runs) - 1) // 2]
    wall_ns = median_int([run.wall_ns for run in runs.runs])
    touches = series.pages * (team.workers if ARRANGEMENTS[team.layout].all_pages else 1)
    least, most = expected_faults(series.alone, team.layout, team.kind, team.workers)
    return CrewPoint(
        workers=team.workers,
        oversubscribed=team.workers > len(series.cpus),
        cpus=series.cpus_of(min(team.workers, len(series.cpus))),
        touches=touches,
        faults=sum(typical.faults),
        expected_min=least,
        expected_max=most,
        faults_per_worker=typical.faults,
        wall_ns=wall_ns,
        faults_per_s=round(rate, 1),
        touches_per_s=round(1e9 * touches / max(1, wall_ns), 1),
        efficiency=round(rate / (team.workers * reference), 4) if reference else None,
        fault_ns=distribution(runs.faulted.buckets, runs.faulted.extremes_ticks, scale),
        hit_ns=distribution(runs.hit.buckets, runs.hit.extremes_ticks, scale),
        faults_per_s_runs=[round(each, 1) for each in rates],
    )
