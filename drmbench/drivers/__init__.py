# SPDX-License-Identifier: MIT
"""The back-ends, one file for a uAPI family; DRM_BACKENDS is where a new one is entered."""

from drmbench.drivers.amdgpu import AmdgpuBackend
from drmbench.drivers.dumb import DumbBackend
from drmbench.drivers.embedded import (
    LimaBackend,
    MsmBackend,
    NouveauBackend,
    PanfrostBackend,
    PanthorBackend,
    V3dBackend,
    Vc4Backend,
)
from drmbench.drivers.etnaviv import EtnavivBackend
from drmbench.drivers.i915 import I915Backend
from drmbench.drivers.protocol import DrmBackend
from drmbench.drivers.qxl import QxlBackend
from drmbench.drivers.radeon import RadeonBackend
from drmbench.drivers.virtio_gpu import VirtioGpuBackend
from drmbench.drivers.xe import XeBackend

DRM_BACKENDS: tuple[type[DrmBackend], ...] = (
    DumbBackend,
    AmdgpuBackend,
    EtnavivBackend,
    I915Backend,
    LimaBackend,
    MsmBackend,
    NouveauBackend,
    PanfrostBackend,
    PanthorBackend,
    QxlBackend,
    RadeonBackend,
    V3dBackend,
    Vc4Backend,
    VirtioGpuBackend,
    XeBackend,
)
