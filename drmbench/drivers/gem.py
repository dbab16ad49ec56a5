# SPDX-License-Identifier: MIT
"""What the native back-ends share: a GEM handle that comes from an ioctl and goes with GEM_CLOSE."""

from __future__ import annotations

import mmap
from typing import Any, ClassVar

from drmbench._native import ffi, lib
from drmbench.drivers.protocol import BufferObject, MmapOffset
from drmbench.native import Stage, timed_ioctl


class GemBackend:
    """One driver's own uAPI on an open node; a subclass makes handles and asks for their fake offsets."""

    name: ClassVar[str]
    node: ClassVar[str] = "any"
    drivers: ClassVar[frozenset[str]]
    """DRM driver names that speak this uAPI."""
    all_kinds: ClassVar[tuple[str, ...]]
    steps: ClassVar[dict[str, str]]
    mappable_again: ClassVar[bool] = True
    stores_nothing: ClassVar[bool] = False
    prot = mmap.PROT_READ | mmap.PROT_WRITE

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def offered(cls, fd: int, driver: str) -> bool:  # noqa: ARG003 (the name is enough)
        """Whether `driver` is one of `drivers`."""
        return driver in cls.drivers

    def call(self, request: int, struct: str, fields: dict[str, Any]) -> tuple[Any, Stage]:
        """One ioctl on the node; returns the struct as the kernel left it."""
        argument = ffi.new(f"{struct} *", fields)
        return argument, timed_ioctl(self.fd, request, argument)

    def place(self, offset: int) -> MmapOffset:
        """Where mmap() of this node finds a fake offset."""
        return MmapOffset(self.fd, offset, mmap.MAP_SHARED)

    @property
    def kinds(self) -> tuple[str, ...]:
        """As all_kinds."""
        return self.all_kinds

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """Make a fresh buffer of at least size_bytes."""
        raise NotImplementedError

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """Ask for the fake offset of the handle."""
        raise NotImplementedError

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """GEM_CLOSE."""
        _closed, stage = self.call(lib.DRM_IOCTL_GEM_CLOSE, "struct drm_gem_close", {"handle": buffer_object.handle})
        return stage
