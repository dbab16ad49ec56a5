# SPDX-License-Identifier: MIT
"""What `drmbench devices --json` prints."""

from __future__ import annotations

from typing import Literal

import msgspec


class DeviceEntry(msgspec.Struct, frozen=True):
    """One DRM device as `drmbench devices` shows it."""

    primary: str | None
    render: str | None
    driver: str | None
    description: str | None
    version: str | None
    bus: str
    bus_id: str
    pci_id: str | None
    sysfs: str
    dumb_buffers: bool | None
    backends: dict[str, list[str]]
    problem: str | None
    capabilities: dict[str, int] = {}


class DeviceList(msgspec.Struct, frozen=True, tag_field="command", tag="devices"):
    """What `drmbench devices --json` prints."""

    schema_version: Literal[1]
    devices: list[DeviceEntry]
    baselines: list[str]
