# SPDX-License-Identifier: MIT
"""xe: GEM_CREATE -> GEM_MMAP_OFFSET (drivers/gpu/drm/xe/xe_bo.c) on TTM."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

from drmbench._native import ffi, lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage

# memory class, caching mode, flags
_PLACEMENTS: dict[str, tuple[int, int, int]] = {
    "gem:system-wb": (lib.DRM_XE_MEM_REGION_CLASS_SYSMEM, lib.DRM_XE_GEM_CPU_CACHING_WB, 0),
    "gem:system-wc": (lib.DRM_XE_MEM_REGION_CLASS_SYSMEM, lib.DRM_XE_GEM_CPU_CACHING_WC, 0),
    "gem:vram": (lib.DRM_XE_MEM_REGION_CLASS_VRAM, lib.DRM_XE_GEM_CPU_CACHING_WC,
                 lib.DRM_XE_GEM_CREATE_FLAG_NEEDS_VISIBLE_VRAM),
}


class XeBackend(GemBackend):
    """Intel Xe buffers; placement is a bit mask of the memory regions that the device reports."""

    name: ClassVar[str] = "xe"
    drivers: ClassVar[frozenset[str]] = frozenset({"xe"})
    all_kinds: ClassVar[tuple[str, ...]] = tuple(_PLACEMENTS)
    steps: ClassVar[dict[str, str]] = {
        "create": "GEM_CREATE", "map_offset": "GEM_MMAP_OFFSET", "destroy": "GEM_CLOSE",
    }

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer in every region of the kind's class; ENODEV where the device has none (no VRAM)."""
        memory_class, caching, flags = _PLACEMENTS[kind]
        made, stage = self.call(
            lib.DRM_IOCTL_XE_GEM_CREATE, "struct drm_xe_gem_create",
            {"size": size_bytes, "placement": self._regions(memory_class), "cpu_caching": caching, "flags": flags},
        )
        return BufferObject(made.handle, size_bytes, kind), stage

    def _regions(self, memory_class: int) -> int:
        """The placement mask: bit `instance` of each region of the class. Asked for before anything is timed."""
        query = {"query": lib.DRM_XE_DEVICE_QUERY_MEM_REGIONS}
        needed, _stage = self.call(lib.DRM_IOCTL_XE_DEVICE_QUERY, "struct drm_xe_device_query", query)
        room = ffi.new("char[]", max(1, int(needed.size)))
        self.call(lib.DRM_IOCTL_XE_DEVICE_QUERY, "struct drm_xe_device_query",
                  {**query, "size": needed.size, "data": int(ffi.cast("uintptr_t", room))})
        found = ffi.cast("struct drm_xe_query_mem_regions *", room)
        mask = 0
        for index in range(found.num_mem_regions):
            region = found.mem_regions[index]
            mask |= 1 << region.instance if region.mem_class == memory_class else 0
        if mask == 0:
            raise OSError(errno.ENODEV, "the device has no memory region of this class")
        return mask

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_MMAP_OFFSET."""
        place, stage = self.call(lib.DRM_IOCTL_XE_GEM_MMAP_OFFSET, "struct drm_xe_gem_mmap_offset",
                                 {"handle": buffer_object.handle})
        return self.place(place.offset), stage
