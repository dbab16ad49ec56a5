# SPDX-License-Identifier: MIT
"""The same life of a buffer at one size after the other; what a size needs is gone before the next one."""

from __future__ import annotations

import errno
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drmbench import straight_line
from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.errors import DrmbenchError, errno_name
from drmbench.measurement import check_memory
from drmbench.model import STAGES, PerStage, SizePoint, SizeSweep
from drmbench.native import Stage
from drmbench.results import clock_info, target_info
from drmbench.scale.ascending import sum_ascending
from drmbench.stats import median_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.model import Access
    from drmbench.native import Clock
    from drmbench.scale.layouts import Ground
    from drmbench.targets import Target

_LEAST_TOUCHES = 512
_MOST_REPEATS = 64

Life = dict[str, Stage]
"""One buffer: a Stage for each of STAGES."""


def _total_ns(life: Life) -> int:
    return sum(stage.ns for stage in life.values())


@dataclass(slots=True)
class SizeRuns:
    """What was measured of one size: the lives of each run, or why there are none."""

    size_bytes: int
    runs: list[list[Life]] = field(default_factory=list)
    refusal: DrmbenchError | None = None

    @property
    def pages(self) -> int:
        """Its pages."""
        return self.size_bytes // PAGE_BYTES

    @property
    def repeats(self) -> int:
        """Buffers in a run: small ones several times, since one touch says little."""
        return min(_MOST_REPEATS, max(1, _LEAST_TOUCHES // self.pages))

    def totals_ns(self) -> list[float]:
        """All stages of a buffer, the median of each run."""
        return [statistics.median(map(_total_ns, lives)) for lives in self.runs]


class SizeSeries:
    """The runs of one (target, buffer kind, access) at all sizes. prepare() once, then sample()."""

    def __init__(self, ground: Ground, sizes_bytes: Sequence[int]) -> None:
        self.ground = ground
        self.target: Target = ground.target
        self.sizes = [SizeRuns(size_bytes) for size_bytes in sizes_bytes]

    def prepare(self) -> None:
        """The smallest size once, untimed. Raises DrmbenchError."""
        self._life(self.sizes[0].size_bytes)

    def sample(self) -> None:
        """One run of each size that fits. A refusal is kept and that size is not tried again."""
        for size in self.sizes:
            if size.refusal is not None:
                continue
            try:
                check_memory(self.target, size.size_bytes)
                size.runs.append([self._life(size.size_bytes) for _ in range(size.repeats)])
            except DrmbenchError as refusal:
                size.refusal = refusal

    def forget(self) -> None:
        """Discard the runs so far; what was refused stays refused."""
        for size in self.sizes:
            size.runs.clear()

    def decisive_ns(self) -> list[list[float]]:
        """All stages of a buffer of each size, run by run."""
        return [size.totals_ns() for size in self.sizes]

    def _life(self, size_bytes: int) -> Life:
        who = self.target.buffer_label(self.ground.kind)
        stages = dict.fromkeys(STAGES, Stage())
        with self.target.open() as backend, Buffer(who, backend, self.ground.kind, size_bytes) as buffer:
            access = self.ground.native_access(backend)
            if self.ground.phase == "warm":
                place, _stage = buffer.locate()
                with buffer.map(place, backend.prot) as mapping:
                    sum_ascending(mapping, access)
            place, stages["map_offset"] = buffer.locate()
            with buffer.map(place, backend.prot) as mapping:
                stages["mmap"] = mapping.mapped
                stages["touch"] = sum_ascending(mapping, access)
                stages["munmap"] = mapping.unmap()
            stages["create"], stages["destroy"] = buffer.created, buffer.destroy()
        return stages


def size_sweeps(series: SizeSeries, access: Access, clock: Clock) -> list[SizeSweep]:
    """One result, where at least one size has a finished run."""
    fit = [size for size in series.sizes if size.refusal is None and size.runs]
    if not fit:
        return []
    pages = [float(size.pages) for size in fit]
    totals = [size.totals_ns() for size in fit]
    at = straight_line.knee(pages, totals)
    line = straight_line.fitted(pages[:at], [statistics.median(each) for each in totals[:at]])
    points = {size.size_bytes: _point(size, straight_line.departure(
        pages[:min(index, at or index)], totals[:min(index, at or index)], pages[index], totals[index],
    )) for index, size in enumerate(fit)}
    return [SizeSweep(
        target=target_info(series.target, series.ground.kind),
        access=access,
        phase=series.ground.phase,
        runs=min(len(size.runs) for size in fit),
        clock=clock_info(clock),
        tolerance=straight_line.TOLERANCE,
        fixed_ns=None if line is None else round(line.fixed, 1),
        ns_per_page=None if line is None else round(line.slope, 2),
        knee_bytes=None if at is None else fit[at].size_bytes,
        sizes=[points.get(size.size_bytes) or _refused(size) for size in series.sizes],
    )]


def _refused(size: SizeRuns) -> SizePoint:
    refusal = size.refusal
    number = None if refusal is None else refusal.errno or errno.EIO
    return SizePoint(size.size_bytes, size.pages, None if number is None else errno_name(number),
                     "not reached" if refusal is None else refusal.story, 0, None, None, None, None, None)


def _point(size: SizeRuns, found: straight_line.Departure | None) -> SizePoint:
    lives = [life for run in size.runs for life in run]
    faults = {name: median_int([life[name].faults for life in lives]) for name in STAGES}
    times = {name: median_int([life[name].ns for life in lives]) for name in STAGES}
    totals = size.totals_ns()
    return SizePoint(
        size_bytes=size.size_bytes,
        pages=size.pages,
        errno=None,
        reason="",
        repeats=size.repeats,
        faults_per_page=faults["touch"] / size.pages,
        touch_ns_per_page=round(times["touch"] / size.pages, 2),
        total_ns_per_page=round(statistics.median(totals) / size.pages, 2),
        stages_ns=PerStage(**times),
        faults=PerStage(**faults),
        total_ns_runs=[round(total, 1) for total in totals],
        ratio_to_line=None if found is None else round(found.ratio, 4),
        ratio_min=None if found is None else round(found.least, 4),
        ratio_max=None if found is None else round(found.most, 4),
    )
