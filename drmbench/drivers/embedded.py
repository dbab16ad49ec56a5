# SPDX-License-Identifier: MIT
"""Drivers whose uAPI is one call for a handle and one for its offset: a short entry each.

v3d, panfrost, panthor and lima are GEM shmem, vc4 is the GEM DMA helper with a handler of its own, msm has its own
pages, nouveau is TTM (drivers/gpu/drm/*). None of these could be tried on hardware or in the lab yet; their layouts
are checked against the kernel's headers.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage

_BO_STEPS = {"create": "CREATE_BO", "map_offset": "MMAP_BO", "destroy": "GEM_CLOSE"}
_GEM_STEPS = {"create": "GEM_CREATE", "map_offset": "GEM_INFO", "destroy": "GEM_CLOSE"}


class TwoCallBackend(GemBackend):
    """{size, flags} -> handle, then {handle} -> offset; a subclass names the two calls and the flags of its kinds."""

    flags: ClassVar[dict[str, int]] = {"gem": 0}
    """Buffer kind -> flags of its creation."""
    creation: ClassVar[tuple[int, str]]
    """Request and struct of the call that makes a handle."""
    question: ClassVar[tuple[int, str]]
    """Request and struct of the call that tells the offset."""
    answer: ClassVar[str] = "offset"
    """The field that the offset comes back in."""
    all_kinds: ClassVar[tuple[str, ...]] = ("gem",)
    steps: ClassVar[dict[str, str]] = _BO_STEPS

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """Make a fresh buffer. Raises OSError, EFBIG too where the uAPI's 32 bits cannot say the size."""
        fields: dict[str, Any] = {"size": size_bytes}
        if self.flags[kind]:
            fields["flags"] = self.flags[kind]
        try:
            made, stage = self.call(*self.creation, fields)
        except OverflowError:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG)) from None
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """Ask for the fake offset of the handle."""
        place, stage = self.call(*self.question, {"handle": buffer_object.handle})
        return self.place(getattr(place, self.answer)), stage


class V3dBackend(TwoCallBackend):
    """Broadcom V3D (Raspberry Pi 4 and 5)."""

    name: ClassVar[str] = "v3d"
    drivers: ClassVar[frozenset[str]] = frozenset({"v3d"})
    creation = (lib.DRM_IOCTL_V3D_CREATE_BO, "struct drm_v3d_create_bo")
    question = (lib.DRM_IOCTL_V3D_MMAP_BO, "struct drm_v3d_mmap_bo")


class Vc4Backend(TwoCallBackend):
    """Broadcom VideoCore IV (Raspberry Pi 1 to 3)."""

    name: ClassVar[str] = "vc4"
    drivers: ClassVar[frozenset[str]] = frozenset({"vc4"})
    creation = (lib.DRM_IOCTL_VC4_CREATE_BO, "struct drm_vc4_create_bo")
    question = (lib.DRM_IOCTL_VC4_MMAP_BO, "struct drm_vc4_mmap_bo")


class PanfrostBackend(TwoCallBackend):
    """Arm Mali Midgard and Bifrost."""

    name: ClassVar[str] = "panfrost"
    drivers: ClassVar[frozenset[str]] = frozenset({"panfrost"})
    creation = (lib.DRM_IOCTL_PANFROST_CREATE_BO, "struct drm_panfrost_create_bo")
    question = (lib.DRM_IOCTL_PANFROST_MMAP_BO, "struct drm_panfrost_mmap_bo")


class PanthorBackend(TwoCallBackend):
    """Arm Mali Valhall; without a VM of its own a buffer can be shared. gem:wb came with 7.0."""

    name: ClassVar[str] = "panthor"
    drivers: ClassVar[frozenset[str]] = frozenset({"panthor"})
    flags: ClassVar[dict[str, int]] = {"gem": 0, "gem:wb": lib.DRM_PANTHOR_BO_WB_MMAP}
    all_kinds: ClassVar[tuple[str, ...]] = tuple(flags)
    steps: ClassVar[dict[str, str]] = {"create": "BO_CREATE", "map_offset": "BO_MMAP_OFFSET", "destroy": "GEM_CLOSE"}
    creation = (lib.DRM_IOCTL_PANTHOR_BO_CREATE, "struct drm_panthor_bo_create")
    question = (lib.DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, "struct drm_panthor_bo_mmap_offset")


class LimaBackend(TwoCallBackend):
    """Arm Mali 400 and 450."""

    name: ClassVar[str] = "lima"
    drivers: ClassVar[frozenset[str]] = frozenset({"lima"})
    steps: ClassVar[dict[str, str]] = _GEM_STEPS
    creation = (lib.DRM_IOCTL_LIMA_GEM_CREATE, "struct drm_lima_gem_create")
    question = (lib.DRM_IOCTL_LIMA_GEM_INFO, "struct drm_lima_gem_info")


class MsmBackend(TwoCallBackend):
    """Qualcomm Adreno; the caching mode is chosen at creation, and GEM_INFO's default question is the offset."""

    name: ClassVar[str] = "msm"
    drivers: ClassVar[frozenset[str]] = frozenset({"msm"})
    flags: ClassVar[dict[str, int]] = {"gem:wc": lib.MSM_BO_WC, "gem:cached": lib.MSM_BO_CACHED}
    all_kinds: ClassVar[tuple[str, ...]] = tuple(flags)
    steps: ClassVar[dict[str, str]] = {**_GEM_STEPS, "create": "GEM_NEW"}
    creation = (lib.DRM_IOCTL_MSM_GEM_NEW, "struct drm_msm_gem_new")
    question = (lib.DRM_IOCTL_MSM_GEM_INFO, "struct drm_msm_gem_info")
    answer: ClassVar[str] = "value"


class NouveauBackend(GemBackend):
    """NVIDIA with the nouveau driver; the offset comes with the buffer, GEM_INFO tells it again."""

    name: ClassVar[str] = "nouveau"
    drivers: ClassVar[frozenset[str]] = frozenset({"nouveau"})
    _domains: ClassVar[dict[str, int]] = {
        "gem:vram": lib.NOUVEAU_GEM_DOMAIN_VRAM | lib.NOUVEAU_GEM_DOMAIN_MAPPABLE,
        "gem:gart": lib.NOUVEAU_GEM_DOMAIN_GART | lib.NOUVEAU_GEM_DOMAIN_MAPPABLE,
    }
    all_kinds: ClassVar[tuple[str, ...]] = tuple(_domains)
    steps: ClassVar[dict[str, str]] = {**_GEM_STEPS, "create": "GEM_NEW"}

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
