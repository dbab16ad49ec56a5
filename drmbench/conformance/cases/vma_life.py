# SPDX-License-Identifier: MIT
"""What becomes of a buffer's mapping when it is cut, moved, protected, locked or inherited."""

from __future__ import annotations

import errno
import mmap
import signal
from functools import partial
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import SUCCESS, Need, case, expect, expect_errno, expect_signal, outcome_of
from drmbench.conformance.needs import DESCRIPTOR, REMAPPABLE, SECOND_PROCESS, WRITABLE
from drmbench.conformance.vm_flags import DONTCOPY, LOCKED, PFNMAP, VM_FLAGS, cannot_grow, pages_are_hidden, special
from drmbench.errors import errno_name

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

_SEED, _OTHER_SEED = 1, 2
_LEAST_BYTES = 4 * PAGE_BYTES


def _size(subject: Subject) -> int:
    return max(subject.size_bytes, _LEAST_BYTES)


def _expect_pattern(what: str, address: int, size_bytes: int, offset_bytes: int = 0, seed: int = _SEED) -> None:
    expect(f"{what}: first byte that was lost", None, memory.difference(address, size_bytes, seed, offset_bytes))


def _cut(subject: Subject, first_page: int, end_page: int) -> None:
    """Unmap the pages, destroy the buffer's handle, and look at what is left and what is not."""
    size_bytes = _size(subject)
    hole, end = first_page * PAGE_BYTES, end_page * PAGE_BYTES
    with subject.buffer(size_bytes) as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as mapping:
            at = mapping.address
            memory.fill(at, size_bytes, _SEED)
            calls.munmap(at + hole, end - hole)
            buffer.destroy()
            for offset in (hole, end - PAGE_BYTES):
                expect_signal("read of an unmapped page", signal.SIGSEGV, partial(memory.read, at + offset, 1))
            _expect_pattern("before the hole", at, hole)
            _expect_pattern("behind the hole", at + end, size_bytes - end, end)
            left = [(vma.first - at, vma.last - at) for vma in subject.vmas(at, at + size_bytes)]
            expect("what is still mapped", [part for part in ((0, hole), (end, size_bytes)) if part[0] < part[1]], left)


@case(
    "vma-life/munmap-front", needs=(WRITABLE, REMAPPABLE), source="mm/mmap.c, __split_vma(); vm_ops->open",
    rule="When the front of a mapping is unmapped, the rest stays where it is and keeps the buffer.",
)
def munmap_front(subject: Subject) -> None:
    _cut(subject, 0, 1)


@case(
    "vma-life/munmap-middle", needs=(WRITABLE, REMAPPABLE), source="mm/mmap.c, __split_vma(); vm_ops->open",
    rule="When the middle of a mapping is unmapped, both ends stay where they are and keep the buffer.",
)
def munmap_middle(subject: Subject) -> None:
    _cut(subject, 1, _size(subject) // PAGE_BYTES - 1)


@case(
    "vma-life/munmap-tail", needs=(WRITABLE, REMAPPABLE), source="mm/mmap.c, __split_vma(); vm_ops->open",
    rule="When the tail of a mapping is unmapped, the rest stays where it is and keeps the buffer.",
)
def munmap_tail(subject: Subject) -> None:
    pages = _size(subject) // PAGE_BYTES
    _cut(subject, pages - 1, pages)


@case(
    "vma-life/mremap-grow", needs=(VM_FLAGS,), source="mm/mremap.c, vma_to_resize()",
    rule="mremap() cannot make a VM_DONTEXPAND or VM_PFNMAP mapping longer: EFAULT; others grow.",
)
def mremap_grow(subject: Subject) -> str:
    with subject.mapped() as (_place, address):
        larger = subject.size_bytes + PAGE_BYTES
        expected = "EFAULT" if cannot_grow(subject.vm_flags(address)) else SUCCESS

        def grow() -> None:
            moved = calls.mremap(address, subject.size_bytes, larger, calls.MREMAP_MAYMOVE)
            calls.munmap(moved, larger)

        expect("mremap(one page longer)", expected, outcome_of(grow))
    return expected


@case(
    "vma-life/mremap-shrink", needs=(WRITABLE,), source="mm/mremap.c, mremap()",
    rule="mremap() can make any mapping shorter: the front stays with its data, the tail is unmapped.",
)
def mremap_shrink(subject: Subject) -> None:
    size_bytes = _size(subject)
    left_bytes = size_bytes // PAGE_BYTES // 2 * PAGE_BYTES
    with subject.mapped(size_bytes) as (_place, address):
        memory.fill(address, size_bytes, _SEED)
        expect("how far it moved", 0, calls.mremap(address, size_bytes, left_bytes, 0) - address)
        _expect_pattern("the front", address, left_bytes)
        expect_signal("read behind it", signal.SIGSEGV, lambda: memory.read(address + left_bytes, 1))


@case(
    "vma-life/mremap-move", needs=(WRITABLE, REMAPPABLE), source="mm/mremap.c, move_vma()",
    rule="mremap() moves a mapping with its pages; pages touched only afterwards are the right ones, and nothing is "
         "left at the old address.",
)
def mremap_move(subject: Subject) -> None:
    size_bytes, prot = _size(subject), subject.backend.prot
    half_bytes = size_bytes // PAGE_BYTES // 2 * PAGE_BYTES
    room = calls.reserve(size_bytes)
    try:
        with subject.buffer(size_bytes) as buffer:
            place, _stage = buffer.locate()
            with buffer.map(place, prot) as mapping:
                memory.fill(mapping.address, half_bytes, _SEED)
                calls.mremap(mapping.address, size_bytes, size_bytes, calls.MREMAP_MAYMOVE | calls.MREMAP_FIXED, room)
                memory.fill(room + half_bytes, size_bytes - half_bytes, _SEED, half_bytes)
                _expect_pattern("the moved mapping", room, size_bytes)
                expect_signal("read at the old address", signal.SIGSEGV, lambda: memory.read(mapping.address, 1))
            with buffer.map(place, prot) as mapping:
                _expect_pattern("a second mapping", mapping.address, size_bytes)
    finally:
        calls.munmap(room, size_bytes)


@case(
    "vma-life/mprotect-read-only", needs=(WRITABLE,), source="mprotect(2)",
    rule="A store to a mapping made read-only is SIGSEGV and changes nothing; made writable again, it works.",
)
def mprotect_read_only(subject: Subject) -> None:
    size_bytes, last = subject.size_bytes, subject.size_bytes - PAGE_BYTES
    with subject.mapped() as (_place, address):
        memory.fill(address, size_bytes, _SEED)
        calls.mprotect(address, size_bytes, mmap.PROT_READ)
        for page in (0, last):
            expect_signal("store to a read-only page", signal.SIGSEGV, partial(memory.write, address + page, b"\0"))
        _expect_pattern("read-only", address, size_bytes)
        calls.mprotect(address, size_bytes, mmap.PROT_READ | mmap.PROT_WRITE)
        memory.fill(address, size_bytes, _OTHER_SEED)
        _expect_pattern("writable again", address, size_bytes, seed=_OTHER_SEED)


@case(
    "vma-life/mprotect-none", needs=(WRITABLE,), source="mprotect(2)",
    rule="An access to a PROT_NONE page is SIGSEGV, its neighbours stay readable, and its data come back with its "
         "rights.",
)
def mprotect_none(subject: Subject) -> None:
    size_bytes = _size(subject)
    with subject.mapped(size_bytes) as (_place, address):
        memory.fill(address, size_bytes, _SEED)
        calls.mprotect(address + PAGE_BYTES, PAGE_BYTES, calls.PROT_NONE)
        expect_signal("read of the page", signal.SIGSEGV, lambda: memory.read(address + PAGE_BYTES, 1))
        _expect_pattern("before it", address, PAGE_BYTES)
        _expect_pattern("behind it", address + 2 * PAGE_BYTES, size_bytes - 2 * PAGE_BYTES, 2 * PAGE_BYTES)
        calls.mprotect(address + PAGE_BYTES, PAGE_BYTES, mmap.PROT_READ | mmap.PROT_WRITE)
        _expect_pattern("readable again", address, size_bytes)


@case(
    "vma-life/writable-later", needs=(DESCRIPTOR, WRITABLE), source="mm/mprotect.c: VM_MAYWRITE",
    rule="A mapping made with PROT_READ alone refuses stores with SIGSEGV until mprotect() allows them.",
)
def writable_later(subject: Subject) -> None:
    with subject.mapped(prot=mmap.PROT_READ) as (_place, address):
        expect_signal("store", signal.SIGSEGV, lambda: memory.write(address, b"\0"))
        calls.mprotect(address, subject.size_bytes, mmap.PROT_READ | mmap.PROT_WRITE)
        memory.fill(address, subject.size_bytes, _SEED)
        _expect_pattern("writable", address, subject.size_bytes)


def _memory_may_be_locked(subject: Subject) -> str:
    address = calls.mmap(0, subject.size_bytes, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    try:
        calls.mlock(address, subject.size_bytes)
    except calls.RefusedError as refused:
        return f"this process may not lock so much memory: {errno_name(refused.errno or errno.EPERM)}"
    finally:
        calls.munmap(address, subject.size_bytes)
    return ""


MAY_LOCK = Need("may-lock", _memory_may_be_locked)


@case(
    "vma-life/mlock", needs=(REMAPPABLE, VM_FLAGS, MAY_LOCK), source="mm/mlock.c, mlock_fixup(): VM_SPECIAL; "
    "mm/gup.c, __mm_populate(): VM_IO, VM_PFNMAP",
    rule="mlock() and munlock() succeed; a VM_SPECIAL mapping is not marked VM_LOCKED, and a VM_IO or VM_PFNMAP one "
         "is not populated.",
)
def mlock(subject: Subject) -> str:
    size_bytes, prot = subject.size_bytes, subject.backend.prot
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, prot) as mapping:
            # Makes the pages exist, so that both passes that are compared fault on an old buffer.
            memory.touch(mapping.address, size_bytes, store=False)
        with buffer.map(place, prot) as mapping:
            unlocked = sum(memory.touch(mapping.address, size_bytes, store=False))
        with buffer.map(place, prot) as mapping:
            flags = subject.vm_flags(mapping.address)
            locks, populates = not special(flags), not pages_are_hidden(flags)
            calls.mlock(mapping.address, size_bytes)
            expect("VM_LOCKED", locks, LOCKED in subject.vm_flags(mapping.address))
            expect("faults of a read pass", 0 if populates else unlocked,
                   sum(memory.touch(mapping.address, size_bytes, store=False)))
            calls.munlock(mapping.address, size_bytes)
            expect("VM_LOCKED after munlock()", expected=False, actual=LOCKED in subject.vm_flags(mapping.address))
    return f"{'locked' if locks else 'not locked'}, {'populated' if populates else 'not populated'}"


@case(
    "vma-life/mincore", needs=(VM_FLAGS,), source="mm/mincore.c; mm/pagewalk.c, walk_page_test()",
    rule="mincore() reports every touched page resident. It may pass a VM_PFNMAP mapping over, as kernels up to 6.12 "
         "do: then it says what its file has in the page cache, which a node has not.",
)
def mincore(subject: Subject) -> str:
    with subject.mapped() as (_place, address):
        memory.touch(address, subject.size_bytes, store=False)
        resident = sum(byte & 1 for byte in calls.mincore(address, subject.size_bytes))
        if resident or PFNMAP not in subject.vm_flags(address):
            expect("pages that are reported resident", subject.size_bytes // PAGE_BYTES, resident)
        expect_errno("mincore(unaligned address)", errno.EINVAL, lambda: calls.mincore(address + 1, PAGE_BYTES))
    return "all resident" if resident else "none resident"


@case(
    "vma-life/fork", needs=(VM_FLAGS, SECOND_PROCESS), source="kernel/fork.c, dup_mmap(): VM_DONTCOPY",
    rule="A forked child has the mapping at the same address, readable, unless it is VM_DONTCOPY: then it has nothing "
         "there.",
)
def fork(subject: Subject) -> str:
    with subject.mapped() as (_place, address):
        flags = subject.vm_flags(address)

        def inherited() -> list[tuple[int, int]]:
            parts = [(vma.first - address, vma.last - address)
                     for vma in subject.vmas(address, address + subject.size_bytes)]
            if parts:
                memory.read(address, subject.size_bytes)
            else:
                expect_signal("the child's read", signal.SIGSEGV, lambda: memory.read(address, 1))
            return parts

        expected = [] if DONTCOPY in flags else [[0, subject.size_bytes]]
        expect("what the child has mapped there", expected, subject.in_second_process(inherited))
    return "inherited" if expected else "VM_DONTCOPY"
