# SPDX-License-Identifier: MIT
"""dma-bufs without a DRM driver: /dev/udmabuf makes them from a memfd, /dev/dma_heap/NAME allocates them."""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import ClassVar

from drmbench._native import ffi, lib
from drmbench.drivers.protocol import BufferObject, MmapOffset
from drmbench.native import Stage, timed_close, timed_ioctl, timed_ioctl_value, timed_memfd

UDMABUF = "/dev/udmabuf"
DMA_HEAPS = "/dev/dma_heap"


class _DmaBufBackend:
    """Its buffer object is the dma-buf's descriptor."""

    steps: ClassVar[dict[str, str]]
    mappable_again: ClassVar[bool] = True
    stores_nothing: ClassVar[bool] = False
    prot = mmap.PROT_READ | mmap.PROT_WRITE

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """A dma-buf is mapped at 0; no system call, so the Stage is empty."""
        return MmapOffset(buffer_object.handle, 0, mmap.MAP_SHARED, sync=True), Stage()

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """close()."""
        return timed_close(buffer_object.handle)


class UdmabufBackend(_DmaBufBackend):
    """UDMABUF_CREATE over a sealed memfd (drivers/dma-buf/udmabuf.c)."""

    kinds: ClassVar[tuple[str, ...]] = ("udmabuf",)
    steps: ClassVar[dict[str, str]] = {"create": "UDMABUF_CREATE", "destroy": "close"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """memfd_create(), F_SEAL_SHRINK, UDMABUF_CREATE; the driver's size_limit_mb refuses more with EINVAL."""
        memfd, made = timed_memfd("drmbench", size_bytes, sealable=True)
        try:
            fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            create = ffi.new("struct udmabuf_create *", {
                "memfd": memfd, "flags": lib.UDMABUF_FLAGS_CLOEXEC, "size": size_bytes,
            })
            descriptor, stage = timed_ioctl_value(self._fd, lib.UDMABUF_CREATE, create)
        finally:
            os.close(memfd)
        return BufferObject(descriptor, size_bytes, kind), made + stage


class DmaHeapBackend(_DmaBufBackend):
    """DMA_HEAP_IOCTL_ALLOC on one heap (drivers/dma-buf/dma-heap.c)."""

    kinds: ClassVar[tuple[str, ...]] = ("dma-heap",)
    steps: ClassVar[dict[str, str]] = {"create": "DMA_HEAP_IOCTL_ALLOC", "destroy": "close"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """One allocation of the heap."""
        flags = os.O_RDWR | os.O_CLOEXEC
        wanted = ffi.new("struct dma_heap_allocation_data *", {"len": size_bytes, "fd_flags": flags})
        stage = timed_ioctl(self._fd, lib.DMA_HEAP_IOCTL_ALLOC, wanted)
        return BufferObject(wanted.fd, size_bytes, kind), stage
