# SPDX-License-Identifier: MIT
"""Touch passes over a mapping, in slices, so that Ctrl-C is heard between them.

Nothing of Python runs between two clock reads or between the two counter reads of a slice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from drmbench import native
from drmbench.buffer import PAGE_BYTES
from drmbench.page_latency import Grouped, grouped
from drmbench.stats import by_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from drmbench.buffer import Mapping
    from drmbench.drivers.protocol import Backend

SLICE_TOUCHES = 1 << 16

PASSES: dict[str, tuple[Literal["write", "read"], ...]] = {
    "write": ("write",),
    "read": ("read",),
    "read-then-write": ("read", "write"),
}
"""--access -> the passes over all pages that it stands for."""


def native_access(backend: Backend, access: Literal["write", "read"]) -> int:
    """The C access: a back-end whose bytes must not change gets the store that stores nothing."""
    if access == "read":
        return native.READ
    return native.WRITE_NOTHING if backend.stores_nothing else native.WRITE


def _slices(
    mapping: Mapping, order: NDArray[np.uint32], access: int,
) -> Iterator[tuple[slice, native.Span]]:
    for start in range(0, order.size, SLICE_TOUCHES):
        part = slice(start, start + SLICE_TOUCHES)
        yield part, native.Span(mapping.address, mapping.size_bytes, PAGE_BYTES, order[part], access)


def count_pass(mapping: Mapping, order: NDArray[np.uint32], access: int) -> NDArray[np.uint8]:
    """Faults of every touch, shape (touches,), untimed. Raises DrmbenchError on SIGBUS or SIGSEGV."""
    faults = np.zeros(order.size, dtype=np.uint8)
    with mapping.touching():
        for part, span in _slices(mapping, order, access):
            faults[part] = span.count_faults()
    return faults


def sum_pass(mapping: Mapping, order: NDArray[np.uint32], access: int) -> native.Stage:
    """Time and faults of all touches together. Raises DrmbenchError on SIGBUS or SIGSEGV."""
    total = native.Stage()
    with mapping.touching():
        for _part, span in _slices(mapping, order, access):
            total += span.time_sum()
    return total


@dataclass(slots=True)
class Sink:
    """Where timed touches go: one histogram for those that fault, one for those that do not; each pass by page."""

    faulted: native.Histogram = field(default_factory=native.Histogram)
    hit: native.Histogram = field(default_factory=native.Histogram)
    by_page: list[Grouped] = field(default_factory=list)


def timed_pass(
    mapping: Mapping, order: NDArray[np.uint32], access: int, faults: NDArray[np.uint8], sink: Sink,
) -> native.Stage:
    """Every touch timed alone, sorted by `faults`, shape (touches,), into `sink`; the sum as a Stage."""
    total = native.Stage()
    ticks = np.ones(order.size, dtype=np.uint32)  # written, so that its own pages do not fault later
    with mapping.touching():
        for part, span in _slices(mapping, order, access):
            total += span.time_touches(faults[part], sink.faulted, sink.hit, ticks[part])
    sink.by_page.append(grouped(by_page(ticks, order)))
    return total
