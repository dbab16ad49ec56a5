# SPDX-License-Identifier: MIT
"""fault-latency: what the first touches of a fresh mapping cost, stage by stage.

A series first counts, untimed, which touches fault; then each run times every touch alone on a fresh
buffer: first mapping (cold), then a second mapping of the same buffer (warm).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drmbench import native
from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.model import STAGES, Access, Phase
from drmbench.page_latency import PageSeries
from drmbench.stats import percentile_ticks, prefault_window_pages
from drmbench.vma import vm_flags
from drmbench.workloads.order import page_order
from drmbench.workloads.passes import PASSES, Sink, count_pass, native_access, timed_pass
from drmbench.workloads.probes import private_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from drmbench.drivers.protocol import Backend
    from drmbench.targets import Target


@dataclass(frozen=True, slots=True)
class FaultParameters:
    """One series: how much, how, in which order."""

    size_bytes: int
    access: Access
    order: str
    phases: tuple[Phase, ...]
    seed: int


@dataclass(slots=True)
class Expected:
    """What the counting pass saw of one phase; a list has one entry a pass, with the faults in the order of touches."""

    address: int
    vm_flags: list[str]
    faults: list[NDArray[np.uint8]]
    private_mapping: str | None
    windows: list[int | None] = field(default_factory=list)


PER_RUN = {"p50": 0.5, "p99": 0.99}
"""The percentiles that are kept of each run."""


@dataclass(slots=True)
class PhaseRun:
    """One finished run of one phase: a Stage for each of STAGES, and one Stage for each touch pass.

    `fault_ticks` and `hit_ticks`: the percentiles PER_RUN of its touches, None where there were none.
    """

    stages: dict[str, native.Stage]
    passes: list[native.Stage]
    fault_ticks: list[float] | None = None
    hit_ticks: list[float] | None = None


@dataclass(slots=True)
class PhaseSeries:
    """All finished runs of one phase, and their latencies added up, shape (buckets,)."""

    expected: Expected
    runs: list[PhaseRun] = field(default_factory=list)
    faulted: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(native.HISTOGRAM_BUCKETS, np.uint64))
    hit: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(native.HISTOGRAM_BUCKETS, np.uint64))
    by_page: dict[int, PageSeries] = field(default_factory=dict)
    faulted_extremes: tuple[int, int] = (2**63, 0)
    hit_extremes: tuple[int, int] = (2**63, 0)

    def add(self, run: PhaseRun, sink: Sink) -> None:
        """Take in one finished run."""
        self.runs.append(run)
        faulted, hit = sink.faulted.bucket_counts(), sink.hit.bucket_counts()
        run.fault_ticks, run.hit_ticks = _percentiles(faulted, sink.faulted), _percentiles(hit, sink.hit)
        self.faulted += faulted
        self.hit += hit
        self.faulted_extremes = _widened(self.faulted_extremes, sink.faulted)
        self.hit_extremes = _widened(self.hit_extremes, sink.hit)
        for index, run_by_page in enumerate(sink.by_page):
            self.by_page.setdefault(index, PageSeries()).add(run_by_page)


def _percentiles(counts: NDArray[np.uint64], histogram: native.Histogram) -> list[float] | None:
    if histogram.count == 0:
        return None
    return percentile_ticks(counts, histogram.extremes_ticks, native.bucket_lower_ticks(), tuple(PER_RUN.values()))


def _widened(extremes: tuple[int, int], histogram: native.Histogram) -> tuple[int, int]:
    if histogram.count == 0:
        return extremes
    least, most = histogram.extremes_ticks
    return min(extremes[0], least), max(extremes[1], most)


class FaultSeries:
    """The runs of one (target, buffer kind, access). `prepare()` once, then `sample()` as often as wanted."""

    def __init__(self, target: Target, kind: str, parameters: FaultParameters) -> None:
        self.target = target
        self.kind = kind
        self.parameters = parameters
        self.phases: dict[Phase, PhaseSeries] = {}
        self.order = page_order(parameters.order, parameters.size_bytes // PAGE_BYTES, parameters.seed)

    def _buffer(self, backend: Backend) -> Buffer:
        return Buffer(self.target.buffer_label(self.kind), backend, self.kind, self.parameters.size_bytes)

    def _accesses(self, backend: Backend) -> list[int]:
        return [native_access(backend, access) for access in PASSES[self.parameters.access]]

    def prepare(self) -> None:
        """The counting pass of each phase. Raises DrmbenchError, TooLargeError where a smaller size may do."""
        with self.target.open() as backend:
            self._expect(backend)
            if self.parameters.order == "sequential":
                for series in self.phases.values():
                    series.expected.windows = [prefault_window_pages(f) for f in series.expected.faults]
                return
            # The window is a property of ascending touches, whatever order is timed.
            ascending = page_order("sequential", self.order.size, 0)
            for phase, counted in self._count_phases(backend, ascending):
                self.phases[phase].expected.windows = [prefault_window_pages(f) for f in counted.faults]

    def _expect(self, backend: Backend) -> None:
        for phase, expected in self._count_phases(backend, self.order):
            self.phases[phase] = PhaseSeries(expected)

    def _count_phases(
        self, backend: Backend, order: NDArray[np.uint32],
    ) -> Iterator[tuple[Phase, Expected]]:
        with self._buffer(backend) as buffer:
            for phase in self._phases(backend):
                place, _stage = buffer.locate()
                with buffer.map(place, backend.prot) as mapping:
                    faults = [count_pass(mapping, order, access) for access in self._accesses(backend)]
                    address, flags = mapping.address, vm_flags(mapping.address)
                yield phase, Expected(address, flags, faults, private_mapping(buffer, place, backend.prot))

    def _phases(self, backend: Backend) -> tuple[Phase, ...]:
        """The mappings to make, one after the other: warm needs the cold one before it."""
        if "warm" in self.parameters.phases and backend.mappable_again:
            return ("cold", "warm")
        return ("cold",)

    def sample(self) -> None:
        """One run on a fresh buffer; it counts only if all of it succeeded. Raises DrmbenchError."""
        measured: list[tuple[Phase, PhaseRun, Sink]] = []
        with self.target.open() as backend, self._buffer(backend) as buffer:
            for phase in self._phases(backend):
                sink = Sink()
                measured.append((phase, self._run_phase(backend, buffer, phase, sink), sink))
            destroyed = buffer.destroy()
            for phase, run, sink in measured:
                run.stages["create"], run.stages["destroy"] = buffer.created, destroyed
                self.phases[phase].add(run, sink)

    def forget(self) -> None:
        """Discard the runs so far."""
        self.phases = {phase: PhaseSeries(series.expected) for phase, series in self.phases.items()}

    def decisive_ns(self) -> list[list[float]]:
        """The touch stage of each phase that was asked for, run by run."""
        return [[run.stages["touch"].ns for run in series.runs] for phase, series in self.phases.items()
                if phase in self.parameters.phases]

    def _run_phase(self, backend: Backend, buffer: Buffer, phase: Phase, sink: Sink) -> PhaseRun:
        stages = dict.fromkeys(STAGES, native.Stage())
        expected = self.phases[phase].expected
        place, stages["map_offset"] = buffer.locate()
        # The same address again, so that windows aligned to addresses fall where they were counted.
        with buffer.map(place, backend.prot, hint=expected.address) as mapping:
            stages["mmap"] = mapping.mapped
            passes = [
                timed_pass(mapping, self.order, access, faults, sink)
                for access, faults in zip(self._accesses(backend), expected.faults, strict=True)
            ]
            stages["touch"] = sum(passes, native.Stage())
            stages["munmap"] = mapping.unmap()
        return PhaseRun(stages, passes)
