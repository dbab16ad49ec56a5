# SPDX-License-Identifier: MIT
"""Requests that a driver's own create and offset ioctls refuse with EINVAL: one unknown flag, domain or padding each.

Only what the named function checks before it looks for anything else; a driver that is not here checks nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drmbench._native import lib
from drmbench.drivers.prime import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

_HIGH_BIT = 1 << 31
_HIGHEST_BIT = 1 << 63


@dataclass(frozen=True, slots=True)
class BadRequest:
    """One ioctl; `fields` gives its struct for a buffer's handle and a size in bytes."""

    what: str
    number: int
    struct: str
    fields: Callable[[int, int], dict[str, Any]]
    source: str


_AMDGPU = (
    BadRequest("GEM_CREATE(unknown flag)", lib.DRM_IOCTL_AMDGPU_GEM_CREATE, "union drm_amdgpu_gem_create",
               lambda _handle, size: {"in": {"bo_size": size, "domains": lib.AMDGPU_GEM_DOMAIN_GTT,
                                             "domain_flags": _HIGHEST_BIT}},
               "drivers/gpu/drm/amd/amdgpu/amdgpu_gem.c, amdgpu_gem_create_ioctl()"),
    BadRequest("GEM_CREATE(unknown domain)", lib.DRM_IOCTL_AMDGPU_GEM_CREATE, "union drm_amdgpu_gem_create",
               lambda _handle, size: {"in": {"bo_size": size, "domains": _HIGH_BIT}},
               "drivers/gpu/drm/amd/amdgpu/amdgpu_gem.c, amdgpu_gem_create_ioctl()"),
)
_ETNAVIV = (
    BadRequest("GEM_NEW(unknown flag)", lib.DRM_IOCTL_ETNAVIV_GEM_NEW, "struct drm_etnaviv_gem_new",
               lambda _handle, size: {"size": size, "flags": lib.ETNA_BO_CACHED | _HIGH_BIT},
               "drivers/gpu/drm/etnaviv/etnaviv_drv.c, etnaviv_ioctl_gem_new()"),
    BadRequest("GEM_INFO(padding)", lib.DRM_IOCTL_ETNAVIV_GEM_INFO, "struct drm_etnaviv_gem_info",
               lambda handle, _size: {"handle": handle, "pad": 1},
               "drivers/gpu/drm/etnaviv/etnaviv_drv.c, etnaviv_ioctl_gem_info()"),
)
_I915_OFFSET = (
    BadRequest("GEM_MMAP_OFFSET(unknown mode)", lib.DRM_IOCTL_I915_GEM_MMAP_OFFSET, "struct drm_i915_gem_mmap_offset",
               lambda handle, _size: {"handle": handle, "flags": 0x7f},
               "drivers/gpu/drm/i915/gem/i915_gem_mman.c, i915_gem_mmap_offset_ioctl()"),
)
_I915_LEGACY = (
    BadRequest("GEM_MMAP(unknown flag)", lib.DRM_IOCTL_I915_GEM_MMAP, "struct drm_i915_gem_mmap",
               lambda handle, size: {"handle": handle, "size": size, "flags": _HIGHEST_BIT},
               "drivers/gpu/drm/i915/gem/i915_gem_mman.c, i915_gem_mmap_ioctl()"),
    BadRequest("GEM_MMAP(behind the end)", lib.DRM_IOCTL_I915_GEM_MMAP, "struct drm_i915_gem_mmap",
               lambda handle, size: {"handle": handle, "size": size, "offset": 1 << 40},
               "drivers/gpu/drm/i915/gem/i915_gem_mman.c, i915_gem_mmap_ioctl()"),
)
_XE = (
    BadRequest("GEM_CREATE(unknown flag)", lib.DRM_IOCTL_XE_GEM_CREATE, "struct drm_xe_gem_create",
               lambda _handle, size: {"size": size, "placement": 1, "flags": _HIGH_BIT,
                                      "cpu_caching": lib.DRM_XE_GEM_CPU_CACHING_WB},
               "drivers/gpu/drm/xe/xe_bo.c, xe_gem_create_ioctl()"),
    BadRequest("GEM_CREATE(unknown caching)", lib.DRM_IOCTL_XE_GEM_CREATE, "struct drm_xe_gem_create",
               lambda _handle, size: {"size": size, "placement": 1, "cpu_caching": 0x7fff},
               "drivers/gpu/drm/xe/xe_bo.c, xe_gem_create_ioctl()"),
    BadRequest("GEM_CREATE(no placement)", lib.DRM_IOCTL_XE_GEM_CREATE, "struct drm_xe_gem_create",
               lambda _handle, size: {"size": size, "cpu_caching": lib.DRM_XE_GEM_CPU_CACHING_WB},
               "drivers/gpu/drm/xe/xe_bo.c, xe_gem_create_ioctl()"),
    BadRequest("GEM_MMAP_OFFSET(unknown flag)", lib.DRM_IOCTL_XE_GEM_MMAP_OFFSET, "struct drm_xe_gem_mmap_offset",
               lambda handle, _size: {"handle": handle, "flags": _HIGH_BIT},
               "drivers/gpu/drm/xe/xe_bo.c, xe_gem_mmap_offset_ioctl()"),
)
_QXL = (
    BadRequest("ALLOC(no bytes)", lib.DRM_IOCTL_QXL_ALLOC, "struct drm_qxl_alloc", lambda _handle, _size: {},
               "drivers/gpu/drm/qxl/qxl_ioctl.c, qxl_alloc_ioctl()"),
)


def bad_requests(driver: str, kind: str) -> tuple[BadRequest, ...]:
    """Those of the driver for buffers of this kind; none for dumb buffers, whose ioctls are not the driver's."""
    if not kind.removeprefix(PREFIX).startswith("gem"):
        return ()
    if driver == "i915":
        return _I915_LEGACY if kind.endswith("legacy") else _I915_OFFSET
    return {"amdgpu": _AMDGPU, "etnaviv": _ETNAVIV, "xe": _XE, "qxl": _QXL}.get(driver, ())
