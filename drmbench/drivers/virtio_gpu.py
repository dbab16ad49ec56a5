# SPDX-License-Identifier: MIT
"""virtio-gpu: RESOURCE_CREATE or RESOURCE_CREATE_BLOB -> MAP (drivers/gpu/drm/virtio/virtgpu_ioctl.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage

_PIPE_BUFFER = 0  # Gallium's target, format and binding for a plain vertex buffer, which the uAPI borrows
_FORMAT_R8_UNORM = 64
_BIND_VERTEX_BUFFER = 1 << 4


class VirtioGpuBackend(GemBackend):
    """Resources of the paravirtual GPU; without 3D in the host only blobs, or nothing but dumb buffers, are there."""

    name: ClassVar[str] = "virtio_gpu"
    drivers: ClassVar[frozenset[str]] = frozenset({"virtio_gpu"})
    all_kinds: ClassVar[tuple[str, ...]] = ("gem", "gem:blob")
    steps: ClassVar[dict[str, str]] = {"create": "RESOURCE_CREATE", "map_offset": "MAP", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer resource, or a guest-memory blob."""
        if kind == "gem:blob":
            made, stage = self.call(
                lib.DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, "struct drm_virtgpu_resource_create_blob",
                {"blob_mem": lib.VIRTGPU_BLOB_MEM_GUEST, "blob_flags": lib.VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
                 "size": size_bytes},
            )
        else:
            made, stage = self.call(
                lib.DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, "struct drm_virtgpu_resource_create",
                {"target": _PIPE_BUFFER, "format": _FORMAT_R8_UNORM, "bind": _BIND_VERTEX_BUFFER,
                 "width": size_bytes, "height": 1, "depth": 1, "array_size": 1, "size": size_bytes},
            )
        return BufferObject(made.bo_handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """MAP."""
        place, stage = self.call(lib.DRM_IOCTL_VIRTGPU_MAP, "struct drm_virtgpu_map",
                                 {"handle": buffer_object.handle})
        return self.place(place.offset), stage
