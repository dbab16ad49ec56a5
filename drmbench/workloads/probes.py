# SPDX-License-Identifier: MIT
"""Single questions to a mapping: private copies, fork, life after close, huge pages. Untimed, each on fresh buffers."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import mmap
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drmbench import native
from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.conformance import memory
from drmbench.errors import DrmbenchError, errno_name
from drmbench.model import ACCEPTED, AfterClose, ForkedChild, HugeProbe
from drmbench.stats import prefault_window_pages
from drmbench.vma import vma_info
from drmbench.workloads.order import page_order
from drmbench.workloads.passes import count_pass, native_access

if TYPE_CHECKING:
    from drmbench.buffer import Mapping
    from drmbench.drivers.protocol import Backend, MmapOffset
    from drmbench.targets import Target

_SEED = 0xD3
_PMD_SIZE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
_PMD_BYTES = 2 << 20
_LARGEST_PMD_BYTES = 32 << 20


def private_mapping(buffer: Buffer, place: MmapOffset, prot: int) -> str | None:
    """What mmap(MAP_PRIVATE) says, "accepted" or its errno's name; never touched. None where an ioctl maps.

    A fault handler that inserts bare page frames must refuse it: vmf_insert_pfn() in mm/memory.c has a BUG_ON
    for a copy-on-write mapping. drm_gem_shmem_mmap() and ttm_bo_mmap_obj() do.
    """
    if place.map_here is not None:
        return None
    asked = dataclasses.replace(place, flags=place.flags & ~mmap.MAP_SHARED | mmap.MAP_PRIVATE)
    try:
        with buffer.map(asked, prot):
            return ACCEPTED
    except DrmbenchError as refusal:
        return errno_name(refusal.errno or errno.EIO)


def forked_child(mapping: Mapping, backend: Backend) -> ForkedChild:
    """Faults of one child that reads all pages, and of another one that writes them; the parent has written them."""
    pages = page_order("sequential", mapping.size_bytes // PAGE_BYTES, 0)
    counted: list[int] = []  # by a reader, by a writer
    try:
        for access in (native.READ, native_access(backend, "write")):
            span = native.Span(mapping.address, mapping.size_bytes, PAGE_BYTES, pages, access)
            counted.append(int(span.count_faults_in_child().sum(dtype=np.int64)))
    except native.TouchFaultError as fault:
        return ForkedChild(None, None, signal.Signals(fault.signal_number).name)
    except OSError as error:
        raise DrmbenchError(mapping.who, "fork", errno=error.errno or errno.EIO) from None
    return ForkedChild(counted[0], counted[1])


def after_close(target: Target, kind: str, size_bytes: int) -> AfterClose | None:
    """Whether a mapping outlives its handle and its descriptor; None where the buffer is its mapping.

    A pattern is stored in the first half of the pages; the second half is not touched until both are gone.
    """
    half = (size_bytes // PAGE_BYTES + 1) // 2 * PAGE_BYTES
    order = page_order("sequential", size_bytes // PAGE_BYTES, 0)
    with contextlib.ExitStack() as still_mapped:
        with target.open() as backend:
            if not backend.mappable_again:
                return None
            access = native_access(backend, "write")
            with Buffer(target.buffer_label(kind), backend, kind, size_bytes) as buffer:
                place, _stage = buffer.locate()
                mapping = still_mapped.enter_context(buffer.map(place, backend.prot))
                if access == native.WRITE:
                    _store(mapping, half)
        try:
            kept = memory.difference(mapping.address, half, _SEED) is None if access == native.WRITE else None
            span = native.Span(mapping.address, size_bytes, PAGE_BYTES, order, access)
            faults = int(span.count_faults().sum(dtype=np.int64))
        except (native.TouchFaultError, memory.SignalError) as fault:
            return AfterClose(None, None, signal.Signals(fault.signal_number).name)
        return AfterClose(faults, None if kept is None else "kept" if kept else "lost")


def _store(mapping: Mapping, size_bytes: int) -> None:
    try:
        with mapping.touching():
            memory.fill(mapping.address, size_bytes, _SEED)
    except memory.SignalError as fault:
        raise DrmbenchError(mapping.who, "store", errno=errno.EFAULT, reason=str(fault)) from None


def pmd_bytes() -> int:
    """What one entry of the page middle directory maps; 2 MiB where the kernel does not say."""
    try:
        return int(_PMD_SIZE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _PMD_BYTES


def huge_pages(target: Target, kind: str, unit_bytes: int) -> HugeProbe:
    """Count the faults of two PMDs' worth of pages at an aligned address, then of a fresh buffer a page beside one.

    Raises DrmbenchError where the driver chooses the address or has not that much.
    """
    who = target.buffer_label(kind)
    if unit_bytes > _LARGEST_PMD_BYTES:
        raise DrmbenchError(who, "huge", reason=f"a PMD maps {unit_bytes >> 20} MiB here")
    size_bytes = 2 * unit_bytes
    pages = page_order("sequential", size_bytes // PAGE_BYTES, 0)
    found: list[tuple[int, int | None]] = []
    pmd_mapped = 0
    for shift in (0, PAGE_BYTES):
        with target.open() as backend, Buffer(who, backend, kind, size_bytes) as buffer:
            place, _stage = buffer.locate()
            wanted = _free_address(size_bytes, unit_bytes) + shift
            with buffer.map(place, backend.prot, hint=wanted) as mapping:
                if mapping.address != wanted:
                    raise DrmbenchError(who, "huge", reason="it is mapped at an address of the kernel's choice")
                faults = count_pass(mapping, pages, native_access(backend, "write"))
                found.append((int(faults.sum(dtype=np.int64)), prefault_window_pages(faults)))
                seen = vma_info(mapping.address)
                pmd_mapped = pmd_mapped or (seen.pmd_mapped_bytes if seen is not None else 0)
    (aligned, aligned_window), (shifted, shifted_window) = found
    return HugeProbe(size_bytes, unit_bytes, aligned, aligned_window, shifted, shifted_window, pmd_mapped)


def _free_address(size_bytes: int, alignment: int) -> int:
    """An aligned address with room for `size_bytes` and a page; this thread is the only one that maps."""
    room = size_bytes + alignment + PAGE_BYTES
    address, _stage = native.timed_mmap(0, room, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    native.timed_munmap(address, room)
    return -(-address // alignment) * alignment
