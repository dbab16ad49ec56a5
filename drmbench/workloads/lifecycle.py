# SPDX-License-Identifier: MIT
"""lifecycle: what each call of a buffer's life takes, by size, and by how many other buffers are alive and mapped."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drmbench.buffer import TOO_LARGE, Buffer
from drmbench.errors import DrmbenchError, errno_name
from drmbench.units import format_bytes
from drmbench.vma import vma_count
from drmbench.workloads.held_signals import held_signals
from drmbench.workloads.live_buffers import LiveBuffers, opened
from drmbench.workloads.live_limits import room_for_descriptors, tightest_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.native import Stage
    from drmbench.targets import Target
    from drmbench.workloads.live_buffers import Sharing

_SPARE_SHARE = 20  # of a full device's buffers one in so many is given back, so that there is room for one more


@dataclass(frozen=True, slots=True)
class LifecycleParameters:
    """One series; `live` counts are never reduced where they are `fixed`."""

    sizes: tuple[int, ...]
    live: tuple[int, ...]
    cycles: int
    fixed: bool


@dataclass(frozen=True, slots=True)
class Level:
    """So many buffers alive, of so many bytes each."""

    size_bytes: int
    live: int


@dataclass(slots=True)
class LevelRuns:
    """What all finished runs at one level saw: ns of each call, run by run, and faults of all calls, by operation."""

    runs: int = 0
    vmas: int = 0
    ns: dict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    faults: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, cycles: list[dict[str, Stage]], vmas: int) -> None:
        """Take in one finished run."""
        self.runs += 1
        self.vmas = vmas
        for stages in cycles:
            for operation, stage in stages.items():
                self.ns[operation].append(stage.ns)
                self.faults[operation] += stage.faults

    def medians_ns(self) -> Iterator[list[float]]:
        """The median of each operation's calls, run by run."""
        for calls in self.ns.values():
            yield np.median(np.asarray(calls).reshape(self.runs, -1), axis=1).tolist()


@dataclass(frozen=True, slots=True)
class Reduced:
    """A default count of live buffers that did not fit."""

    size_bytes: int
    wanted: int
    used: int
    reason: str
    remedy: str


@dataclass(slots=True)
class LifecycleSeries:
    """The runs of one (target, buffer kind). `prepare()` once, then `sample()` as often as wanted."""

    target: Target
    kind: str
    parameters: LifecycleParameters
    levels: dict[Level, LevelRuns] = field(default_factory=dict)
    plan: dict[int, list[int]] = field(default_factory=dict)
    reduced: list[Reduced] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    _descriptors: int = 0

    @property
    def who(self) -> str:
        """The target with its buffer kind."""
        return self.target.buffer_label(self.kind)

    def prepare(self) -> None:
        """One life of each size, untimed, and the limits of this process. Raises DrmbenchError."""
        with opened(self.target, self.kind) as (backend, sharing):
            for size_bytes in self.parameters.sizes:
                self._try_out(LiveBuffers(self.target, self.kind, size_bytes, backend), sharing)
            with held_signals(), Buffer(self.who, backend, self.kind, self.parameters.sizes[0]) as buffer:
                place, _stage = buffer.locate()
                # A memfd and a dma-buf of a heap are descriptors, as is each PRIME export that is mapped.
                own = sharing is None and place.fd >= 0 and place.fd == buffer.handle
                self._descriptors = int(place.owned or own)
        for size_bytes in self.parameters.sizes:
            self.plan[size_bytes] = self._fitting(size_bytes)

    def _try_out(self, live: LiveBuffers, sharing: Sharing | None) -> None:
        with held_signals(), live.buffer() as buffer:
            if sharing is not None and "export" not in self.problems:
                try:
                    sharing.share(buffer.handle)
                except OSError as error:
                    name = errno_name(error.errno or 0)
                    self.problems["export"] = self.problems["import"] = f"PRIME between two open files: {name}"
        live.live_once(self._shared(sharing))

    def _shared(self, sharing: Sharing | None) -> Sharing | None:
        return None if "export" in self.problems else sharing

    def _fitting(self, size_bytes: int) -> list[int]:
        limit = tightest_limit(size_bytes, descriptors=self._descriptors, fixed=self.parameters.fixed)
        fits: list[int] = []
        for live in self.parameters.live:
            if live > limit.most and self.parameters.fixed:
                raise DrmbenchError(self.who, f"--live {live} of {format_bytes(size_bytes)}", errno=limit.errno,
                                    reason=f"{limit.most} fit: {limit.reason}", remedy=limit.remedy)
            if live > limit.most:
                self._reduce(size_bytes, live, limit.most, f"{errno_name(limit.errno)}: {limit.reason}", limit.remedy)
            fits.append(min(live, limit.most))
        return sorted({live for live in fits if live > 0})

    def _reduce(self, size_bytes: int, wanted: int, used: int, reason: str, remedy: str) -> None:
        self.reduced.append(Reduced(size_bytes, wanted, used, reason, remedy))

    def sample(self) -> None:
        """Every size at every count of live buffers; it counts only if all of it succeeded. Raises DrmbenchError."""
        measured: dict[Level, tuple[list[dict[str, Stage]], int]] = {}
        most = max((live for plan in self.plan.values() for live in plan), default=0)
        with room_for_descriptors(most * self._descriptors), opened(self.target, self.kind) as (backend, sharing):
            for size_bytes in self.parameters.sizes:
                with LiveBuffers(self.target, self.kind, size_bytes, backend) as live:
                    self._climb(live, size_bytes, self._shared(sharing), measured)
        for level, (cycles, vmas) in measured.items():
            self.levels.setdefault(level, LevelRuns()).add(cycles, vmas)

    def forget(self) -> None:
        """Discard the runs so far."""
        self.levels.clear()

    def decisive_ns(self) -> list[list[float]]:
        """The median call of each operation at each level, run by run."""
        return [medians for level in self.levels.values() for medians in level.medians_ns()]

    def _climb(
        self, live: LiveBuffers, size_bytes: int, sharing: Sharing | None,
        measured: dict[Level, tuple[list[dict[str, Stage]], int]],
    ) -> None:
        """The counts of one size, in ascending order; a default count that the device refuses ends the climb."""
        for wanted in tuple(self.plan[size_bytes]):
            reached = self._grow(live, size_bytes, wanted)
            if reached:
                cycles = [live.live_once(sharing) for _ in range(self.parameters.cycles)]
                measured[Level(size_bytes, reached)] = cycles, vma_count()
            if reached != wanted:
                return

    def _grow(self, live: LiveBuffers, size_bytes: int, wanted: int) -> int:
        """Make them all but one; how many there are with that one, 0 where that was measured already."""
        try:
            live.grow(wanted - 1)
        except DrmbenchError as error:
            if self.parameters.fixed or error.errno not in TOO_LARGE:
                raise
            live.shrink(len(live) - max(1, len(live) // _SPARE_SHARE))
            used = len(live) + 1
            lower = [count for count in self.plan[size_bytes] if count < wanted]
            used = used if used > max(lower, default=0) else 0
            self.plan[size_bytes] = [*lower, *([used] if used else [])]
            self._reduce(size_bytes, wanted, used or max(lower, default=0), error.story, error.remedy)
            return used
        return wanted
