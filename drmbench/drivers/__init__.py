# SPDX-License-Identifier: MIT
"""The back-ends, one file for a uAPI family; DRM_BACKENDS is where a new one is entered."""

from drmbench.drivers.dumb import DumbBackend
from drmbench.drivers.protocol import DrmBackend

DRM_BACKENDS: tuple[type[DrmBackend], ...] = (DumbBackend,)
