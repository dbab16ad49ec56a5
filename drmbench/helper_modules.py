# SPDX-License-Identifier: MIT
"""Which of the kernel's memory helpers a DRM driver's module links to, as /sys/module shows it to anybody."""

from __future__ import annotations

import os
from pathlib import Path

from drmbench.errors import one_line
from drmbench.model import HelperModules

HELPERS = ("drm_shmem_helper", "drm_dma_helper", "drm_cma_helper", "drm_vram_helper", "drm_ttm_helper", "ttm")
"""GEM shmem, GEM DMA (CMA before 6.1), and TTM with what is built on it."""

_MODULES = Path("/sys/module")
_DEVICES = Path("/sys/dev/char")


def _is_loaded(modules: Path, name: str) -> bool:
    # A built-in module has no such file.
    return (modules / name / "initstate").is_file()


def _module_of(node: str, driver: str, modules: Path, devices: Path) -> str | None:
    """The driver's module: the one of its name, else the one behind its device; None where it is built in.

    The name comes first because a virtio device belongs to virtio_pci, and vgem's to no driver.
    """
    name = driver.replace("-", "_")
    if "/" not in name and _is_loaded(modules, name):
        return name
    try:
        number = os.stat(node).st_rdev
        link = os.readlink(devices / f"{os.major(number)}:{os.minor(number)}" / "device/driver/module")
    except OSError:
        return None
    found = os.path.basename(link)
    return found if _is_loaded(modules, found) else None


def _uses(modules: Path) -> dict[str, set[str]]:
    """Module -> those that it links to, from every module's holders."""
    uses: dict[str, set[str]] = {}
    for holders in modules.glob("*/holders"):
        for holder in holders.iterdir():
            uses.setdefault(holder.name, set()).add(holders.parent.name)
    return uses


def linked_helpers(
    node: str, driver: str, *, modules: Path = _MODULES, devices: Path = _DEVICES,
) -> HelperModules | None:
    """The helpers that the module behind the node links to, directly or through others.

    None where the kernel has no such module loaded (the driver is built in) or does not show it.
    """
    try:
        module = _module_of(node, driver, modules, devices)
        if module is None:
            return None
        uses = _uses(modules)
    except OSError:
        return None
    reached, ahead = {module}, [module]
    while ahead:
        further = uses.get(ahead.pop(), set()) - reached
        reached |= further
        ahead += further
    return HelperModules(
        module=one_line(module), linked=[name for name in HELPERS if name in reached],
        loaded=[name for name in HELPERS if _is_loaded(modules, name)],
    )
