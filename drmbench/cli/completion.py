# SPDX-License-Identifier: MIT
"""What Tab offers for arguments: nodes, drivers, buffer kinds, cases, the lab's kernels, files.

The shell asks at every Tab, so nothing here opens a node; --case alone imports more than click.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click
    from click.shell_completion import CompletionItem

BASELINES = ("anon", "memfd", "udmabuf", "file:")
FILTERS = ("drm:", "pci:", "sys:")
_NODES, _SYSFS, _HEAPS = "/dev/dri", "/sys/class/drm", "/dev/dma_heap"


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whatever the shell finds."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 (only while completing)

    return [CompletionItem(incomplete, type="file")]


def devices(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """What --device takes: the drivers and nodes that are here, DMA heaps, baselines, prefixes of IGT filters."""
    nodes = [f"{_NODES}/{name}" for name in _names(_NODES) if name.startswith(("card", "renderD"))]
    heaps = [f"dma-heap:{name}" for name in _names(_HEAPS)]
    return _starting(incomplete, [*sorted(set(_drivers())), *nodes, *BASELINES, *heaps, *FILTERS])


def buffer_kinds(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """What --buffer takes, of any driver."""
    return _starting(incomplete, ["all", *KINDS, *(f"prime:{kind}" for kind in KINDS)])


def cases(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of verify's cases, and a glob for each family."""
    from drmbench.conformance.cases import CASES  # noqa: PLC0415 (brings the native code)

    names = [case.name for case in CASES]
    families = sorted({f"{name.partition('/')[0]}/*" for name in names})
    return _starting(incomplete, [*families, *names])


def lab_devices(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The devices of `vm run`."""
    from drmbench.vm.devices import ALL, DEVICES  # noqa: PLC0415 (only while completing)

    return _starting(incomplete, [ALL, *(device.name for device in DEVICES)])


def lab_kernels(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The kernels of `vm run`; a path is completed by the shell where none of them fits."""
    from drmbench.vm.kernels import HOST_KERNEL, KERNELS  # noqa: PLC0415 (only while completing)

    return _starting(incomplete, [HOST_KERNEL, *(kernel.name for kernel in KERNELS)])


KINDS = (
    "dumb", "gem", "gem:vram", "gem:gtt", "gem:gtt-uswc", "gem:cpu", "gem:no-cpu-access", "gem:gds", "gem:gws",
    "gem:oa", "gem:cached", "gem:wc", "gem:uncached", "gem:wb", "gem:uc", "gem:fixed", "gem:legacy", "gem:gart",
    "gem:surface", "gem:blob", "gem:system-wb", "gem:system-wc",
)
"""Those of drmbench.drivers, which would bring the native code at every Tab; a test compares them."""


def _starting(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _names(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(os.listdir(folder))
    return []


def _drivers() -> list[str]:
    """By sysfs: the driver that is bound, or, for vgem and vkms which have none, the device's own name."""
    found = []
    for name in _names(_SYSFS):
        if name.startswith(("card", "renderD")) and "-" not in name:
            device = os.path.realpath(f"{_SYSFS}/{name}/device")
            bound = os.path.realpath(f"{device}/driver")
            found.append(os.path.basename(bound if os.path.isdir(bound) else device))
    return found
