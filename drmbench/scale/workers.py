# SPDX-License-Identifier: MIT
"""The runs of crews of every size on one target: one pass for the rate of all, another one for single touches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.errors import DrmbenchError
from drmbench.native import HISTOGRAM_BUCKETS
from drmbench.scale.ascending import ascending_spans
from drmbench.scale.crew import Crew, Latencies, Task, Worked, WorkerError
from drmbench.scale.expected import Alone
from drmbench.scale.layouts import ARRANGEMENTS, Ground, laid_out
from drmbench.stats import prefault_window_pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drmbench.model import Layout, WorkerKind
    from drmbench.scale.crew import Pass
    from drmbench.targets import Target


@dataclass(frozen=True, slots=True)
class Team:
    """So many workers of a kind in a layout."""

    layout: Layout
    kind: WorkerKind
    workers: int


@dataclass(frozen=True, slots=True)
class CrewRun:
    """One finished run of one team: when the last touch was done, counted from the first one, and whose faults."""

    wall_ns: int
    faults: list[int]


@dataclass(slots=True)
class Touches:
    """Single touches of all runs: bucket counts, shape (HISTOGRAM_BUCKETS,), and extremes in ticks."""

    buckets: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(HISTOGRAM_BUCKETS, np.uint64))
    extremes_ticks: tuple[int, int] = (2**63, 0)

    def add(self, found: Latencies) -> None:
        """Take in those of one worker."""
        self.buckets += found.buckets
        if found.buckets.any():
            least, most = found.extremes_ticks
            self.extremes_ticks = min(self.extremes_ticks[0], least), max(self.extremes_ticks[1], most)


@dataclass(slots=True)
class TeamRuns:
    """All finished runs of one team."""

    runs: list[CrewRun] = field(default_factory=list)
    faulted: Touches = field(default_factory=Touches)
    hit: Touches = field(default_factory=Touches)


class CrewSeries:
    """The runs of one (target, buffer kind, access) in all its teams. prepare() once, then sample()."""

    def __init__(self, ground: Ground, size_bytes: int, teams: Sequence[Team], cpus: Sequence[int]) -> None:
        self.ground = ground
        self.target: Target = ground.target
        self.pages = size_bytes // PAGE_BYTES
        self.cpus = cpus
        self.teams: dict[Team, TeamRuns] = {team: TeamRuns() for team in teams}
        self.left_out: list[Layout] = []
        self.alone = Alone(self.pages, 0, None)
        self._rounds = 0

    def cpus_of(self, workers: int) -> list[int]:
        """The CPU of each worker; where there are more workers than CPUs, some share one."""
        return [self.cpus[number % len(self.cpus)] for number in range(workers)]

    def prepare(self) -> None:
        """Count the faults of one pass. Raises DrmbenchError, TooLargeError where a smaller size may do."""
        most = max(team.workers for team in self.teams)
        who = self.target.buffer_label(self.ground.kind)
        if most > self.pages:
            raise DrmbenchError(who, "scale", reason=f"{self.pages} pages are too few for {most} workers",
                                remedy="a larger --size")
        with self.target.open() as backend:
            again = backend.mappable_again
            if self.ground.phase == "warm" and not again:
                raise DrmbenchError(who, "--phase warm", reason="the buffer is its mapping, so that it cannot be "
                                    "mapped again")
            with Buffer(who, backend, self.ground.kind, self.pages * PAGE_BYTES) as buffer:
                place, _stage = buffer.locate()
                with buffer.map(place, backend.prot) as mapping, mapping.touching():
                    spans = ascending_spans(mapping, self.ground.native_access(backend))
                    counted = [span.count_faults() for span in spans]
        self.alone = Alone(self.pages, sum(int(faults.sum(dtype=np.int64)) for faults in counted),
                           prefault_window_pages(counted[0]))
        if not again:
            self._leave_out()

    def _leave_out(self) -> None:
        """Layouts that map one buffer several times."""
        for team in list(self.teams):
            arrangement = ARRANGEMENTS[team.layout]
            if arrangement.own_mapping and not arrangement.own_buffer:
                del self.teams[team]
                if team.layout not in self.left_out:
                    self.left_out.append(team.layout)
        if not self.teams:
            raise DrmbenchError(self.target.label, f"--layout {', '.join(self.left_out)}",
                                reason="the buffer is its mapping, so that it cannot be mapped again")

    def sample(self) -> None:
        """One run of each team, starting one further each time; it counts only if all ended. Raises DrmbenchError."""
        teams = list(self.teams)
        first = self._rounds % len(teams)
        done = [(team, self._run(team, "whole"), self._run(team, "single")) for team in teams[first:] + teams[:first]]
        self._rounds += 1
        for team, whole, single in done:
            runs = self.teams[team]
            wall_ns = max(worked.end_ns for worked in whole) - min(worked.begin_ns for worked in whole)
            runs.runs.append(CrewRun(wall_ns, [worked.stage.faults for worked in whole]))
            for worked in single:
                runs.faulted.add(worked.faulted)
                runs.hit.add(worked.hit)

    def forget(self) -> None:
        """Discard the runs so far."""
        self.teams = {team: TeamRuns() for team in self.teams}

    def decisive_ns(self) -> list[list[float]]:
        """From first to last touch of each team, run by run."""
        return [[float(run.wall_ns) for run in runs.runs] for runs in self.teams.values()]

    def _run(self, team: Team, pass_: Pass) -> list[Worked]:
        who = self.target.buffer_label(self.ground.kind)
        what = f"{team.layout}, {team.workers} {team.kind}"
        with laid_out(self.ground, team.layout, team.workers, self.pages) as (places, access):
            tasks = [
                Task(place.mapping.address, place.first_page, place.pages, access, cpu)
                for place, cpu in zip(places, self.cpus_of(team.workers), strict=True)
            ]
            try:
                with Crew(team.kind, pass_, tasks) as crew:
                    crew.start()
                    return crew.wait()
            except WorkerError as failed:
                raise DrmbenchError(who, f"{what}: worker {failed.number}", errno=failed.errno, reason=failed.reason,
                                    remedy="try fewer workers or a smaller --size") from None
            except OSError as error:
                raise DrmbenchError(who, what, errno=error.errno, reason=error.strerror,
                                    remedy="try fewer workers") from None
