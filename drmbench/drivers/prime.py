# SPDX-License-Identifier: MIT
"""PRIME: the dma-buf of any DRM buffer, mapped through its own descriptor (drivers/gpu/drm/drm_prime.c)."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.drivers.protocol import BufferObject, MmapOffset
from drmbench.native import timed_ioctl

if TYPE_CHECKING:
    from drmbench.drivers.protocol import DrmBackend
    from drmbench.native import Stage

PREFIX = "prime:"


def kinds_with_prime(backend: type[DrmBackend]) -> tuple[str, ...]:
    """The back-end's own kinds, then each of them exported as a dma-buf."""
    return (*backend.all_kinds, *(f"{PREFIX}{kind}" for kind in backend.all_kinds))


def export_handle(fd: int, handle: int) -> tuple[int, Stage]:
    """PRIME_HANDLE_TO_FD on the open node; returns the dma-buf's descriptor, which the caller closes."""
    request = ffi.new("struct drm_prime_handle *", {"handle": handle, "flags": os.O_RDWR | os.O_CLOEXEC})
    stage = timed_ioctl(fd, lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, request)
    return int(request.fd), stage


def import_dma_buf(fd: int, dma_buf: int) -> tuple[int, Stage]:
    """PRIME_FD_TO_HANDLE on the open node; returns the handle, which the caller closes."""
    request = ffi.new("struct drm_prime_handle *", {"fd": dma_buf})
    stage = timed_ioctl(fd, lib.DRM_IOCTL_PRIME_FD_TO_HANDLE, request)
    return int(request.handle), stage


def close_handle(fd: int, handle: int) -> Stage:
    """GEM_CLOSE on the open node."""
    return timed_ioctl(fd, lib.DRM_IOCTL_GEM_CLOSE, ffi.new("struct drm_gem_close *", {"handle": handle}))


class PrimeBackend:
    """A DRM back-end whose "prime:KIND" buffers are mapped through PRIME export instead of the fake offset."""

    def __init__(self, inner: DrmBackend, fd: int) -> None:
        self._inner = inner
        self._fd = fd
        self.kinds = kinds_with_prime(type(inner))
        self.steps = {**inner.steps, "export": "PRIME_HANDLE_TO_FD"}
        self.mappable_again = inner.mappable_again
        self.stores_nothing = inner.stores_nothing
        self.prot = inner.prot

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer of the kind behind the prefix."""
        made, stage = self._inner.create(kind.removeprefix(PREFIX), size_bytes)
        return BufferObject(made.handle, made.size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """PRIME_HANDLE_TO_FD for a "prime:" kind, else the back-end's own fake offset."""
        if not buffer_object.kind.startswith(PREFIX):
            return self._inner.map_offset(buffer_object)
        dma_buf, stage = export_handle(self._fd, buffer_object.handle)
        return MmapOffset(dma_buf, 0, mmap.MAP_SHARED, owned=True, sync=True), stage

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """Drop the handle; the dma-buf's descriptor is closed by its owner, the Buffer."""
        return self._inner.destroy(buffer_object)
