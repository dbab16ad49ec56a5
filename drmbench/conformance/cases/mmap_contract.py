# SPDX-License-Identifier: MIT
"""What mmap(2) promises of any mapping, held against a buffer's."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import signal
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import SUCCESS, case, expect, expect_errno, expect_signal, outcome_of
from drmbench.conformance.needs import DESCRIPTOR, DRM, WRITABLE
from drmbench.conformance.read_only import read_only_place
from drmbench.conformance.vm_flags import IO, MIXEDMAP, PFNMAP, VM_FLAGS

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject
    from drmbench.drivers.protocol import MmapOffset

_SEED = 1
_OTHER_SEED = 2


@case(
    "mmap-contract/zero-length", needs=(DESCRIPTOR,),
    rule="A mapping of no bytes is EINVAL.", source="mm/mmap.c, do_mmap()",
)
def zero_length(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        expect_errno("mmap(length 0)", errno.EINVAL,
                     lambda: calls.mmap(0, 0, subject.backend.prot, place.flags, place.fd, place.offset))


@case(
    "mmap-contract/unaligned-offset", needs=(DESCRIPTOR,),
    rule="An offset that is no multiple of the page size is EINVAL.", source="mmap(2)",
)
def unaligned_offset(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        expect_errno("mmap(offset + 8)", errno.EINVAL, lambda: calls.mmap(
            0, subject.size_bytes, subject.backend.prot, place.flags, place.fd, place.offset + 8))


@case(
    "mmap-contract/closed-descriptor", needs=(DESCRIPTOR,),
    rule="A descriptor that is not open is EBADF.", source="mm/mmap.c, ksys_mmap_pgoff()",
)
def closed_descriptor(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        closed = os.dup(place.fd)
        os.close(closed)
        expect_errno("mmap(closed descriptor)", errno.EBADF, lambda: calls.mmap(
            0, subject.size_bytes, subject.backend.prot, place.flags, closed, place.offset))


@case(
    "mmap-contract/unknown-flag", needs=(DESCRIPTOR,),
    rule="MAP_SHARED_VALIDATE refuses a flag that the file does not support (MAP_SYNC) with EOPNOTSUPP; MAP_SHARED "
         "ignores it.",
    source="mm/mmap.c, do_mmap()",
)
def unknown_flag(subject: Subject) -> None:
    size_bytes, prot = subject.size_bytes, subject.backend.prot
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        expect_errno("mmap(MAP_SHARED_VALIDATE | MAP_SYNC)", errno.EOPNOTSUPP, lambda: calls.mmap(
            0, size_bytes, prot, calls.MAP_SHARED_VALIDATE | calls.MAP_SYNC, place.fd, place.offset))
        address = calls.mmap(0, size_bytes, prot, mmap.MAP_SHARED | calls.MAP_SYNC, place.fd, place.offset)
        calls.munmap(address, size_bytes)


@case(
    "mmap-contract/outlives-handle", needs=(DESCRIPTOR, WRITABLE),
    rule="A mapping keeps the buffer and its data when the last handle is destroyed.",
    source="drivers/gpu/drm/drm_gem.c, drm_gem_vm_open()",
)
def outlives_handle(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as mapping:
            memory.fill(mapping.address, subject.size_bytes, _SEED)
            buffer.destroy()
            expect("first byte that was lost", None, memory.difference(mapping.address, subject.size_bytes, _SEED))


@case(
    "mmap-contract/outlives-file", needs=(DRM, DESCRIPTOR, WRITABLE),
    rule="A mapping keeps the buffer and its data when its open file is closed.",
    source="mmap(2); drivers/gpu/drm/drm_gem.c, drm_gem_release()",
)
def outlives_file(subject: Subject) -> None:
    with subject.open_again() as file, subject.buffer(file=file) as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as mapping:
            memory.fill(mapping.address, subject.size_bytes, _SEED)
            buffer.forget()
            file.close()
            expect("first byte that was lost", None, memory.difference(mapping.address, subject.size_bytes, _SEED))


@case(
    "mmap-contract/hugetlb", needs=(DESCRIPTOR,),
    rule="MAP_HUGETLB on a file that is not of hugetlbfs is EINVAL.", source="mm/mmap.c, ksys_mmap_pgoff()",
)
def hugetlb(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        expect_errno("mmap(MAP_HUGETLB)", errno.EINVAL, lambda: calls.mmap(
            0, subject.size_bytes, subject.backend.prot, place.flags | calls.MAP_HUGETLB, place.fd, place.offset))


@case(
    "mmap-contract/executable", needs=(DESCRIPTOR,),
    rule="PROT_EXEC is EPERM where the node's filesystem is mounted noexec, and mprotect() cannot add it there "
         "(EACCES); elsewhere both succeed.",
    source="mm/mmap.c, do_mmap(): path_noexec()",
)
def executable(subject: Subject) -> str:
    readable, size_bytes = mmap.PROT_READ, subject.size_bytes
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        noexec = bool(os.fstatvfs(place.fd).f_flag & os.ST_NOEXEC)

        def map_executable() -> None:
            calls.munmap(calls.mmap(0, size_bytes, readable | mmap.PROT_EXEC, place.flags, place.fd, place.offset),
                         size_bytes)

        expect("mmap(PROT_EXEC)", "EPERM" if noexec else SUCCESS, outcome_of(map_executable))
        with buffer.map(place, readable) as mapping:
            expect("mprotect(PROT_EXEC)", "EACCES" if noexec else SUCCESS, outcome_of(
                lambda: calls.mprotect(mapping.address, size_bytes, readable | mmap.PROT_EXEC)))
    return "EPERM" if noexec else SUCCESS


@case(
    "mmap-contract/fixed", needs=(DESCRIPTOR, WRITABLE),
    rule="MAP_FIXED replaces the part of an own reservation that it names and no more; MAP_FIXED_NOREPLACE is EEXIST "
         "there.",
    source="mmap(2)",
)
def fixed(subject: Subject) -> None:
    size_bytes, prot = subject.size_bytes, subject.backend.prot
    room_bytes = size_bytes + 2 * PAGE_BYTES
    with subject.buffer() as buffer, contextlib.ExitStack() as stack:
        place, _stage = buffer.locate()
        room = calls.reserve(room_bytes)
        stack.callback(calls.munmap, room, room_bytes)
        wanted = room + PAGE_BYTES
        expect_errno("mmap(MAP_FIXED_NOREPLACE)", errno.EEXIST, lambda: calls.mmap(
            wanted, size_bytes, prot, place.flags | calls.MAP_FIXED_NOREPLACE, place.fd, place.offset))
        got = calls.mmap(wanted, size_bytes, prot, place.flags | calls.MAP_FIXED, place.fd, place.offset)
        expect("address of the mapping, from the reservation's start", PAGE_BYTES, got - room)
        memory.fill(wanted, size_bytes, _SEED)
        expect("first byte that was lost", None, memory.difference(wanted, size_bytes, _SEED))
        expect_signal("read of the page before it", signal.SIGSEGV, lambda: memory.read(room, 1))
        expect_signal("read of the page after it", signal.SIGSEGV, lambda: memory.read(wanted + size_bytes, 1))


@case(
    "mmap-contract/read-only-file", needs=(DESCRIPTOR,),
    rule="A file that was opened O_RDONLY may be mapped shared and readable; writable it is EACCES, and mprotect() "
         "cannot make it so.",
    source="mm/mmap.c, do_mmap(): FMODE_WRITE",
)
def read_only_file(subject: Subject) -> None:
    with read_only_place(subject) as place:
        def map_with(prot: int) -> int:
            return calls.mmap(0, subject.size_bytes, prot, place.flags, place.fd, place.offset)

        expect_errno("mmap(PROT_WRITE)", errno.EACCES, lambda: map_with(mmap.PROT_READ | mmap.PROT_WRITE))
        address = map_with(mmap.PROT_READ)
        try:
            expect_errno("mprotect(PROT_WRITE)", errno.EACCES, lambda: calls.mprotect(
                address, subject.size_bytes, mmap.PROT_READ | mmap.PROT_WRITE))
            memory.read(address, subject.size_bytes)
        finally:
            calls.munmap(address, subject.size_bytes)


@case(
    "mmap-contract/private", needs=(DESCRIPTOR, WRITABLE, VM_FLAGS),
    rule="A private mapping is a copy: its stores never reach the buffer. Where page frames are mapped at a fault "
         "there can be no copy, and MAP_PRIVATE is EINVAL.",
    source="mm/memory.c, vmf_insert_pfn_prot(): BUG_ON() of a COW mapping; drivers/gpu/drm/drm_gem_shmem_helper.c",
)
def private(subject: Subject) -> str:
    size_bytes = subject.size_bytes
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as shared:
            memory.fill(shared.address, size_bytes, _SEED)
        refused = _cannot_be_private(subject)
        expect("mmap(MAP_PRIVATE)", "EINVAL" if refused else SUCCESS,
               outcome_of(lambda: calls.munmap(_map_private(subject, place), size_bytes)))
        if refused:
            return "EINVAL"
        address = _map_private(subject, place)
        try:
            expect("first byte that differs in the private mapping", None,
                   memory.difference(address, size_bytes, _SEED))
            memory.fill(address, size_bytes, _OTHER_SEED)
            expect("first byte that the private mapping lost", None,
                   memory.difference(address, size_bytes, _OTHER_SEED))
        finally:
            calls.munmap(address, size_bytes)
        with buffer.map(place, subject.backend.prot) as shared:
            expect("first byte that the private mapping changed in the buffer", None,
                   memory.difference(shared.address, size_bytes, _SEED))
    return "a copy"


def _map_private(subject: Subject, place: MmapOffset) -> int:
    flags = place.flags & ~calls.MAP_SHARED | mmap.MAP_PRIVATE
    return calls.mmap(0, subject.size_bytes, subject.backend.prot, flags, place.fd, place.offset)


def _cannot_be_private(subject: Subject) -> bool:
    """Whether pages come by page frame number and at the fault, or by GEM shmem before 5.16, which refuses as well."""
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as shared:
            flags = subject.vm_flags(shared.address)
            lazy = any(memory.touch(shared.address, subject.size_bytes, store=False))
    return (PFNMAP in flags and lazy) or (MIXEDMAP in flags and IO not in flags)
