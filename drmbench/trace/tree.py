# SPDX-License-Identifier: MIT
"""Call trees made readable: faults of other memory left out, repeats told as one."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from drmbench.trace.graph import FAULT_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drmbench.model import TraceNode

_LAST_ERRNO = 4095


def is_fault(root: TraceNode) -> bool:
    """Whether this is a page fault: handle_mm_fault, perhaps inside the architecture's entry.

    handle_mm_fault inside of a system call (MAP_POPULATE, get_user_pages) is none.
    """
    return root.fault is not None or root.function == FAULT_ROOT


def faults_of_mapping(
    roots: Sequence[TraceNode], start: int, size_bytes: int, page_bytes: int,
) -> tuple[list[TraceNode], int]:
    """(roots without the faults at addresses outside of the mapping, how many those were); page numbers are set.

    A fault whose address the kernel did not say stays.
    """
    kept, others = [], 0
    for root in roots:
        if root.fault is None:
            kept.append(root)
        elif start <= root.fault.address < start + size_bytes:
            page = (root.fault.address - start) // page_bytes
            kept.append(msgspec.structs.replace(root, fault=msgspec.structs.replace(root.fault, page=page)))
        else:
            others += root.fault.attempt == 1
    return kept, others


def collapsed(calls: Sequence[TraceNode]) -> list[TraceNode]:
    """Calls in a row whose trees are alike but for the time, as one with all their durations."""
    inner = [msgspec.structs.replace(call, children=collapsed(call.children)) for call in calls]
    return [_together(list(alike)) for _shape, alike in groupby(inner, _shape)]


def _shape(call: TraceNode) -> tuple[object, ...]:
    """What calls have in common that are told as one: what they returned matters where it is an error."""
    error = call.returned if call.returned is not None and -_LAST_ERRNO <= call.returned < 0 else None
    return (call.function, call.module, error, call.cut, call.fault,
            tuple((child.calls, _shape(child)) for child in call.children))


def _together(alike: list[TraceNode]) -> TraceNode:
    first = alike[0]
    if len(alike) == 1:
        return first
    times = [call.duration_ns for call in alike]
    shortest = [call.shortest_ns for call in alike]
    longest = [call.longest_ns for call in alike]
    return msgspec.structs.replace(
        first, calls=sum(call.calls for call in alike), duration_ns=_known(sum, times),
        returned=first.returned if len({call.returned for call in alike}) == 1 else None,
        shortest_ns=_known(min, shortest), longest_ns=_known(max, longest),
        children=[_together(list(same)) for same in zip(*(call.children for call in alike), strict=True)],
    )


def _known(combine: Callable[[list[int]], int], times: Sequence[int | None]) -> int | None:
    known = [time for time in times if time is not None]
    return combine(known) if len(known) == len(times) else None


def each_call(calls: Sequence[TraceNode]) -> Iterator[TraceNode]:
    """Every node, in the order of the tree."""
    for call in calls:
        yield call
        yield from each_call(call.children)
