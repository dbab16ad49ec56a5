# SPDX-License-Identifier: MIT
"""What mmap(2) promises of any mapping, held against a buffer's."""

from __future__ import annotations

import errno
import mmap
import os
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.case import case, expect, expect_errno
from drmbench.conformance.needs import DESCRIPTOR, DRM, WRITABLE

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

_SEED = 1


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
