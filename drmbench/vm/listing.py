# SPDX-License-Identifier: MIT
"""`vm list`: the lab's kernels and devices, and what is cached."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass, field

from drmbench.errors import DrmbenchError, one_line
from drmbench.vm import arm64_devices
from drmbench.vm.arm64_devices import ARM64_DEVICES
from drmbench.vm.arm64_kernel import ARM64_KERNELS, cached_kernel
from drmbench.vm.arm64_root import root_folder
from drmbench.vm.cache import CachedKernel, cache_root, directory_bytes, kernel_folder, last_failure
from drmbench.vm.devices import DEFAULT_DEVICES, DEVICES, LabDevice
from drmbench.vm.image import has_module, resolve
from drmbench.vm.kernels import DEFAULT_KERNEL, HOST_KERNEL, KERNELS, LabKernel
from drmbench.vm.kmod import BuiltModules
from drmbench.vm.progress import megabytes

_COLUMNS = 80
_INDENT = " " * 28


@dataclass(frozen=True, slots=True)
class KernelLine:
    """One kernel: `state` is "cached", "available" (fetched on demand), "failed", "installed" or "unavailable".

    lacks    device that this kernel cannot have -> why
    """

    name: str
    default: bool
    state: str
    release: str
    version: str
    size_bytes: int
    note: str
    lacks: dict[str, str] = field(default_factory=dict)


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
    arm64_kernels: tuple[KernelLine, ...]
    arm64_devices: tuple[DeviceLine, ...]


def inventory() -> Inventory:
    """Look at the cache and the running system."""
    kernels = [_cached_line(row.name) for row in KERNELS]
    kernels.append(_host_line())
    return Inventory(str(cache_root()), tuple(kernels), _devices(DEVICES, DEFAULT_DEVICES),
                     tuple(_arm64_line(row) for row in ARM64_KERNELS),
                     _devices(ARM64_DEVICES, arm64_devices.DEFAULT_DEVICES))


def _devices(rows: tuple[LabDevice, ...], defaults: tuple[str, ...]) -> tuple[DeviceLine, ...]:
    return tuple(DeviceLine(row.name, row.name in defaults, row.driver, row.simulated, row.about) for row in rows)


def _arm64_line(row: LabKernel) -> KernelLine:
    cached = cached_kernel(row)
    default = row.name == DEFAULT_KERNEL
    if cached is None:
        return KernelLine(row.name, default, "available", "", "", 0, "vm run --arch arm64 fetches it on demand")
    size = directory_bytes(kernel_folder(f"{row.name}-{row.arch}")) + directory_bytes(root_folder())
    return KernelLine(row.name, default, "cached", cached.release, cached.version, size, "")


def _cached_line(name: str) -> KernelLine:
    folder = kernel_folder(name)
    cached = CachedKernel.read(folder)
    default = name == DEFAULT_KERNEL
    if cached is None:
        failure = last_failure(name)
        return KernelLine(name, default, "failed" if failure else "available", "", "", 0,
                          failure or "vm run fetches it on demand")
    return KernelLine(name, default, "cached", cached.release, cached.version, directory_bytes(folder), "",
                      _lacking(name))


def _lacking(name: str) -> dict[str, str]:
    """Device -> why the cached kernel called `name` has no driver for it."""
    kernel = resolve(name)
    if kernel is None:
        return {}
    record = BuiltModules.read(kernel.tree)
    lacks = {}
    for device in DEVICES:
        missing = next((module for module in device.modules if not has_module(kernel, module)), None)
        if missing is not None:
            reason = record.why_not(missing) if record else ""
            lacks[device.name] = one_line(reason) or f"it has no module {missing.replace('|', ' or ')}"
    return lacks


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
    lines = ["KERNEL          STATE       VERSION", *_kernels_as_text(found.kernels),
             "PATH                        of a kernel image or build tree", "",
             "DEVICE         DRIVER       WHAT IT IS", *_devices_as_text(found.devices), "",
             "WITH --arch arm64", *_kernels_as_text(found.arm64_kernels), *_devices_as_text(found.arm64_devices)]
    lines += ["", f"* default; cache: {found.cache}"]
    return "\n".join(lines)


def _devices_as_text(devices: tuple[DeviceLine, ...]) -> list[str]:
    return [f"{_starred(device.name, device.default):<14} {device.driver:<12} {device.about}" for device in devices]


def _kernels_as_text(kernels: tuple[KernelLine, ...]) -> list[str]:
    lines: list[str] = []
    for kernel in kernels:
        version = f"{kernel.release} ({kernel.version})" if kernel.version else kernel.release or kernel.note
        size = f", {megabytes(kernel.size_bytes)}" if kernel.size_bytes else ""
        head = f"{_starred(kernel.name, kernel.default):<15} {kernel.state:<11} "
        lines += _wrapped(f"{version}{size}", head, _INDENT)
        for reason, devices in _by_reason(kernel.lacks).items():
            lines += _wrapped(f"without {', '.join(devices)}: {reason}", _INDENT, f"{_INDENT}  ")
    return lines


def _wrapped(text: str, first: str, other: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent=first, subsequent_indent=other, break_on_hyphens=False)


def _by_reason(lacks: dict[str, str]) -> dict[str, list[str]]:
    """Reason -> the devices that a kernel lacks for it."""
    found: dict[str, list[str]] = {}
    for device, reason in lacks.items():
        found.setdefault(reason, []).append(device)
    return found


def _starred(name: str, default: bool) -> str:
    return f"{name} *" if default else name
