# SPDX-License-Identifier: MIT
"""bandwidth: bytes a second through a mapping whose pages are all present, by operation and way of access.

A series first proves, untimed, that each sweep moves every byte; then each run maps a fresh buffer, touches all
its pages, and times one pass of each kind in random order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.errors import DrmbenchError
from drmbench.native import Stage
from drmbench.sweep import stream, sweep, ways
from drmbench.vma import vm_flags
from drmbench.workloads.order import page_order
from drmbench.workloads.outside import stream_array_bytes
from drmbench.workloads.passes import native_access, sum_pass
from drmbench.workloads.sweep_check import CheckedMapping, ContentError

if TYPE_CHECKING:
    from drmbench.buffer import Mapping
    from drmbench.drivers.protocol import Backend
    from drmbench.model import SweepAccess, SweepName
    from drmbench.targets import Target
    from drmbench.workloads.outside import Outside

_SLICE_BYTES = 8 << 20   # Ctrl-C is heard between two of them
_LEAST_BYTES = 4 << 20   # a pass over a small buffer sweeps it more than once
_LONGEST_PASS_S = 0.25   # slower memory than that is measured on its first part
_LEAST_SLOW_BYTES = 256 << 10

Way = tuple["SweepName", "SweepAccess"]


@dataclass(frozen=True, slots=True)
class BandwidthParameters:
    """One series: how much, which operations, and the seed of the order of the passes."""

    size_bytes: int
    operations: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of the mapping that a pass sweeps over, from its start, and how often."""

    size_bytes: int
    times: int


@dataclass(frozen=True, slots=True)
class StreamRun:
    """One run of STREAM's copy and triad."""

    copy: Stage
    triad: Stage
    wrong: int


@dataclass(slots=True)
class BandwidthSeries:
    """The runs of one (target, buffer kind). `prepare()` once, then `sample()` as often as wanted."""

    target: Target
    kind: str
    parameters: BandwidthParameters
    outside: Outside
    vm_flags: list[str] = field(default_factory=list)
    checked_bytes: int = 0
    extents: dict[Way, Extent] = field(default_factory=dict)
    passes: dict[Way, list[Stage]] = field(default_factory=lambda: defaultdict(list))
    streams: list[StreamRun] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    stores: bool = True
    _order: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._order = np.random.default_rng(self.parameters.seed)

    @property
    def runs(self) -> int:
        """Finished runs."""
        return min((len(stages) for stages in self.passes.values()), default=0)

    @property
    def array_bytes(self) -> int:
        """The size of each of STREAM's arrays."""
        return stream_array_bytes(self.parameters.size_bytes)

    def _buffer(self, backend: Backend) -> Buffer:
        return Buffer(self.target.buffer_label(self.kind), backend, self.kind, self.parameters.size_bytes)

    def prepare(self) -> None:
        """Prove each way of access. Raises DrmbenchError, TooLargeError where a smaller size may do."""
        with self.target.open() as backend, self._buffer(backend) as buffer:
            self.stores = not backend.stores_nothing
            place, _stage = buffer.locate()
            with buffer.map(place, backend.prot) as mapping:
                self._touch_all(mapping, backend)
                self.vm_flags = vm_flags(mapping.address)
                checked = CheckedMapping(mapping, self.outside.at_least(mapping.size_bytes), stores=self.stores)
                self.checked_bytes = checked.checked_bytes
                for number, way in enumerate(ways(self.parameters.operations, stores=self.stores)):
                    self._prove(checked, way, number + 1)
        if not self.extents:
            raise DrmbenchError(self.target.buffer_label(self.kind), "bandwidth",
                                reason=next(iter(self.problems.values()), "no such operation without stores"))

    def _prove(self, checked: CheckedMapping, way: Way, number: int) -> None:
        try:
            with checked.mapping.touching():
                stage = checked.prove(*way, number)
        except (ContentError, DrmbenchError) as error:
            self.problems[" ".join(way)] = error.story if isinstance(error, DrmbenchError) else str(error)
            return
        self.extents[way] = _extent(self.parameters.size_bytes, checked.checked_bytes / max(1, stage.ns))

    def _touch_all(self, mapping: Mapping, backend: Backend) -> None:
        pages = page_order("sequential", mapping.size_bytes // PAGE_BYTES, 0)
        sum_pass(mapping, pages, native_access(backend, "write" if self.stores else "read"))

    def sample(self) -> None:
        """One pass of each kind on a fresh buffer; it counts only if all of it succeeded. Raises DrmbenchError."""
        measured: dict[Way, Stage] = {}
        outside = self.outside.at_least(self.parameters.size_bytes)
        with self.target.open() as backend, self._buffer(backend) as buffer:
            place, _stage = buffer.locate()
            with buffer.map(place, backend.prot) as mapping:
                self._touch_all(mapping, backend)
                shuffled = list(self.extents)
                self._order.shuffle(shuffled)
                for operation, access in shuffled:
                    way: Way = (operation, access)
                    measured[way] = self._pass(mapping, outside, way)
        if self.target.driver == "anon":
            self.streams.append(self._stream())
        for way, stage in measured.items():
            self.passes[way].append(stage)

    def forget(self) -> None:
        """Discard the runs so far."""
        self.passes.clear()
        self.streams.clear()

    def decisive_ns(self) -> list[list[float]]:
        """The time of each kind of pass, run by run."""
        return [[float(stage.ns) for stage in stages] for stages in self.passes.values()]

    def _pass(self, mapping: Mapping, outside: int, way: Way) -> Stage:
        operation, access = way
        extent, total = self.extents[way], Stage()
        for start in range(0, extent.size_bytes, _SLICE_BYTES):
            size_bytes = min(_SLICE_BYTES, extent.size_bytes - start)
            if operation == "copy-to":  # read ahead: what the source costs is the same for each way of access
                sweep("read", "scalar", outside + start, size_bytes)
            with mapping.touching():
                _sum, stage = sweep(operation, access, mapping.address + start, size_bytes,
                                    outside=outside + start, value=start // 8, times=extent.times)
            total += stage
        return total

    def _stream(self) -> StreamRun:
        size_bytes = self.array_bytes
        first = self.outside.at_least(3 * size_bytes)
        return StreamRun(*stream(first, first + size_bytes, first + 2 * size_bytes, size_bytes))


def _extent(size_bytes: int, bytes_per_ns: float) -> Extent:
    """What a pass sweeps over: all, several times where it is small, or a first part where the memory is slow."""
    most = int(bytes_per_ns * _LONGEST_PASS_S * 1e9) // PAGE_BYTES * PAGE_BYTES
    if size_bytes > most:
        return Extent(min(size_bytes, max(most, _LEAST_SLOW_BYTES)), 1)
    return Extent(size_bytes, max(1, min(_LEAST_BYTES, most) // size_bytes))
