# SPDX-License-Identifier: MIT
"""The kernel's side of one thread: the open files, handles, dma-bufs and mappings behind the slots."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.conformance import calls
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.subject import OpenFile, open_file
from drmbench.drivers.protocol import BufferObject
from drmbench.native import timed_ioctl
from drmbench.stress.port import present
from drmbench.stress.steps import PROT_BITS

if TYPE_CHECKING:
    from drmbench.drivers.protocol import MmapOffset
    from drmbench.stress.arena import Arena
    from drmbench.stress.port import Port
    from drmbench.stress.steps import Prot
    from drmbench.targets import Target

_NUMBERS_LOOKED_AT = 8


@dataclass(slots=True)
class Opened:
    """An open file, and the numbers of the GEM handles that it should have."""

    file: OpenFile
    numbers: set[int] = field(default_factory=set)

    def unknown_handles(self) -> list[int]:
        """Handles that it has besides; looking closes them."""
        last = max(self.numbers, default=0) + _NUMBERS_LOOKED_AT
        return [number for number in range(1, last + 1) if number not in self.numbers and self._exists(number)]

    def _exists(self, number: int) -> bool:
        try:
            timed_ioctl(self.file.fd, lib.DRM_IOCTL_GEM_CLOSE, ffi.new("struct drm_gem_close *", {"handle": number}))
        except OSError:
            return False
        return True


@dataclass(slots=True)
class Held:
    """A handle as its driver names it, and the open file that it belongs to."""

    made: BufferObject
    opened: Opened


@dataclass(slots=True)
class Ground:
    """What a thread's steps act on. Every call raises OSError as the kernel refuses it.

    shared  the buffers of all threads, on an open file of their own
    port    takes the driver away, where that is allowed
    """

    target: Target
    kind: str
    arena: Arena
    shared: list[Held] = field(default_factory=list)
    port: Port | None = None
    files: dict[int, Opened] = field(default_factory=dict)
    handles: dict[int, Held] = field(default_factory=dict)
    dmabufs: dict[int, int] = field(default_factory=dict)
    _closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def open(self, slot: int) -> None:
        """Open the target once more, by the node that it has now."""
        self.files[slot] = Opened(self._closing.enter_context(open_file(present(self.target, self.port))))

    def close(self, slot: int) -> None:
        """Close an open file."""
        self.files.pop(slot).file.close()

    def close_all(self) -> None:
        """Close what open() opened and close() did not."""
        self.files.clear()
        self._closing.close()

    def create(self, slot: int, file: int, pages: int) -> BufferObject:
        """A fresh buffer."""
        opened = self.files[file]
        made, _stage = opened.file.backend.create(self.kind, pages * PAGE_BYTES)
        self.handles[slot] = Held(made, opened)
        return made

    def destroy(self, slot: int) -> None:
        """Give the handle back, perhaps not for the first time."""
        held = self.handles[slot]
        held.opened.file.backend.destroy(held.made)
        held.opened.numbers.discard(held.made.handle)

    def locate(self, slot: int) -> int:
        """The fake offset."""
        held = self.handles[slot]
        return held.opened.file.backend.map_offset(held.made)[0].offset

    def export(self, slot: int, dmabuf: int) -> None:
        """PRIME_HANDLE_TO_FD."""
        held = self.handles[slot]
        request = ffi.new("struct drm_prime_handle *", {
            "handle": held.made.handle, "flags": os.O_RDWR | os.O_CLOEXEC})
        timed_ioctl(held.opened.file.fd, lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, request)
        self.dmabufs[dmabuf] = request.fd

    def import_(self, dmabuf: int, file: int, slot: int, size_bytes: int) -> int:
        """PRIME_FD_TO_HANDLE; returns the handle's number."""
        opened = self.files[file]
        request = ffi.new("struct drm_prime_handle *", {"fd": self.dmabufs[dmabuf]})
        timed_ioctl(opened.file.fd, lib.DRM_IOCTL_PRIME_FD_TO_HANDLE, request)
        self.handles[slot] = Held(BufferObject(request.handle, size_bytes, self.kind), opened)
        return int(request.handle)

    def sync(self, dmabuf: int) -> None:
        """DMA_BUF_IOCTL_SYNC, begin and end."""
        for moment in (lib.DMA_BUF_SYNC_START, lib.DMA_BUF_SYNC_END):
            timed_ioctl(self.dmabufs[dmabuf], lib.DMA_BUF_IOCTL_SYNC,
                        ffi.new("struct dma_buf_sync *", {"flags": lib.DMA_BUF_SYNC_RW | moment}))

    def close_dmabuf(self, dmabuf: int) -> None:
        """close()."""
        os.close(self.dmabufs.pop(dmabuf))

    def map(self, mapping: int, held: Held, through: Opened, pages: int, prot: Prot) -> None:
        """mmap() the start of a handle's buffer, through the node's descriptor of another open file if need be."""
        place, _stage = held.opened.file.backend.map_offset(held.made)
        try:
            self._map_place(mapping, place, place.fd if held.opened is through else through.file.fd, pages, prot)
        finally:
            if place.owned:
                os.close(place.fd)

    def _map_place(self, mapping: int, place: MmapOffset, fd: int, pages: int, prot: Prot) -> None:
        size_bytes, address = pages * PAGE_BYTES, self.arena.address(mapping)
        if place.map_here is None:
            flags = place.flags | calls.MAP_FIXED_NOREPLACE
            calls.mmap(address, size_bytes, PROT_BITS[prot], flags, fd, place.offset)
            return
        found, _stage = place.map_here(size_bytes)
        calls.mremap(found, size_bytes, size_bytes, calls.MREMAP_MAYMOVE | calls.MREMAP_FIXED, address)
        calls.mprotect(address, size_bytes, PROT_BITS[prot])

    def map_dmabuf(self, mapping: int, slot: int, pages: int, prot: Prot) -> None:
        """mmap() of the dma-buf."""
        flags = calls.MAP_SHARED | calls.MAP_FIXED_NOREPLACE
        calls.mmap(self.arena.address(mapping), pages * PAGE_BYTES, PROT_BITS[prot], flags, self.dmabufs[slot], 0)

    def move(self, mapping: int, first: int, pages: int, to: int) -> None:
        """mremap() to the start of another slot."""
        size_bytes = pages * PAGE_BYTES
        calls.mremap(self.arena.address(mapping, first), size_bytes, size_bytes,
                     calls.MREMAP_MAYMOVE | calls.MREMAP_FIXED, self.arena.address(to))

    def resize(self, mapping: int, first: int, count: int, pages: int) -> None:
        """mremap() in place."""
        calls.mremap(self.arena.address(mapping, first), count * PAGE_BYTES, pages * PAGE_BYTES, 0)
