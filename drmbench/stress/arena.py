# SPDX-License-Identifier: MIT
"""Where mappings lie: fixed addresses low in the address space, where mmap() without MAP_FIXED never goes by itself.

So a hole stays a hole, whatever other threads allocate, and a replay has the addresses of the run.
"""

from __future__ import annotations

from drmbench.conformance.calls import PAGE_BYTES
from drmbench.errors import DrmbenchError
from drmbench.stress.steps import SLOTS
from drmbench.vma import vmas

# The kernel hands out addresses from the top down, or from a third of the way up; this is below either, on any
# 64-bit CPU, and at a multiple of what a huge page can be.
_START = 1 << 36


class Arena:
    """The slots of one thread, each `slot_pages` long, with a hole of a page or more behind each."""

    def __init__(self, thread: int, slot_pages: int) -> None:
        huge = 1 << 25
        self._stride = (slot_pages * PAGE_BYTES // huge + 1) * huge
        self._first = _START + thread * (SLOTS + 1) * self._stride

    def address(self, slot: int, page: int = 0) -> int:
        """Of a page of a slot; slot number SLOTS is one that no step names."""
        return self._first + slot * self._stride + page * PAGE_BYTES

    def check_free(self) -> None:
        """Raise DrmbenchError where something lies there already."""
        taken = vmas(self._first, self._first + (SLOTS + 1) * self._stride)
        if taken:
            raise DrmbenchError("stress", "address space", reason=f"something is mapped at {taken[0].first:#x}")
