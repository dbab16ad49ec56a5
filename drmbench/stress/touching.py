# SPDX-License-Identifier: MIT
"""A step's loads and stores in one native call, and what they found held against the model."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drmbench._native import ffi, lib
from drmbench.conformance import memory
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.stress.accesses import MAYBE_SIGBUS, NO_SIGNAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.stress.accesses import Access
    from drmbench.stress.arena import Arena
    from drmbench.stress.state import Body, State

_ACTIONS = {
    "fill": lib.DRMBENCH_ACCESS_FILL, "compare": lib.DRMBENCH_ACCESS_COMPARE, "zero": lib.DRMBENCH_ACCESS_ZERO,
    "load": lib.DRMBENCH_ACCESS_LOAD,
}
_RECENT_WRITES = 200


class Mismatch(Exception):  # noqa: N818 (a finding)
    """The kernel did something else than the model says; `category` is errno, signal, content, handle, offset..."""

    def __init__(self, category: str, what: str, expected: str, actual: str) -> None:
        super().__init__(f"{what}: expected {expected}, got {actual}")
        self.category = category
        self.what = what
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, slots=True)
class Touched:
    """The accesses, and how the native code says that each ended."""

    accesses: Sequence[Access]
    items: Any

    @property
    def faults(self) -> int:
        """Minor and major, of whichever process accessed."""
        return sum(int(item.faults) for item in self.items)

    @property
    def signals(self) -> int:
        """Accesses that a signal ended."""
        return sum(1 for item in self.items if item.signal_number)

    @property
    def pages_checked(self) -> int:
        """Pages whose every byte was compared."""
        return self._pages("compare", "zero")

    @property
    def pages_written(self) -> int:
        """Pages that were filled."""
        return self._pages("fill")

    def _pages(self, *actions: str) -> int:
        return sum(int(item.good_bytes) // PAGE_BYTES
                   for access, item in zip(self.accesses, self.items, strict=True) if access.action in actions)


def touch(arena: Arena, accesses: Sequence[Access], *, in_child: bool) -> Touched:
    """Do them, here or in a forked child. Raises OSError where there can be no child, or it died."""
    items = ffi.new("struct drmbench_access_item[]", len(accesses))
    for item, access in zip(items, accesses, strict=True):
        item.address = arena.address(access.mapping, access.first)
        item.size_bytes = access.pages * PAGE_BYTES
        item.page_bytes = PAGE_BYTES
        item.seed = access.tag
        item.offset_bytes = access.page * PAGE_BYTES
        item.action = _ACTIONS[access.action]
    if in_child:
        status = lib.drmbench_access_all_in_child(items, len(accesses))
        if status < 0:
            raise OSError(-status, os.strerror(-status))
    else:
        lib.drmbench_access_all(items, len(accesses))
    return Touched(accesses, items)


def check(arena: Arena, state: State, touched: Touched) -> None:
    """Raise Mismatch for the first access that did not end as it must."""
    for access, item in zip(touched.accesses, touched.items, strict=True):
        page = access.first + int(item.good_bytes) // PAGE_BYTES
        where = f"{'store to' if access.action == 'fill' else 'load of'} page {page} of mapping {access.mapping}"
        allowed = {NO_SIGNAL, int(signal.SIGBUS)} if access.signal == MAYBE_SIGBUS else {access.signal}
        if item.signal_number not in allowed:
            raise Mismatch("signal", where, _signal(access.signal), _signal(item.signal_number))
        if access.signal == NO_SIGNAL and item.good_bytes != item.size_bytes:
            address = int(item.address + item.good_bytes)
            found = _whose(arena, state, access, address)
            raise Mismatch("content", where, _content(access.tag, page - access.first + access.page), found)


def _signal(number: int) -> str:
    return "no signal" if number in {NO_SIGNAL, MAYBE_SIGBUS} else signal.Signals(number).name


def _content(tag: int, page: int) -> str:
    return f"page {page} of write {tag}" if tag else "zeros"


def _whose(arena: Arena, state: State, access: Access, address: int) -> str:
    """What is there instead: another write, another page, zeros, or just the word."""
    try:
        word = memory.read(address, 8)
        if word == bytes(8):
            return "zeros"
        offset = (address - arena.address(access.mapping)) % PAGE_BYTES
        for tag, page in _suspects(state, access):
            if memory.difference(address, 8, tag, page * PAGE_BYTES + offset) is None:
                return _content(tag, page)
    except (memory.SignalError, OSError):
        return "something else"
    return f"the word {word.hex()} at byte {offset}"


def _suspects(state: State, access: Access) -> Iterator[tuple[int, int]]:
    """(tag, page): what the model knows of, then recent writes of this thread."""
    bodies: list[Body] = [*(h.body for h in state.handles.values()), *state.dmabufs.values(), *state.shared]
    bodies += [vma.body for vmas in state.mappings.values() for vma in vmas]
    known = {tag for body in bodies for tag in body.content if tag > 0} | {access.tag}
    recent = set(range(max(1, state.tags - _RECENT_WRITES), state.tags + 1))
    most = max((body.pages for body in bodies), default=1)
    for tag in sorted(known | recent):
        for page in range(most):
            yield tag, page
