# SPDX-License-Identifier: MIT
"""What one thread of a stress program holds: open files, handles, dma-bufs, VMAs, and what each page contains.

No native code: it is the model that the kernel is held against.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.stress.steps import Prot
    from drmbench.stress.traits import Limits, Traits

ZERO = 0
UNKNOWN = -1
OWNED_RUN_PAGES = 4


@dataclass(slots=True, eq=False)
class Body:
    """A buffer object: the content of each page is ZERO, UNKNOWN or the tag of the last write.

    others  pages of a shared buffer that other threads write to
    gone    its device was unplugged: a page of it holds anything, or SIGBUS
    """

    content: list[int]
    others: frozenset[int] = frozenset()
    gone: bool = False

    @property
    def pages(self) -> int:
        """Its size."""
        return len(self.content)


@dataclass(slots=True, eq=False)
class File:
    """An open file; `made` counts the handles that it ever got."""

    made: int = 0
    gone: bool = False


@dataclass(slots=True, eq=False)
class Handle:
    """A GEM handle of `file`; several slots hold the same one after an import.

    died  how many handles its file had got when it was destroyed: until the next one, nothing has its number
    """

    file: File
    body: Body
    died: int | None = None

    @property
    def alive(self) -> bool:
        """Whether it is not destroyed."""
        return self.died is None


@dataclass(slots=True)
class Vma:
    """Pages of a body in a row, mapped alike; the kernel may have merged some, never split them further."""

    first: int
    count: int
    body: Body
    index: int
    prot: Prot
    forked: bool
    prime: bool = False

    @property
    def last(self) -> int:
        """The page behind it."""
        return self.first + self.count

    def part(self, first: int, last: int) -> Vma:
        """A copy of some of it."""
        return Vma(first, last - first, self.body, self.index + first - self.first, self.prot, self.forked, self.prime)


def pages_of_others(thread: int, threads: int, pages: int) -> frozenset[int]:
    """The pages of a shared buffer that other threads write to: runs of four go round the threads."""
    return frozenset(page for page in range(pages) if page // OWNED_RUN_PAGES % threads != thread)


@dataclass(slots=True)
class State:
    """One thread's holdings; file 0 is open from the start."""

    traits: Traits
    limits: Limits
    shared: list[Body] = field(default_factory=list)
    files: dict[int, File] = field(default_factory=lambda: {0: File()})
    handles: dict[int, Handle] = field(default_factory=dict)
    dmabufs: dict[int, Body] = field(default_factory=dict)
    mappings: dict[int, list[Vma]] = field(default_factory=dict)
    unbound: bool = False
    tags: int = 0

    def vmas(self, slot: int) -> list[Vma]:
        """The VMAs of a slot, in order."""
        return self.mappings.setdefault(slot, [])

    def split(self, slot: int, first: int, last: int) -> list[Vma]:
        """The VMAs between two pages, cut at them, in order."""
        cut = [
            vma.part(start, end)
            for vma in self.vmas(slot)
            for start, end in _pieces(vma, first, last)
        ]
        self.mappings[slot] = cut
        return [vma for vma in cut if first <= vma.first < last]

    def runs(self, slot: int, first: int, last: int) -> Iterator[Run]:
        """What lies between two pages, VMA by VMA and hole by hole."""
        at = first
        for vma in self.vmas(slot):
            start, end = max(vma.first, first), min(vma.last, last)
            if start < end:
                if at < start:
                    yield Run(at, start - at, None)
                yield Run(start, end - start, vma)
                at = end
        if at < last:
            yield Run(at, last - at, None)

    def inside_one(self, slot: int, first: int, last: int) -> Vma | None:
        """The VMA that contains all of the pages, None where it takes more or less than one."""
        return next((vma for vma in self.vmas(slot) if vma.first <= first and last <= vma.last), None)

    def starts_inside(self, slot: int, *pages: int) -> bool:
        """Whether a cut at one of the pages would leave a VMA that starts inside one of today."""
        return any(vma.first < page < vma.last for vma in self.vmas(slot) for page in pages)

    def handle_in(self, file: File, body: Body) -> Handle | None:
        """The handle of the body that is alive on the file: there is at most one."""
        return next((h for h in self.handles.values() if h.alive and h.file is file and h.body is body), None)

    def live_pages(self) -> int:
        """Pages of all own bodies that something still holds."""
        bodies = {id(h.body): h.body for h in self.handles.values() if h.alive}
        bodies |= {id(body): body for body in self.dmabufs.values()}
        bodies |= {id(vma.body): vma.body for vmas in self.mappings.values() for vma in vmas}
        shared = {id(body) for body in self.shared}
        return sum(body.pages for key, body in bodies.items() if key not in shared)


class Run(NamedTuple):
    """Pages in a row: of one VMA, or a hole."""

    first: int
    pages: int
    vma: Vma | None


def _pieces(vma: Vma, first: int, last: int) -> Iterator[tuple[int, int]]:
    bounds = [vma.first, *(page for page in (first, last) if vma.first < page < vma.last), vma.last]
    yield from pairwise(bounds)
