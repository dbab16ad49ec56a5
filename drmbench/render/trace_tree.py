# SPDX-License-Identifier: MIT
"""TraceNode -> lines of a tree, durations to the right, never wider than a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import TraceFault, TraceNode

WIDTH = 78
_TIME = 8
_DEEPEST = 22


def tree_lines(calls: Sequence[TraceNode]) -> Iterator[str]:
    """One line a function, in order, its calls below it; a root says which fault it is."""
    for root in calls:
        if root.fault is not None:
            yield _fault(root.fault)
        yield from _node(root, "", "")


def _fault(fault: TraceFault) -> str:
    where = "outside of the mapping" if fault.page is None else f"page {fault.page} of the mapping"
    code = "" if fault.error_code is None else f", error code {fault.error_code:#x}"
    return f"fault at {fault.address:#x}, {where}{code}"


def _node(node: TraceNode, lead: str, below: str) -> Iterator[str]:
    module = f" [{one_line(node.module)}]" if node.module else ""
    times = f" x{node.calls}" if node.calls > 1 else ""
    cut = " ..." if node.cut else ""
    yield _line(f"{lead}{_shortened(one_line(node.function), lead)}{times}{module}{cut}", format_ns(node.duration_ns))
    last = len(node.children) - 1
    for number, child in enumerate(node.children):
        corner, rest = ("`- ", "   ") if number == last else ("|- ", "|  ")
        yield from _node(child, below + corner, below + rest)


def _shortened(name: str, lead: str) -> str:
    return name[:max(8, WIDTH - _TIME - len(lead))]


def _line(text: str, time: str) -> str:
    room = WIDTH - _TIME - 1
    return f"{text[:room]:{room}} {time:>{_TIME}}"
