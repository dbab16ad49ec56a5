# SPDX-License-Identifier: MIT
"""Dumb buffers: the one allocation uAPI that every modesetting driver shares.

CREATE_DUMB, MAP_DUMB and DESTROY_DUMB need the primary node but neither DRM master nor authentication
(drivers/gpu/drm/drm_ioctl.c marks them with no flag), and nothing here ever sets a mode.
"""

from __future__ import annotations

import errno
import mmap
from typing import ClassVar

from drmbench._native import ffi, lib
from drmbench.drivers.protocol import BufferObject, MmapOffset
from drmbench.native import Stage, timed_ioctl

# What drm_mode_create_dumb() and the DRM core answer where the driver has no dumb_create.
_ABSENT = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EACCES, errno.EPERM})

_BITS_PER_PIXEL = 32
_PITCH_BYTES = 4096  # a multiple of every driver's pitch alignment, so the size comes out exact


class DumbBackend:
    """Dumb buffers on an open primary node."""

    name: ClassVar[str] = "dumb"
    node: ClassVar[str] = "primary"
    all_kinds: ClassVar[tuple[str, ...]] = ("dumb",)
    steps: ClassVar[dict[str, str]] = {
        "create": "CREATE_DUMB",
        "map_offset": "MAP_DUMB",
        "destroy": "DESTROY_DUMB",
    }
    mappable_again: ClassVar[bool] = True
    stores_nothing: ClassVar[bool] = False
    prot = mmap.PROT_READ | mmap.PROT_WRITE

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def offered(cls, fd: int, driver: str) -> bool:  # noqa: ARG003 (any driver may)
        """Whether the driver has dumb buffers, found by making one page.

        DRM_CAP_DUMB_BUFFER does not tell: drm_getcap() answers EOPNOTSUPP for every driver without
        modesetting (drm_ioctl.c), and vgem, which has none, does make dumb buffers.
        """
        backend = cls(fd)
        try:
            made, _stage = backend.create("dumb", _PITCH_BYTES)
            backend.destroy(made)
        except OSError as error:
            return error.errno not in _ABSENT
        return True

    @property
    def kinds(self) -> tuple[str, ...]:
        """As all_kinds."""
        return self.all_kinds

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer one 4 KiB pitch wide; the kernel refuses 4 GiB and more with EINVAL (drm_dumb_buffers.c)."""
        height = -(-size_bytes // _PITCH_BYTES)
        if height >> 32:
            raise OSError(errno.EINVAL, "a dumb buffer's height has 32 bits")
        create = ffi.new("struct drm_mode_create_dumb *")
        create.bpp, create.width, create.height = _BITS_PER_PIXEL, _PITCH_BYTES * 8 // _BITS_PER_PIXEL, height
        stage = timed_ioctl(self._fd, lib.DRM_IOCTL_MODE_CREATE_DUMB, create)
        return BufferObject(create.handle, create.size, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """The fake offset of the handle on this open file."""
        request = ffi.new("struct drm_mode_map_dumb *")
        request.handle = buffer_object.handle
        stage = timed_ioctl(self._fd, lib.DRM_IOCTL_MODE_MAP_DUMB, request)
        return MmapOffset(self._fd, request.offset, mmap.MAP_SHARED), stage

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """Drop the handle."""
        request = ffi.new("struct drm_mode_destroy_dumb *")
        request.handle = buffer_object.handle
        return timed_ioctl(self._fd, lib.DRM_IOCTL_MODE_DESTROY_DUMB, request)
