# SPDX-License-Identifier: MIT
"""Fake offsets: which of them mmap() accepts, from whom, and how much of them."""

from __future__ import annotations

import contextlib
import errno
import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import SUCCESS, case, errno_of, expect, expect_errno
from drmbench.conformance.needs import DRM, FAKE_OFFSET, OFFSET_BY_IOCTL, WRITABLE
from drmbench.conformance.vm_flags import IO, VM_FLAGS
from drmbench.drivers.prime import PREFIX
from drmbench.drivers.protocol import BufferObject
from drmbench.errors import DrmbenchError, errno_name

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

_SEED = 1
_BUFFERS = 24
_ATTEMPTS = 4
_PAUSE_S = 0.05
_TTM_WINDOW_PAGES = 16
_SOURCE = "drivers/gpu/drm/drm_gem.c, drm_gem_mmap()"


def _map_whole(subject: Subject, fd: int, offset: int, size_bytes: int) -> int:
    return calls.mmap(0, size_bytes, subject.backend.prot, calls.MAP_SHARED, fd, offset)


@case(
    "fake-offset/interior", needs=(FAKE_OFFSET,), source=_SOURCE,
    rule="Only the exact start of a buffer's offset range can be mapped; a page further in is EINVAL.",
)
def interior(subject: Subject) -> None:
    with subject.buffer(max(subject.size_bytes, 2 * PAGE_BYTES)) as buffer:
        place, _stage = buffer.locate()
        expect_errno("mmap(one page in)", errno.EINVAL,
                     lambda: _map_whole(subject, place.fd, place.offset + PAGE_BYTES, PAGE_BYTES))


@case(
    "fake-offset/one-page-over", needs=(FAKE_OFFSET,), source="drivers/gpu/drm/drm_gem.c, drm_gem_mmap_obj()",
    rule="A mapping one page longer than the buffer is EINVAL.",
)
def one_page_over(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        expect_errno("mmap(object's size + one page)", errno.EINVAL,
                     lambda: _map_whole(subject, place.fd, place.offset, buffer.object_bytes + PAGE_BYTES))


@case(
    "fake-offset/below-4-gib", needs=(FAKE_OFFSET,), source="include/drm/drm_vma_manager.h, DRM_FILE_PAGE_OFFSET_START",
    rule="No fake offset lies below 4 GiB, and mapping one there is EINVAL.",
)
def below_4_gib(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        expect("fake offset of at least 4 GiB", expected=True, actual=place.offset >= 1 << 32)
        expect_errno("mmap(offset 0)", errno.EINVAL, lambda: _map_whole(subject, place.fd, 0, PAGE_BYTES))


@case(
    "fake-offset/other-file", needs=(FAKE_OFFSET,),
    source="drivers/gpu/drm/drm_vma_manager.c, drm_vma_node_is_allowed()",
    rule="An open file that never had a handle of the buffer may not map its offset: EACCES.",
)
def other_file(subject: Subject) -> None:
    with subject.buffer() as buffer, subject.open_again() as stranger:
        place, _stage = buffer.locate()
        expect_errno("mmap(another open file)", errno.EACCES,
                     lambda: _map_whole(subject, stranger.fd, place.offset, subject.size_bytes))


@case(
    "fake-offset/foreign-handle", needs=(DRM, OFFSET_BY_IOCTL),
    rule="A handle means nothing on another open file: asking there for its offset, or its dma-buf, is ENOENT.",
    source="drivers/gpu/drm/drm_gem.c, drm_gem_object_lookup()",
)
def foreign_handle(subject: Subject) -> None:
    with subject.buffer() as buffer, subject.open_again() as stranger:
        foreign = BufferObject(buffer.handle, subject.size_bytes, subject.kind)
        step = "export" if subject.kind.startswith(PREFIX) else "map_offset"
        expect_errno(f"{subject.backend.steps[step]} (handle of another open file)", errno.ENOENT,
                     lambda: stranger.backend.map_offset(foreign))


@case(
    "fake-offset/destroyed", needs=(FAKE_OFFSET,), source=_SOURCE,
    rule="The offset of a buffer that is gone is EINVAL.",
)
def destroyed(subject: Subject) -> None:
    for attempt in range(_ATTEMPTS):
        with subject.buffer() as buffer:
            place, _stage = buffer.locate()
        number = errno_of(partial(_map_whole, subject, subject.fd, place.offset, subject.size_bytes))
        # Somebody else's new buffer may have taken the offset, and i915 frees after a grace period.
        if number != errno.EACCES:
            break
        time.sleep(_PAUSE_S * attempt)
    expect("mmap(offset of a destroyed buffer)", "EINVAL", SUCCESS if number is None else errno_name(number))


@case(
    "fake-offset/closed-but-mapped", needs=(FAKE_OFFSET, WRITABLE, VM_FLAGS), source=f"{_SOURCE}; "
    "drivers/gpu/drm/drm_gem_ttm_helper.c, drm_gem_ttm_mmap()",
    rule="A mapping keeps a buffer whose handle was closed, but its offset cannot be mapped again: EACCES, as the file "
         "lost its right. TTM may say EINVAL instead: its mappings have kept the buffer without its GEM object (seen "
         "on 6.1 and 6.12, not on 5.10 and 7.3).",
)
def closed_but_mapped(subject: Subject) -> str:
    size_bytes = max(subject.size_bytes, _TTM_WINDOW_PAGES * 2 * PAGE_BYTES)
    with subject.buffer(size_bytes) as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as mapping:
            allowed = {errno.EACCES, errno.EINVAL} if _is_ttm(subject, mapping.address, size_bytes) else {errno.EACCES}
            memory.fill(mapping.address, size_bytes, _SEED)
            buffer.destroy()
            number = expect_errno("mmap(offset of a closed handle)", sorted(allowed),
                                  lambda: _map_whole(subject, subject.fd, place.offset, size_bytes))
            expect("first byte that was lost", None, memory.difference(mapping.address, size_bytes, _SEED))
    return errno_name(number)


def _is_ttm(subject: Subject, address: int, size_bytes: int) -> bool:
    """TTM_BO_VM_NUM_PREFAULT pages at a fault in a VM_IO mapping: no other helper of DRM does both."""
    faults = memory.touch(address, size_bytes, store=False)
    window = [page for page, count in enumerate(faults) if count][:2]
    return IO in subject.vm_flags(address) and window == [0, _TTM_WINDOW_PAGES]


def _smallest_buffer(subject: Subject) -> int:
    """A page where the driver makes so small a buffer; VRAM may come in blocks of 64 KiB (xe)."""
    for size_bytes in (PAGE_BYTES, 64 << 10):
        with contextlib.suppress(DrmbenchError), subject.buffer(size_bytes):
            return size_bytes
    return subject.size_bytes


@case(
    "fake-offset/no-overlap", needs=(FAKE_OFFSET,), source="drivers/gpu/drm/drm_vma_manager.c, drm_vma_offset_add()",
    rule="The offset ranges of two buffers never overlap, also where buffers come and go, and start at a page.",
)
def no_overlap(subject: Subject) -> None:
    unit_bytes = _smallest_buffer(subject)
    with contextlib.ExitStack() as kept:
        ranges = []
        for number in range(_BUFFERS):
            size_bytes = (1 + number % 5) * unit_bytes
            with subject.buffer(size_bytes) as gone:
                gone.locate()
                place, _stage = kept.enter_context(subject.buffer(size_bytes)).locate()
            ranges.append((place.offset, place.offset + size_bytes))
    expect("offsets inside a page", [], [first for first, _end in ranges if first % PAGE_BYTES])
    ranges.sort()
    overlaps = [f"{one[0]:#x} to {one[1]:#x} and {other[0]:#x}" for one, other in pairwise(ranges) if other[0] < one[1]]
    expect("offset ranges that overlap", [], overlaps)
