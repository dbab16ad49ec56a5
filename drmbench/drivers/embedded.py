# SPDX-License-Identifier: MIT
"""Drivers whose uAPI is one call for a handle and one for its offset: a short entry each.

v3d, panfrost, lima and msm are GEM shmem or their own pages, nouveau is TTM (drivers/gpu/drm/*). None of these
could be tried on hardware or in the lab yet; their layouts are checked against the kernel's headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage

_STEPS = {"create": "CREATE_BO", "map_offset": "MMAP_BO", "destroy": "GEM_CLOSE"}


class V3dBackend(GemBackend):
    """Broadcom V3D (Raspberry Pi 4 and 5)."""

    name: ClassVar[str] = "v3d"
    drivers: ClassVar[frozenset[str]] = frozenset({"v3d"})
    all_kinds: ClassVar[tuple[str, ...]] = ("gem",)
    steps: ClassVar[dict[str, str]] = _STEPS

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """CREATE_BO."""
        made, stage = self.call(lib.DRM_IOCTL_V3D_CREATE_BO, "struct drm_v3d_create_bo", {"size": size_bytes})
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """MMAP_BO."""
        place, stage = self.call(lib.DRM_IOCTL_V3D_MMAP_BO, "struct drm_v3d_mmap_bo",
                                 {"handle": buffer_object.handle})
        return self.place(place.offset), stage


class PanfrostBackend(GemBackend):
    """Arm Mali Midgard and Bifrost."""

    name: ClassVar[str] = "panfrost"
    drivers: ClassVar[frozenset[str]] = frozenset({"panfrost"})
    all_kinds: ClassVar[tuple[str, ...]] = ("gem",)
    steps: ClassVar[dict[str, str]] = _STEPS

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """CREATE_BO."""
        made, stage = self.call(lib.DRM_IOCTL_PANFROST_CREATE_BO, "struct drm_panfrost_create_bo",
                                {"size": size_bytes})
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """MMAP_BO."""
        place, stage = self.call(lib.DRM_IOCTL_PANFROST_MMAP_BO, "struct drm_panfrost_mmap_bo",
                                 {"handle": buffer_object.handle})
        return self.place(place.offset), stage


class LimaBackend(GemBackend):
    """Arm Mali 400 and 450."""

    name: ClassVar[str] = "lima"
    drivers: ClassVar[frozenset[str]] = frozenset({"lima"})
    all_kinds: ClassVar[tuple[str, ...]] = ("gem",)
    steps: ClassVar[dict[str, str]] = {"create": "GEM_CREATE", "map_offset": "GEM_INFO", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """GEM_CREATE."""
        made, stage = self.call(lib.DRM_IOCTL_LIMA_GEM_CREATE, "struct drm_lima_gem_create", {"size": size_bytes})
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_INFO."""
        place, stage = self.call(lib.DRM_IOCTL_LIMA_GEM_INFO, "struct drm_lima_gem_info",
                                 {"handle": buffer_object.handle})
        return self.place(place.offset), stage


class MsmBackend(GemBackend):
    """Qualcomm Adreno; the caching mode is chosen at creation."""

    name: ClassVar[str] = "msm"
    drivers: ClassVar[frozenset[str]] = frozenset({"msm"})
    _flags: ClassVar[dict[str, int]] = {"gem:wc": lib.MSM_BO_WC, "gem:cached": lib.MSM_BO_CACHED}
    all_kinds: ClassVar[tuple[str, ...]] = tuple(_flags)
    steps: ClassVar[dict[str, str]] = {"create": "GEM_NEW", "map_offset": "GEM_INFO", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """GEM_NEW."""
        made, stage = self.call(lib.DRM_IOCTL_MSM_GEM_NEW, "struct drm_msm_gem_new",
                                {"size": size_bytes, "flags": self._flags[kind]})
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_INFO with its default question, MSM_INFO_GET_OFFSET."""
        place, stage = self.call(lib.DRM_IOCTL_MSM_GEM_INFO, "struct drm_msm_gem_info",
                                 {"handle": buffer_object.handle})
        return self.place(place.value), stage


class NouveauBackend(GemBackend):
    """NVIDIA with the nouveau driver; the offset comes with the buffer, GEM_INFO tells it again."""

    name: ClassVar[str] = "nouveau"
    drivers: ClassVar[frozenset[str]] = frozenset({"nouveau"})
    _domains: ClassVar[dict[str, int]] = {
        "gem:vram": lib.NOUVEAU_GEM_DOMAIN_VRAM | lib.NOUVEAU_GEM_DOMAIN_MAPPABLE,
        "gem:gart": lib.NOUVEAU_GEM_DOMAIN_GART | lib.NOUVEAU_GEM_DOMAIN_MAPPABLE,
    }
    all_kinds: ClassVar[tuple[str, ...]] = tuple(_domains)
    steps: ClassVar[dict[str, str]] = {"create": "GEM_NEW", "map_offset": "GEM_INFO", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """GEM_NEW."""
        made, stage = self.call(lib.DRM_IOCTL_NOUVEAU_GEM_NEW, "struct drm_nouveau_gem_new",
                                {"info": {"size": size_bytes, "domain": self._domains[kind]}})
        return BufferObject(made.info.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_INFO."""
        place, stage = self.call(lib.DRM_IOCTL_NOUVEAU_GEM_INFO, "struct drm_nouveau_gem_info",
                                 {"handle": buffer_object.handle})
        return self.place(place.map_handle), stage
