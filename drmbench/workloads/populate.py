# SPDX-License-Identifier: MIT
"""compare-populate: which way of asking for pages in advance moved the faults, and at what price."""

from __future__ import annotations

import errno
import mmap
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drmbench import native
from drmbench.buffer import PAGE_BYTES, Buffer, Mapping
from drmbench.vma import vm_flags
from drmbench.workloads.order import page_order
from drmbench.workloads.passes import PASSES, native_access, sum_pass

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from drmbench.drivers.protocol import Backend
    from drmbench.model import Access
    from drmbench.targets import Target

MADV_POPULATE_READ = 22  # include/uapi/asm-generic/mman-common.h, since 5.14
MADV_POPULATE_WRITE = 23


@dataclass(frozen=True, slots=True)
class Strategy:
    """How to populate: flags for mmap(), and a step after it (a Stage, or OSError where refused)."""

    mmap_flags: int = 0
    call: str = ""
    step: Callable[[Mapping], native.Stage] | None = None
    touches: bool = False


STRATEGIES: dict[str, Strategy] = {
    "lazy": Strategy(),
    "map-populate": Strategy(mmap_flags=mmap.MAP_POPULATE, call="mmap(MAP_POPULATE)"),
    "madv-populate-read": Strategy(
        call="madvise(MADV_POPULATE_READ)",
        step=lambda m: native.timed_madvise(m.address, m.size_bytes, MADV_POPULATE_READ),
    ),
    "madv-populate-write": Strategy(
        call="madvise(MADV_POPULATE_WRITE)",
        step=lambda m: native.timed_madvise(m.address, m.size_bytes, MADV_POPULATE_WRITE),
    ),
    "mlock": Strategy(call="mlock()", step=lambda m: native.timed_mlock(m.address, m.size_bytes)),
    "touch": Strategy(call="a touch loop", touches=True),
}
"""Name -> strategy; lazy is the reference and must stay first."""


@dataclass(frozen=True, slots=True)
class PopulateParameters:
    """One series: how much, how, in which order, with which strategies (lazy among them)."""

    size_bytes: int
    access: Access
    order: str
    strategies: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class PopulateRun:
    """One finished run of one strategy; `errno` is that of the populate step, None where it succeeded."""

    mmap: native.Stage
    populate: native.Stage
    touch: native.Stage
    errno: int | None

    @property
    def total_ns(self) -> int:
        """mmap, populate step and touch pass together."""
        return self.mmap.ns + self.populate.ns + self.touch.ns


@dataclass(slots=True)
class PopulateSeries:
    """The runs of one (target, buffer kind, access). `prepare()` once, then `sample()` as often as wanted."""

    target: Target
    kind: str
    parameters: PopulateParameters
    vm_flags: list[str] = field(default_factory=list)
    runs: list[dict[str, PopulateRun]] = field(default_factory=list)
    _order: NDArray[np.uint32] = field(init=False, repr=False)
    _turns: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pages = self.parameters.size_bytes // PAGE_BYTES
        self._order = page_order(self.parameters.order, pages, self.parameters.seed)
        self._turns = random.Random(self.parameters.seed)  # noqa: S311 (no secret)

    def prepare(self) -> None:
        """Map and touch once, untimed. Raises DrmbenchError, TooLargeError where a smaller size may do."""
        with self.target.open() as backend, self._buffer(backend) as buffer:
            place, _stage = buffer.locate()
            with buffer.map(place, backend.prot) as mapping:
                self._touch(backend, mapping)
                self.vm_flags = vm_flags(mapping.address)

    def sample(self) -> None:
        """One run of every strategy in random order, each on a fresh buffer.

        It counts only if all of them ended. Raises DrmbenchError.
        """
        names = self.parameters.strategies
        done: dict[str, PopulateRun] = {}
        with self.target.open() as backend:
            for name in self._turns.sample(names, len(names)):
                done[name] = self._run(backend, STRATEGIES[name])
        self.runs.append(done)

    def forget(self) -> None:
        """Discard the runs so far."""
        self.runs.clear()

    def decisive_ns(self) -> list[list[float]]:
        """The total of each strategy, run by run."""
        return [[run[name].total_ns for run in self.runs] for name in self.parameters.strategies]

    def _buffer(self, backend: Backend) -> Buffer:
        return Buffer(self.target.buffer_label(self.kind), backend, self.kind, self.parameters.size_bytes)

    def _touch(self, backend: Backend, mapping: Mapping) -> native.Stage:
        accesses = [native_access(backend, access) for access in PASSES[self.parameters.access]]
        return sum((sum_pass(mapping, self._order, access) for access in accesses), native.Stage())

    def _run(self, backend: Backend, strategy: Strategy) -> PopulateRun:
        with self._buffer(backend) as buffer:
            place, _stage = buffer.locate()
            # An ioctl that maps by itself has no place for mmap() flags.
            refusal = errno.EOPNOTSUPP if strategy.mmap_flags and place.map_here is not None else None
            with buffer.map(place, backend.prot, flags=strategy.mmap_flags) as mapping:
                populated = native.Stage()
                if strategy.touches:
                    populated = self._touch(backend, mapping)
                elif strategy.step is not None:
                    try:
                        populated = strategy.step(mapping)
                    except OSError as error:
                        refusal = error.errno
                return PopulateRun(mapping.mapped, populated, self._touch(backend, mapping), refusal)
