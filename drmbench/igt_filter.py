# SPDX-License-Identifier: MIT
"""IGT device filters: "drm:/dev/dri/card0", "pci:vendor=8086,card=0", "sys:/sys/devices/...".

The words are those of IGT's --device and IGT_DEVICE, so one setting serves both tools.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from drmbench.errors import UsageError

if TYPE_CHECKING:
    from drmbench.device import DrmDevice

PREFIXES = ("drm:", "sys:", "pci:")

_VENDORS = {"intel": "8086", "amd": "1002", "nvidia": "10de", "virtio": "1af4", "qemu": "1234"}
_PCI_KEYS = ("vendor", "device", "card", "slot")


def is_filter(spec: str) -> bool:
    """Whether `spec` is written as an IGT filter."""
    return spec.startswith(PREFIXES)


def matching(spec: str, devices: list[DrmDevice]) -> list[DrmDevice]:
    """The devices that the filter names, perhaps none.

    Raises UsageError where it is not one of the forms above.
    """
    prefix, _, rest = spec.partition(":")
    if not rest:
        raise UsageError(spec, "device filter", reason="nothing follows the colon",
                         remedy="write drm:/dev/dri/card0, sys:/sys/devices/... or pci:vendor=8086,card=0")
    if prefix == "drm":
        node = os.path.realpath(rest)
        return [device for device in devices if node in device.nodes]
    if prefix == "sys":
        place = os.path.realpath(rest)
        return [device for device in devices if os.path.realpath(device.sysfs) == place]
    return _matching_pci(spec, rest, devices)


def _matching_pci(spec: str, rest: str, devices: list[DrmDevice]) -> list[DrmDevice]:
    wanted = _pairs(spec, rest)
    vendor = _pci_number(spec, _VENDORS.get(wanted["vendor"], wanted["vendor"])) if "vendor" in wanted else None
    product = _pci_number(spec, wanted["device"]) if "device" in wanted else None
    found = []
    for device in devices:
        ids = (device.pci_id or "").split(":")
        if len(ids) == 2 and vendor in {None, ids[0]} and product in {None, ids[1]} \
                and wanted.get("slot") in {None, device.bus_id}:
            found.append(device)
    card = wanted.get("card", "0")
    if card == "all":
        return found
    if not card.isdecimal():
        raise UsageError(spec, "device filter", reason=f"card={card} is no number", remedy="card=0 or card=all")
    return found[int(card):int(card) + 1]


def _pairs(spec: str, rest: str) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for pair in rest.split(","):
        key, equals, value = pair.partition("=")
        if not equals or key not in _PCI_KEYS or not value:
            raise UsageError(spec, "device filter", reason=f"{pair!r} is not KEY=VALUE",
                             remedy=f"the keys are {', '.join(_PCI_KEYS)}")
        wanted[key] = value.lower()
    return wanted


def _pci_number(spec: str, text: str) -> str:
    number = text.removeprefix("0x")
    if not re.fullmatch(r"[0-9a-f]{1,4}", number):
        raise UsageError(spec, "device filter", reason=f"{text!r} is no PCI id",
                         remedy=f"use four hexadecimal digits or one of {', '.join(_VENDORS)}")
    return number.zfill(4)
