# SPDX-License-Identifier: MIT
"""radeon: GEM_CREATE -> GEM_MMAP (drivers/gpu/drm/radeon/radeon_gem.c) on TTM."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage


class RadeonBackend(GemBackend):
    """Radeon buffers; a board without a working GART refuses gem:gtt with EINVAL."""

    name: ClassVar[str] = "radeon"
    drivers: ClassVar[frozenset[str]] = frozenset({"radeon"})
    _domains: ClassVar[dict[str, int]] = {
        "gem:vram": lib.RADEON_GEM_DOMAIN_VRAM,
        "gem:gtt": lib.RADEON_GEM_DOMAIN_GTT,
        "gem:cpu": lib.RADEON_GEM_DOMAIN_CPU,
    }
    all_kinds: ClassVar[tuple[str, ...]] = tuple(_domains)
    steps: ClassVar[dict[str, str]] = {"create": "GEM_CREATE", "map_offset": "GEM_MMAP", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer that starts in the domain of `kind`."""
        made, stage = self.call(lib.DRM_IOCTL_RADEON_GEM_CREATE, "struct drm_radeon_gem_create",
                                {"size": size_bytes, "initial_domain": self._domains[kind]})
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_MMAP."""
        place, stage = self.call(lib.DRM_IOCTL_RADEON_GEM_MMAP, "struct drm_radeon_gem_mmap",
                                 {"handle": buffer_object.handle, "size": buffer_object.size_bytes})
        return self.place(place.addr_ptr), stage
