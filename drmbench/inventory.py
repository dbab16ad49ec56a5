# SPDX-License-Identifier: MIT
"""The DRM devices of this machine and what drmbench can do with each, tried, not guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.device import capabilities, list_devices, open_node
from drmbench.drivers import DRM_BACKENDS
from drmbench.drivers.dumb import DumbBackend
from drmbench.errors import DrmbenchError
from drmbench.model import SCHEMA_VERSION, DeviceEntry, DeviceList
from drmbench.targets import FLOOR, node_for

if TYPE_CHECKING:
    from drmbench.device import DrmDevice
    from drmbench.drivers.protocol import DrmBackend

BASELINES = (*FLOOR, "file:PATH", "udmabuf", "dma-heap:NAME")


def take_inventory() -> DeviceList:
    """Every DRM device; on each, one page of every buffer kind is made, located and destroyed."""
    return DeviceList(SCHEMA_VERSION, [_entry(device) for device in list_devices()], list(BASELINES))


def _entry(device: DrmDevice) -> DeviceEntry:
    kinds: dict[str, list[str]] = {}
    problems = [] if device.problem is None else [device.problem]
    for backend in DRM_BACKENDS:
        try:
            usable = _usable_kinds(device, backend)
        except DrmbenchError as error:
            problems.append(error)
        else:
            if usable:
                kinds[backend.name] = usable
    driver = device.driver
    dumb_buffers, stated = _capabilities(device)
    return DeviceEntry(
        primary=device.primary, render=device.render,
        driver=None if driver is None else driver.name,
        description=None if driver is None else driver.description,
        version=None if driver is None else driver.version,
        bus=device.bus, bus_id=device.bus_id, pci_id=device.pci_id, sysfs=device.sysfs,
        dumb_buffers=dumb_buffers, capabilities=stated, backends=kinds,
        problem=str(problems[0]) if problems else None,
    )


def _usable_kinds(device: DrmDevice, backend: type[DrmBackend]) -> list[str]:
    node = node_for(device, backend)
    if node is None or device.driver is None:
        return []
    with open_node(node) as fd:
        if not backend.offered(fd, device.driver.name):
            return []
        opened, usable, refusal = backend(fd), [], None
        for kind in backend.all_kinds:
            try:
                with Buffer(f"{device.driver.name} {node}", opened, kind, PAGE_BYTES) as buffer:
                    buffer.locate()
            except DrmbenchError as error:
                refusal = error
            else:
                usable.append(kind)
    if refusal is not None and not usable:
        raise refusal
    return usable


def _capabilities(device: DrmDevice) -> tuple[bool | None, dict[str, int]]:
    """(whether dumb buffers work, capabilities as the driver states them); None where nobody could ask."""
    for node in device.nodes:
        try:
            with open_node(node) as fd:
                works = DumbBackend.offered(fd, "") if node == device.primary else None
                return works, capabilities(fd)
        except DrmbenchError:
            continue
    return None, {}
