# SPDX-License-Identifier: MIT
"""amdgpu: GEM_CREATE -> GEM_MMAP (drivers/gpu/drm/amd/amdgpu/amdgpu_gem.c) on TTM."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage

# Domain and flags of each kind. GDS, GWS and OA are on-chip resources without pages, and NO_CPU_ACCESS says that
# the CPU will never map the buffer: amdgpu_mode_dumb_mmap() and amdgpu_gem_object_mmap() refuse them.
_PLACEMENTS: dict[str, tuple[int, int]] = {
    "gem:vram": (lib.AMDGPU_GEM_DOMAIN_VRAM, lib.AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED),
    "gem:gtt": (lib.AMDGPU_GEM_DOMAIN_GTT, 0),
    "gem:gtt-uswc": (lib.AMDGPU_GEM_DOMAIN_GTT, lib.AMDGPU_GEM_CREATE_CPU_GTT_USWC),
    "gem:cpu": (lib.AMDGPU_GEM_DOMAIN_CPU, 0),
    "gem:no-cpu-access": (lib.AMDGPU_GEM_DOMAIN_VRAM, lib.AMDGPU_GEM_CREATE_NO_CPU_ACCESS),
    "gem:gds": (lib.AMDGPU_GEM_DOMAIN_GDS, 0),
    "gem:gws": (lib.AMDGPU_GEM_DOMAIN_GWS, 0),
    "gem:oa": (lib.AMDGPU_GEM_DOMAIN_OA, 0),
}
_ON_CHIP = {"gem:gds", "gem:gws", "gem:oa"}


class AmdgpuBackend(GemBackend):
    """AMD buffers; placement and caching are chosen at creation."""

    name: ClassVar[str] = "amdgpu"
    drivers: ClassVar[frozenset[str]] = frozenset({"amdgpu"})
    all_kinds: ClassVar[tuple[str, ...]] = tuple(_PLACEMENTS)
    steps: ClassVar[dict[str, str]] = {"create": "GEM_CREATE", "map_offset": "GEM_MMAP", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer in the domain of `kind`; EOPNOTSUPP for an on-chip one, which has no pages to map."""
        if kind in _ON_CHIP:
            raise OSError(errno.EOPNOTSUPP, f"{kind[4:].upper()} is an on-chip resource without pages to map")
        domains, flags = _PLACEMENTS[kind]
        made, stage = self.call(
            lib.DRM_IOCTL_AMDGPU_GEM_CREATE, "union drm_amdgpu_gem_create",
            {"in": {"bo_size": size_bytes, "domains": domains, "domain_flags": flags}},
        )
        return BufferObject(made.out.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_MMAP."""
        place, stage = self.call(lib.DRM_IOCTL_AMDGPU_GEM_MMAP, "union drm_amdgpu_gem_mmap",
                                 {"in": {"handle": buffer_object.handle}})
        return self.place(place.out.addr_ptr), stage
