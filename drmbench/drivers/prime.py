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
        flags = os.O_RDWR | os.O_CLOEXEC
        export = ffi.new("struct drm_prime_handle *", {"handle": buffer_object.handle, "flags": flags})
        stage = timed_ioctl(self._fd, lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, export)
        return MmapOffset(export.fd, 0, mmap.MAP_SHARED, owned=True, sync=True), stage

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """Drop the handle; the dma-buf's descriptor is closed by its owner, the Buffer."""
        return self._inner.destroy(buffer_object)
