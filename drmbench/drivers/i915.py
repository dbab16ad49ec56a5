# SPDX-License-Identifier: MIT
"""i915: GEM_CREATE -> GEM_MMAP_OFFSET, or the legacy GEM_MMAP (drivers/gpu/drm/i915/gem/i915_gem_mman.c)."""

from __future__ import annotations

from typing import ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset
from drmbench.native import Stage


class I915Backend(GemBackend):
    """Intel buffers; the caching mode belongs to the mapping, so it is chosen with the fake offset.

    Integrated graphics take wb, wc, uc and, with an aperture, gtt; boards with local memory only fixed.
    """

    name: ClassVar[str] = "i915"
    drivers: ClassVar[frozenset[str]] = frozenset({"i915"})
    _modes: ClassVar[dict[str, int]] = {
        "gem:wb": lib.I915_MMAP_OFFSET_WB,
        "gem:wc": lib.I915_MMAP_OFFSET_WC,
        "gem:uc": lib.I915_MMAP_OFFSET_UC,
        "gem:gtt": lib.I915_MMAP_OFFSET_GTT,
        "gem:fixed": lib.I915_MMAP_OFFSET_FIXED,
    }
    all_kinds: ClassVar[tuple[str, ...]] = (*_modes, "gem:legacy")
    steps: ClassVar[dict[str, str]] = {
        "create": "GEM_CREATE", "map_offset": "GEM_MMAP_OFFSET", "mmap": "GEM_MMAP", "destroy": "GEM_CLOSE",
    }

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer where the driver puts it by default: system memory, or local memory on a board that has it."""
        made, stage = self.call(lib.DRM_IOCTL_I915_GEM_CREATE, "struct drm_i915_gem_create", {"size": size_bytes})
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_MMAP_OFFSET with the mode of the kind; gem:legacy has no offset, its ioctl maps by itself."""
        if buffer_object.kind == "gem:legacy":
            return MmapOffset(self.fd, 0, 0, map_here=lambda size: self._legacy(buffer_object.handle, size)), Stage()
        place, stage = self.call(lib.DRM_IOCTL_I915_GEM_MMAP_OFFSET, "struct drm_i915_gem_mmap_offset",
                                 {"handle": buffer_object.handle, "flags": self._modes[buffer_object.kind]})
        return self.place(place.offset), stage

    def _legacy(self, handle: int, size_bytes: int) -> tuple[int, Stage]:
        mapped, stage = self.call(lib.DRM_IOCTL_I915_GEM_MMAP, "struct drm_i915_gem_mmap",
                                  {"handle": handle, "size": size_bytes})
        return mapped.addr_ptr, stage
