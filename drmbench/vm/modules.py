# SPDX-License-Identifier: MIT
"""The modules of a Debian kernel that the lab needs, out of some four thousand."""

from __future__ import annotations

import lzma
import re
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Paths that a module's own begins with: drivers of what a lab machine has, and what modules that we build lean on.
_NEEDED = (
    "arch/", "crypto/", "lib/", "mm/", "virt/",
    "drivers/base/", "drivers/block/loop", "drivers/block/virtio_blk", "drivers/char/hw_random/virtio-rng",
    "drivers/char/virtio_console", "drivers/clk/", "drivers/devfreq/", "drivers/dma-buf/", "drivers/gpio/",
    "drivers/gpu/", "drivers/i2c/algos/", "drivers/net/virtio_net", "drivers/pwm/", "drivers/regulator/",
    "drivers/spi/", "drivers/video/", "drivers/virtio/", "drivers/watchdog/i6300esb",
    "fs/9p/", "fs/binfmt_misc", "fs/configfs/", "fs/fuse/", "fs/overlayfs/", "net/9p/",
)
# Drivers of GPUs that QEMU has not: most of what is in drivers/gpu.
_UNNEEDED = ("drivers/gpu/drm/amd/", "drivers/gpu/drm/gma500/", "drivers/gpu/drm/i915/", "drivers/gpu/drm/nouveau/",
             "drivers/gpu/drm/vmwgfx/", "drivers/gpu/drm/xe/")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def keep_needed(folder: Path) -> None:
    """Remove every module below `folder` (lib/modules/RELEASE) but those needed and what they depend on; unpack these.

    virtme-ng's initramfs loads no compressed module, and modprobe in the guest only where its kmod was built for it.
    """
    tree = folder / "kernel"
    modules = {_name(path): path for path in tree.rglob("*.ko*")}
    waiting = [name for name, path in modules.items() if _is_needed(path.relative_to(tree).as_posix())]
    kept = {}
    while waiting:
        name = waiting.pop()
        if name in modules and name not in kept:
            kept[name] = _content(modules[name])
            waiting += _dependencies(kept[name])
    shutil.rmtree(tree)
    for name, content in kept.items():
        path = modules[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / f"{path.name.split('.')[0]}.ko").write_bytes(content)


def _name(path: Path) -> str:
    return path.name.split(".")[0].replace("-", "_")


def _is_needed(path: str) -> bool:
    return path.startswith(_NEEDED) and not path.startswith(_UNNEEDED)


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def _dependencies(module: bytes) -> list[str]:
    """What the module's section .modinfo says that it depends on."""
    found = _DEPENDS.search(module)
    names = found[1].decode().split(",") if found else []
    return [name.replace("-", "_") for name in names if name]
