# SPDX-License-Identifier: MIT
"""DeviceList -> Document: what is here, and what drmbench can do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.document import Column, Document, Section

if TYPE_CHECKING:
    from drmbench.model import DeviceEntry, DeviceList

_COLUMNS = (Column("node"), Column("driver"), Column("version"), Column("bus"), Column("dumb"),
            Column("buffer kinds", grows=True))


def devices_document(found: DeviceList) -> Document:
    """A table of the devices, a line for each description and problem, and what works without a device."""
    sections = []
    if found.devices:
        rows = [row for device in found.devices for row in _rows(device)]
        sections.append(Section("DRM devices", _COLUMNS, rows, [_line(d) for d in found.devices]))
    else:
        sections.append(Section("No DRM device here", lines=[
            "drmbench vm run -- drmbench fault-latency boots real DRM drivers in a virtual machine.",
            "sudo modprobe vgem (or vkms) gives this machine one, where the kernel has the module.",
        ]))
    lines = [f"--device {name}" for name in found.baselines]
    return Document([*sections, Section("Baselines, which need no device", lines=[", ".join(lines)])])


def _rows(device: DeviceEntry) -> list[list[str]]:
    kinds = ", ".join(kind for kinds in device.backends.values() for kind in kinds) or "-"
    dumb = {True: "yes", False: "no", None: "?"}[device.dumb_buffers]
    first, *rest = [node for node in (device.primary, device.render) if node is not None]
    return [
        [first, device.driver or "?", device.version or "?", f"{device.bus} {device.bus_id}".strip(), dumb, kinds],
        *([node, "", "", device.pci_id or "", "", ""] for node in rest),
    ]


def _line(device: DeviceEntry) -> str:
    name = device.primary or device.render or device.sysfs
    if device.problem is not None:
        return f"! {device.problem}"
    return f"{name}: {device.description or device.driver}"
