# SPDX-License-Identifier: MIT
"""etnaviv: GEM_NEW -> GEM_INFO (drivers/gpu/drm/etnaviv/etnaviv_gem.c); its own fault handler inserts pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from drmbench._native import lib
from drmbench.drivers.gem import GemBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset

if TYPE_CHECKING:
    from drmbench.native import Stage


class EtnavivBackend(GemBackend):
    """Vivante buffers; the caching mode is chosen at creation."""

    name: ClassVar[str] = "etnaviv"
    drivers: ClassVar[frozenset[str]] = frozenset({"etnaviv"})
    _flags: ClassVar[dict[str, int]] = {
        "gem:cached": lib.ETNA_BO_CACHED,
        "gem:wc": lib.ETNA_BO_WC,
        "gem:uncached": lib.ETNA_BO_UNCACHED,
    }
    all_kinds: ClassVar[tuple[str, ...]] = tuple(_flags)
    steps: ClassVar[dict[str, str]] = {"create": "GEM_NEW", "map_offset": "GEM_INFO", "destroy": "GEM_CLOSE"}

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """A buffer with the caching mode of `kind`."""
        made, stage = self.call(lib.DRM_IOCTL_ETNAVIV_GEM_NEW, "struct drm_etnaviv_gem_new",
                                {"size": size_bytes, "flags": self._flags[kind]})
        return BufferObject(made.handle, size_bytes, kind), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """GEM_INFO."""
        info, stage = self.call(lib.DRM_IOCTL_ETNAVIV_GEM_INFO, "struct drm_etnaviv_gem_info",
                                {"handle": buffer_object.handle})
        return self.place(info.offset), stage
