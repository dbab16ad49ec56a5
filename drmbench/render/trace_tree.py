# SPDX-License-Identifier: MIT
"""TraceNode -> lines of a tree, durations to the right, never wider than a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.errors import errno_name, one_line
from drmbench.trace.notes import note_of
from drmbench.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import TraceFault, TraceNode

WIDTH = 79
_TIME = 8
_MOST_LEAD = 40  # what lies deeper is not indented any further
_MOST_ERRNOS = 2
_LAST_ERRNO = 4095


def tree_lines(calls: Sequence[TraceNode]) -> Iterator[str]:
    """One line a function, in order, its calls below it; a root says which fault it is."""
    for root in calls:
        if root.fault is not None:
            yield fault_words(root.fault)
        yield from _node(root, "", "")


def fault_words(fault: TraceFault) -> str:
    """Which page was touched, and how: "fault at 0x7fc48a252000, page 0 of the mapping: a store, no entry yet"."""
    where = "outside of the mapping" if fault.page is None else f"page {fault.page} of the mapping"
    if fault.attempt > 1:
        return f"the same fault at {fault.address:#x}, {where}: handled once more"
    code = fault.error_code
    if code is None:
        return f"fault at {fault.address:#x}, {where}"
    # Bits 0 and 1 of the x86 page fault error code.
    entry = "forbidden by its entry" if code & 1 else "no entry yet"
    return f"fault at {fault.address:#x}, {where}: {'a store' if code & 2 else 'a load'}, {entry}"


def failed_with(node: TraceNode) -> str | None:
    """The errno that a call returned, None where it returned none."""
    if node.returned is None or not -_LAST_ERRNO <= node.returned < 0:
        return None
    return errno_name(-node.returned)


def _node(node: TraceNode, lead: str, below: str) -> Iterator[str]:
    yield _line(lead[-_MOST_LEAD:], node)
    last = len(node.children) - 1
    for number, child in enumerate(node.children):
        corner, rest = ("`-", "  ") if number == last else ("|-", "| ")
        yield from _node(child, below + corner, below + rest)


def _line(lead: str, node: TraceNode) -> str:
    """Where it does not fit, what it could return goes first, then the middle of the module and of the function."""
    room = WIDTH - _TIME - 1 - len(lead)
    name = one_line(node.function) + (f" x{node.calls}" if node.calls > 1 else "")
    module = f" [{one_line(node.module)}]" if node.module else ""
    cut = " (cut)" if node.cut else ""
    said = f"{shortened(name, room - len(cut) - min(len(module), 12))}{cut}"
    said += shortened(module, room - len(said))
    errno = _errno(node)
    if len(said) + len(errno) <= room:
        said += errno
    return f"{lead}{said[:room]:{room}} {format_ns(node.duration_ns):>{_TIME}}"


def _errno(node: TraceNode) -> str:
    """What it returned, or else what it may refuse with."""
    if failed := failed_with(node):
        return f" = {failed}"
    note = note_of(node.function)
    if note is None or not 0 < len(note.errno) <= _MOST_ERRNOS:
        return ""
    return f" -> {'|'.join(name for name, _when in note.errno)}"


def shortened(name: str, room: int) -> str:
    """The name, or its ends with dots between them, in so many letters."""
    if len(name) <= room:
        return name
    if room < 8:
        return name[:max(0, room)]
    half = (room - 3) // 2
    return f"{name[:room - 3 - half]}...{name[-half:]}"
