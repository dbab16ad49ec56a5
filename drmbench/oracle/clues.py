# SPDX-License-Identifier: MIT
"""Evidence of an explain result as clues: what was found, in words, and whether a mechanism behaves so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.model import ACCEPTED
from drmbench.oracle.counts import counts_fit, flags_fit, node_fits, private_fits
from drmbench.oracle.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drmbench.model import ExplainResult, FaultLatencyResult
    from drmbench.oracle.table import Arrival, Reach, Row

_SHARE = 0.5
_ALIKE = 1.3
_TELLING_FLAGS = ("pf", "io", "mm", "de", "dd")


@dataclass(frozen=True, slots=True)
class Question:
    """A clue before the mechanisms are asked: its name, what was found, and whether a row fits it.

    `trait` is the field of a row that answers it, None where every row has an answer.
    """

    name: str
    found: str
    fits: Callable[[Row], bool]
    trait: str | None = None


def touch_of(result: ExplainResult, access: str, phase: str = "cold") -> FaultLatencyResult | None:
    """The fault-latency result in it of this access and phase, None where there is none."""
    return next((t for t in result.touches if (t.access, t.phase) == (access, phase)), None)


def arrival(result: ExplainResult) -> Arrival | None:
    """When the pages of a fresh buffer came in: where the first mapping costs what a second one does not.

    A stage answers where what it costs more than again is over half of the first mapping's whole cost; "before
    mmap" where the second mapping is hardly cheaper. None where neither is clear.
    """
    first, second = result.first_mapping, result.second_mapping
    if second is None or result.pages == 1:
        return None
    stages: tuple[tuple[Arrival, int, int], ...] = (
        ("mmap", first.mmap_ns, second.mmap_ns),
        ("first touch", first.first_touch_ns, second.first_touch_ns),
        ("each touch", first.other_touches_ns, second.other_touches_ns),
    )
    whole = sum(cold for _name, cold, _warm in stages)
    for name, cold, warm in stages:
        if cold - warm > whole * _SHARE:
            return name
    return "before mmap" if whole <= _ALIKE * sum(warm for _name, _cold, warm in stages) else None


def reach(result: ExplainResult) -> Reach | None:
    """Where the window of a fault lies: the same pages touched backwards fault again, or not. None for one page."""
    write = touch_of(result, "write")
    window = write.prefault_window_pages if write is not None else None
    if write is None or window is None or window == 1:
        return None
    ascending = write.passes[0].faults
    if result.descending_faults >= result.pages > 2 * ascending:
        return "forward"
    if window >= result.pages:
        return "whole" if result.descending_faults <= ascending else None
    return "around" if result.descending_faults <= 2 * ascending else None


def _faults_found(result: ExplainResult) -> str:
    words = {("write", 0): "to write", ("read", 0): "to read", ("read-then-write", 1): "to write after reading"}
    parts = [
        f"{touch.passes[index].faults} {words[touch.access, index]}"
        for touch in result.touches if touch.phase == "cold"
        for index in range(len(touch.passes)) if (touch.access, index) in words
    ]
    write = touch_of(result, "write")
    window = write.prefault_window_pages if write is not None else None
    maps = "all is mapped before the touch" if window is None else f"a fault maps {window} page{'s'[:window != 1]}"
    return f"faults for {result.pages} pages: {', '.join(parts)}; {maps}"


def _flags_found(flags: Sequence[str]) -> str:
    there = [flag for flag in _TELLING_FLAGS if flag in flags]
    missing = [flag for flag in _TELLING_FLAGS if flag not in flags]
    text = f"VmFlags with {' '.join(there)}" if there else "VmFlags"
    return f"{text} without {' '.join(missing)}" if missing else text


def _faults_fit(row: Row, result: ExplainResult) -> bool:
    """Every access is explained by some row of the family that shows these flags: reads may be mapped otherwise."""
    kin = [other for other in TABLE if other.family == row.family
           and flags_fit(other, result.vma.vm_flags) == flags_fit(row, result.vma.vm_flags)]
    write = touch_of(result, "write")
    if write is not None and not counts_fit(row, write):
        return False
    return all(any(counts_fit(other, touch) for other in kin) for touch in result.touches)


_ARRIVAL_WORDS: dict[Arrival, str] = {
    "before mmap": "before mmap(), or there are none to bring in",
    "mmap": "with the first mmap()",
    "first touch": "all at the first touch",
    "each touch": "one by one, at each touch",
}
_REACH_WORDS: dict[Reach, str] = {
    "forward": "from the touched page on: touched backwards, every page faults",
    "around": "around the touched page: touched backwards it faults no more often",
    "whole": "everywhere: one touch maps the whole buffer",
}


def questions(result: ExplainResult) -> Iterator[Question]:
    """Every clue that this result has an answer to."""
    flags, private = result.vma.vm_flags, result.private_mapping
    yield Question("faults", _faults_found(result), lambda row: _faults_fit(row, result))
    if flags:
        yield Question("VmFlags", _flags_found(flags), lambda row: flags_fit(row, flags))
    if private is not None:
        answer = "is accepted" if private == ACCEPTED else f"is refused with {private}"
        yield Question("MAP_PRIVATE", f"mmap(MAP_PRIVATE) {answer}", lambda row: private_fits(row, private),
                       "private")
    lies = reach(result)
    if lies is not None:
        yield Question("window", f"a fault's window lies {_REACH_WORDS[lies]}", lambda row: row.reach in {None, lies},
                       "reach")
    when = arrival(result)
    if when is not None:
        yield Question("pages", f"the pages come in {_ARRIVAL_WORDS[when]}",
                       lambda row: row.arrives is None or when in row.arrives, "arrives")
    yield from _fork(result)
    yield from _links(result)
    yield Question("node", "a buffer of a DRM node" if result.target.kind == "drm" else "no buffer of a DRM node",
                   lambda row: node_fits(row, result.target.kind), "node")


def _fork(result: ExplainResult) -> Iterator[Question]:
    child = result.child
    if child is None or child.read_faults is None:
        return
    copied = child.read_faults == 0
    write = touch_of(result, "write")
    if write is not None and write.passes[0].faults == 0:
        return  # nothing faults at all, so the child's zero says nothing
    found = "fork() copies the page table" if copied else f"a child faults anew, {child.read_faults} to read"
    yield Question("fork", found, lambda row: row.copied in {None, copied}, "copied")


def _links(result: ExplainResult) -> Iterator[Question]:
    helpers = result.helpers
    if helpers is None:
        return

    def fits(row: Row) -> bool:
        if row.links is None:
            return True
        if row.links == ():
            return not helpers.linked
        # A helper that is not loaded as a module may be built in, which nothing shows.
        return bool(set(row.links) & set(helpers.linked)) or not set(row.links) & set(helpers.loaded)

    linked = ", ".join(helpers.linked) or "no memory helper"
    yield Question("module", f"module {helpers.module} links to {linked}", fits, "links")
