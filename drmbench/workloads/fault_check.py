# SPDX-License-Identifier: MIT
"""trace --faults: the faults of a whole pass, counted by the touch loop and, on a fresh buffer, by the kernel.

The touch loop reads this thread's fault counters around each access, as fault-latency does. The kernel's side is
perf's software event page-faults, whose samples carry the address; where perf is refused, the tracepoint
exceptions:page_fault_user with the handle_mm_fault calls that follow it: two where the first one, under the VMA lock
(6.4 and later), only asks for the mmap lock.
"""

from __future__ import annotations

import contextlib
import errno
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.errors import DrmbenchError
from drmbench.model import FaultCheck
from drmbench.native import Span
from drmbench.workloads.order import page_order
from drmbench.workloads.passes import count_pass, native_access
from drmbench.workloads.window import Window, sample_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from drmbench.buffer import Mapping
    from drmbench.targets import Target
    from drmbench.trace.session import Session

How = Literal["perf", "tracepoint"]

_SLICE_TOUCHES = 2048  # some 300 KB of trace
_FEW = 16
_ADDRESS = re.compile(r"/\* page_fault_user: address=0x([0-9a-f]+) ")
_HANDLED = re.compile(r"\|  handle_mm_fault\(\)")


@dataclass(frozen=True, slots=True)
class Counted:
    """The kernel's count: faults by page, shape (pages,); outside of the mapping; and those that were not recorded."""

    how: How
    by_page: NDArray[np.uint8]
    inside: int
    outside: int
    lost: int = 0


@dataclass(frozen=True, slots=True)
class CheckedBuffer:
    """What is counted: a fresh buffer of `size_bytes`, all of whose pages are touched once, in order."""

    target: Target
    kind: str
    size_bytes: int
    access: Literal["write", "read"]

    def _order(self) -> NDArray[np.uint32]:
        return page_order("sequential", self.size_bytes // PAGE_BYTES, 0)

    def check(self, tracing: Callable[[], AbstractContextManager[Session]], *, perf: bool = True) -> FaultCheck:
        """Count twice; by ftrace where perf is refused, or not wanted. Raises DrmbenchError."""
        expected, address = self._by_touching()
        try:
            if not perf:
                raise PermissionError
            counted = self._by_perf(address)
        except OSError:
            counted = self._by_ftrace(address, tracing)
        differing = np.flatnonzero(expected != counted.by_page)
        touched = int(expected.sum(dtype=np.int64))
        return FaultCheck(
            pages=expected.size, touch_faults=touched, kernel_faults=counted.inside, how=counted.how,
            equal=touched == counted.inside and differing.size == 0 and counted.lost == 0, outside=counted.outside,
            differing=[int(page) for page in differing[:_FEW]],
        )

    @contextlib.contextmanager
    def _mapped(self, hint: int = 0) -> Iterator[tuple[Mapping, int]]:
        """A fresh mapping and the C access; at the same address, as windows may be aligned to addresses."""
        with self.target.open() as backend, \
                Buffer(self.target.buffer_label(self.kind), backend, self.kind, self.size_bytes) as buffer:
            place, _stage = buffer.locate()
            with buffer.map(place, backend.prot, hint=hint) as mapping, mapping.touching():
                yield mapping, native_access(backend, self.access)

    def _by_touching(self) -> tuple[NDArray[np.uint8], int]:
        with self._mapped() as (mapping, access):
            return count_pass(mapping, self._order(), access), mapping.address

    def _by_perf(self, address: int) -> Counted:
        with self._mapped(address) as (mapping, access):
            seen = sample_faults(Span(mapping.address, mapping.size_bytes, PAGE_BYTES, self._order(), access))
            return Counted("perf", seen.by_page, seen.inside, seen.outside, seen.lost)

    def _by_ftrace(self, address: int, tracing: Callable[[], AbstractContextManager[Session]]) -> Counted:
        order = self._order()
        total = Counted("tracepoint", np.zeros(order.size, np.uint8), 0, 0)
        with tracing() as session, self._mapped(address) as (mapping, access):
            if not session.has_addresses:
                raise DrmbenchError(
                    mapping.who, "--faults", errno=errno.EOPNOTSUPP,
                    reason="perf_event_open() is refused, and this kernel has no tracepoint exceptions:page_fault_user",
                    remedy="run as root, or sysctl kernel.perf_event_paranoid=2",
                )
            for first in range(0, order.size, _SLICE_TOUCHES):
                part = order[first:first + _SLICE_TOUCHES]
                with session.record():
                    Window(session.marker_fd, "touch").touch(
                        Span(mapping.address, mapping.size_bytes, PAGE_BYTES, part, access))
                total = add_trace(total, session.text(), mapping.address, mapping.size_bytes)
                total = replace(total, lost=total.lost + session.lost_events())
        return total


def add_trace(total: Counted, text: str, start: int, size_bytes: int) -> Counted:
    """Add the faults between the markers that handle_mm_fault was called for, each once."""
    _before, _marker, rest = text.partition("/* drmbench:touch:begin */")
    inside, outside, address = 0, 0, None
    for line in rest.partition("/* drmbench:touch:end */")[0].splitlines():
        if found := _ADDRESS.search(line):
            address = int(found[1], 16)
        elif address is not None and _HANDLED.search(line):
            if start <= address < start + size_bytes:
                inside += 1
                total.by_page[(address - start) // PAGE_BYTES] += 1
            else:
                outside += 1
            address = None
    return replace(total, inside=total.inside + inside, outside=total.outside + outside)
