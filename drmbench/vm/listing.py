# SPDX-License-Identifier: MIT
"""`vm list`: the lab's kernels and devices, and what is cached."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from drmbench.errors import DrmbenchError
from drmbench.units import format_bytes
from drmbench.vm.cache import CachedKernel, cache_root, kernel_folder
from drmbench.vm.devices import DEFAULT_DEVICES, DEVICES
from drmbench.vm.image import resolve
from drmbench.vm.kernels import DEFAULT_KERNEL, HOST_KERNEL, KERNELS

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class KernelLine:
    """One kernel: `state` is "cached", "available" (fetched on demand), "installed" or "unavailable"."""

    name: str
    default: bool
    state: str
    release: str
    version: str
    size_bytes: int
    note: str


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One device of the lab and the DRM driver that it brings."""

    name: str
    default: bool
    driver: str
    simulated: bool
    about: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that `vm list` prints."""

    cache: str
    kernels: tuple[KernelLine, ...]
    devices: tuple[DeviceLine, ...]


def inventory() -> Inventory:
    """Look at the cache and the running system."""
    kernels = [_cached_line(row.name) for row in KERNELS]
    kernels.append(_host_line())
    devices = tuple(DeviceLine(row.name, row.name in DEFAULT_DEVICES, row.driver, row.simulated, row.about)
                    for row in DEVICES)
    return Inventory(str(cache_root()), tuple(kernels), devices)


def _cached_line(name: str) -> KernelLine:
    folder = kernel_folder(name)
    cached = CachedKernel.read(folder)
    default = name == DEFAULT_KERNEL
    if cached is None:
        return KernelLine(name, default, "available", "", "", 0, "vm run fetches it on demand")
    size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    return KernelLine(name, default, "cached", cached.release, cached.version, size, "")


def _host_line() -> KernelLine:
    try:
        kernel = resolve(HOST_KERNEL)
    except DrmbenchError as error:
        return KernelLine(HOST_KERNEL, False, "unavailable", "", "", 0, error.reason)
    release = kernel.label.split()[-1] if kernel else ""
    return KernelLine(HOST_KERNEL, False, "installed", release, "", 0, "")


def to_json(found: Inventory) -> str:
    """The inventory as a JSON document."""
    return json.dumps({"schema_version": 1, **asdict(found)}, indent=2)


def as_text(found: Inventory) -> str:
    """The inventory for people, within 80 columns; the defaults carry a star."""
    lines = ["KERNEL         STATE        VERSION"]
    for kernel in found.kernels:
        version = f"{kernel.release} ({kernel.version})" if kernel.version else kernel.release or kernel.note
        size = f", {format_bytes(kernel.size_bytes // _MIB * _MIB)}" if kernel.size_bytes else ""
        lines.append(f"{_starred(kernel.name, kernel.default):<14} {kernel.state:<12} {version}{size}")
    lines += ["PATH                        of a kernel image or build tree", "",
              "DEVICE         DRIVER       WHAT IT IS"]
    lines += [f"{_starred(device.name, device.default):<14} {device.driver:<12} {device.about}"
              for device in found.devices]
    lines += ["", f"* default; cache: {found.cache}"]
    return "\n".join(lines)


def _starred(name: str, default: bool) -> str:
    return f"{name} *" if default else name
