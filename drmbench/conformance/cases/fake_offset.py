# SPDX-License-Identifier: MIT
"""Fake offsets: which of them mmap() accepts, from whom, and how much of them."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from drmbench.conformance import calls
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import case, expect, expect_errno
from drmbench.conformance.needs import FAKE_OFFSET

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

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
        expect_errno("mmap(size + one page)", errno.EINVAL,
                     lambda: _map_whole(subject, place.fd, place.offset, subject.size_bytes + PAGE_BYTES))


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
    "fake-offset/no-overlap", needs=(FAKE_OFFSET,), source="drivers/gpu/drm/drm_vma_manager.c, drm_vma_offset_add()",
    rule="The offset ranges of two buffers never overlap.",
)
def no_overlap(subject: Subject) -> None:
    with subject.buffer() as one, subject.buffer() as other:
        first, second = sorted(buffer.locate()[0].offset for buffer in (one, other))
        expect("the second offset is beyond the first buffer", expected=True,
               actual=second >= first + subject.size_bytes)
