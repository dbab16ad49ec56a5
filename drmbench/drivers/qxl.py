# SPDX-License-Identifier: MIT
"""qxl: ALLOC or ALLOC_SURF -> MAP (drivers/gpu/drm/qxl/qxl_ioctl.c) on TTM."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage

_SURFACE_FORMAT_32_XRGB = 32  # SPICE_SURFACE_FMT_32_xRGB
_ROW_BYTES = 4096


class QxlBackend(GemBackend):
    """Buffers of QEMU's SPICE display; ALLOC puts them into VRAM, ALLOC_SURF into surface memory."""

    name: ClassVar[str] = "qxl"
    drivers: ClassVar[frozenset[str]] = frozenset({"qxl"})
    all_kinds: ClassVar[tuple[str, ...]] = ("gem:vram", "gem:surface")
    steps: ClassVar[dict[str, str]] = {"create": "ALLOC", "map_offset": "MAP", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer in VRAM, or a surface of 4 KiB rows; the driver keeps one row more for itself."""
        if kind == "gem:vram":
            made, stage = self.call(lib.DRM_IOCTL_QXL_ALLOC, "struct drm_qxl_alloc", {"size": size_bytes})
            given_bytes = size_bytes
        else:
            made, stage = self.call(
                lib.DRM_IOCTL_QXL_ALLOC_SURF, "struct drm_qxl_alloc_surf",
                {"format": _SURFACE_FORMAT_32_XRGB, "width": _ROW_BYTES // 4,
                 "height": size_bytes // _ROW_BYTES, "stride": _ROW_BYTES},
            )
            given_bytes = size_bytes + _ROW_BYTES
        return BufferObject(made.handle, given_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """MAP."""
        place, stage = self.call(lib.DRM_IOCTL_QXL_MAP, "struct drm_qxl_map", {"handle": buffer_object.handle})
        return self.place(place.offset), stage
