# SPDX-License-Identifier: MIT
"""What `drmbench trace` reports: the kernel's own call graph of one mmap, one touch and one munmap."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import Access, AtLeastOne, Caveat, Count, Environment, Size, TargetInfo

StepName = Literal["mmap", "touch", "munmap", "denied"]  # the markers around it are drmbench:NAME:begin and :end

MOST_DEPTH = 100
"""Calls inside one another that a report may hold; ftrace itself follows fifty."""


class TraceFault(msgspec.Struct, frozen=True):
    """What raised a fault. `page` is its place in the mapping, null outside; `error_code` is the x86 one.

    attempt  2 and more: the kernel calls handle_mm_fault again for the same fault, since 6.4 often first under the
             lock of the VMA alone and then under that of the address space
    """

    address: Count
    page: Count | None
    error_code: Count | None = None
    attempt: Size = 1


class TraceNode(msgspec.Struct, frozen=True):
    """A kernel function and what it called, in order.

    module      "" where the function is in the kernel itself
    calls       more than 1: so many calls in a row whose trees were alike are told as one; a child's are those of
                all of them together
    duration_ns of all of them together, null where ftrace gave no time for one; shortest and longest are of single ones
    returned    what each of them returned, where the kernel recorded it
    cut         the beginning or the end is missing from the trace
    fault       what raised it; only on the root of a fault
    """

    function: str
    module: str = ""
    calls: Size = 1
    duration_ns: Count | None = None
    shortest_ns: Count | None = None
    longest_ns: Count | None = None
    returned: int | None = None
    cut: bool = False
    fault: TraceFault | None = None
    children: list[TraceNode] = []


class TraceStep(msgspec.Struct, frozen=True):
    """One thing that user space did, and the calls that the kernel made for it.

    name          denied is an mmap of the same offset that must fail, on another open file
    call          in words, with its arguments
    returned      null where nothing is returned (a touch) or it failed
    untraced_ns   the same call in passes without tracing, which are not those that were traced (medians)
    repetitions   passes of either kind
    other_faults  handle_mm_fault calls meanwhile whose address is not in the mapping, left out of `calls`
    addressed     the kernel says which address a fault is of; where it does not, none is left out
    complete      both markers were found in the trace
    """

    name: StepName
    call: str
    calls: list[TraceNode]
    returned: str | None = None
    errno: str | None = None
    traced_ns: Count | None = None
    untraced_ns: Count | None = None
    other_faults: Count = 0
    complete: bool = True
    repetitions: Size = 1
    addressed: bool = True

    def __post_init__(self) -> None:
        """Refuse what no kernel traces. Raises ValueError."""
        level, depth = self.calls, 0
        while level:
            depth += 1
            if depth > MOST_DEPTH:
                raise ValueError(f"calls more than {MOST_DEPTH} deep")
            level = [child for node in level for child in node.children]


class FaultCheck(msgspec.Struct, frozen=True):
    """The same faults counted twice: by the touch loop for itself, and by the kernel for the mapping's addresses.

    outside    faults of the kernel's count whose address is not in the mapping, left out of it
    differing  pages of which the two counts differ, as many as a reader needs
    """

    pages: Size
    touch_faults: Count
    kernel_faults: Count
    how: Literal["perf", "tracepoint", "ftrace"]
    equal: bool
    outside: Count = 0
    differing: list[Count] = []


class TraceResult(msgspec.Struct, frozen=True):
    """One buffer kind of one target.

    address       where the mapping lies; null where none was made
    untraceable   functions of the walk-through that this kernel inlined, renamed or does not let ftrace see
    lost_events   events that ftrace dropped; unread_lines: lines of the trace that drmbench could not read
    problems      step or count -> why it is missing
    tracer        whether ftrace was an instance of its own, or the global one that was free
    """

    target: TargetInfo
    size_bytes: Size
    pages: Size
    access: Access
    steps: list[TraceStep]
    address: Count | None = None
    untraceable: list[str] = []
    check: FaultCheck | None = None
    lost_events: Count = 0
    unread_lines: Count = 0
    problems: dict[str, str] = {}
    tracer: Literal["instance", "global", ""] = ""


class FunctionChange(msgspec.Struct, frozen=True):
    """Calls of a function in one step, in the other trace and in this one; `formerly`: its name there, if another."""

    step: StepName
    function: str
    module: str
    before: Count
    after: Count
    formerly: str = ""


class TraceComparison(msgspec.Struct, frozen=True):
    """A result against one of another report (--against); steps that only one of them has are not compared.

    same  functions that both called equally often
    """

    target: TargetInfo
    other_target: TargetInfo
    other_kernel: str
    steps: list[StepName]
    changes: list[FunctionChange]
    same: Count = 0


class TraceParameters(msgspec.Struct, frozen=True):
    """What was asked for; `step` is mmap, fault, munmap or all, `depth` null is as deep as ftrace goes."""

    devices: list[str]
    buffer: str | None
    size_bytes: Size
    access: Access
    step: str
    depth: Size | None = None
    faults: bool = False
    cpu: int | None = None


class TraceReport(msgspec.Struct, frozen=True, tag_field="command", tag="trace"):
    """What `drmbench trace` found; `missing` says why targets that the user named have no results."""

    schema_version: Literal[1]
    environment: Environment
    parameters: TraceParameters
    results: Annotated[list[TraceResult], AtLeastOne]
    caveats: list[Caveat]
    missing: list[str] = []
    comparisons: list[TraceComparison] = []
