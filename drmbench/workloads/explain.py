# SPDX-License-Identifier: MIT
"""explain: gather the evidence of one mapping, with the other workloads and with probes of its own.

What follows from it is decided elsewhere (drmbench/oracle), by counts and flags alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.errors import DrmbenchError
from drmbench.helper_modules import linked_helpers
from drmbench.vma import vma_info
from drmbench.workloads.fault import FaultParameters, FaultSeries
from drmbench.workloads.order import page_order
from drmbench.workloads.passes import count_pass, native_access, sum_pass
from drmbench.workloads.populate import STRATEGIES, PopulateParameters, PopulateSeries
from drmbench.workloads.probes import after_close, forked_child, huge_pages, pmd_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.drivers.protocol import Backend
    from drmbench.model import Access, AfterClose, ForkedChild, HelperModules, HugeProbe, Phase, VmaInfo
    from drmbench.native import Stage
    from drmbench.targets import Target

T = TypeVar("T")

_PASSES: tuple[tuple[Access, tuple[Phase, ...]], ...] = (
    ("write", ("cold", "warm")), ("read", ("cold",)), ("read-then-write", ("cold",)),
)


@dataclass(frozen=True, slots=True)
class PaymentRun:
    """One mapping: its mmap(), the touch of its first page, and those of the others."""

    mmap: Stage
    first_touch: Stage
    other_touches: Stage


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found out once, untimed; None with a reason in `problems` where it could not be."""

    offset_bytes: int | None
    vma: VmaInfo
    descending_faults: int
    child: ForkedChild | None
    after_close: AfterClose | None
    huge: HugeProbe | None
    helpers: HelperModules | None
    problems: dict[str, str]


@dataclass(slots=True)
class ExplainSeries:
    """The evidence of one (target, buffer kind). `prepare()` once, then `sample()` as often as wanted."""

    target: Target
    kind: str
    size_bytes: int
    payments: list[list[PaymentRun]] = field(default_factory=list)
    touches: list[FaultSeries] = field(init=False)
    populate: PopulateSeries = field(init=False)
    probed: Probed = field(init=False)

    def __post_init__(self) -> None:
        self.touches = [
            FaultSeries(self.target, self.kind, FaultParameters(self.size_bytes, access, "sequential", phases, seed=1))
            for access, phases in _PASSES
        ]
        self.populate = PopulateSeries(self.target, self.kind, PopulateParameters(
            self.size_bytes, "write", "sequential", tuple(STRATEGIES), seed=1,
        ))

    @property
    def pages(self) -> int:
        """Pages of a buffer."""
        return self.size_bytes // PAGE_BYTES

    def prepare(self) -> None:
        """The counting passes and the probes. Raises DrmbenchError, TooLargeError where a smaller size may do."""
        for series in self.touches:
            series.prepare()
        self.populate.prepare()
        self.probed = self._probe()

    def sample(self) -> None:
        """One timed run of everything. Raises DrmbenchError."""
        for series in self.touches:
            series.sample()
        self.populate.sample()
        self.payments.append(self._pay())

    def _buffer(self, backend: Backend) -> Buffer:
        return Buffer(self.target.buffer_label(self.kind), backend, self.kind, self.size_bytes)

    def _pay(self) -> list[PaymentRun]:
        """The first mapping of a fresh buffer and, where there can be one, a second."""
        order = page_order("sequential", self.pages, 0)
        paid: list[PaymentRun] = []
        with self.target.open() as backend, self._buffer(backend) as buffer:
            access = native_access(backend, "write")
            for _mapping in range(2 if backend.mappable_again else 1):
                place, _stage = buffer.locate()
                with buffer.map(place, backend.prot) as mapping:
                    first = sum_pass(mapping, order[:1], access)
                    paid.append(PaymentRun(mapping.mapped, first, sum_pass(mapping, order[1:], access)))
        return paid

    def _probe(self) -> Probed:
        problems: dict[str, str] = {}

        def asked(name: str, question: Callable[[], T]) -> T | None:
            try:
                return question()
            except DrmbenchError as error:
                problems[name] = error.story
                return None

        who = self.target.buffer_label(self.kind)
        with self.target.open() as backend, self._buffer(backend) as buffer:
            place, _stage = buffer.locate()
            descending = page_order("reverse", self.pages, 0)
            with buffer.map(place, backend.prot) as mapping:
                faults = count_pass(mapping, descending, native_access(backend, "write"))
                vma = vma_info(mapping.address)
                if vma is None:
                    raise DrmbenchError(who, "smaps", reason="the kernel does not show the mapping")
                child = asked("child", lambda: forked_child(mapping, backend))
        drm = self.target.kind == "drm" and self.target.node is not None
        return Probed(
            offset_bytes=None if place.map_here is not None or place.fd < 0 else place.offset,
            vma=vma,
            descending_faults=int(faults.sum(dtype=np.int64)),
            child=child,
            after_close=asked("after_close", lambda: after_close(self.target, self.kind, self.size_bytes)),
            huge=asked("huge", lambda: huge_pages(self.target, self.kind, pmd_bytes())),
            helpers=linked_helpers(self.target.node or "", self.target.driver) if drm else None,
            problems=problems,
        )
