# SPDX-License-Identifier: MIT
"""Register files as PCI option ROMs: what a driver reads when it asks which chip it drives.

QEMU shows a file as the expansion ROM of any PCI device and drops what is written to it. A register
in it has one value for ever, which is enough for a driver to identify a chip, find it idle and hand
out buffers. Offsets and the meaning of bits: drivers/gpu/drm/etnaviv/state_hi.xml.h of the kernel.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROM_BYTES = 64 << 10

_CLOCK_CONTROL = 0x00
_IDLE_STATE = 0x04
_CHIP_IDENTITY = 0x18
_CHIP_FEATURE = 0x1C
_CHIP_MODEL = 0x20
_CHIP_REV = 0x24
_CHIP_DATE = 0x28
_MINOR_FEATURE_0 = 0x34
_CHIP_SPECS = 0x48
_MINOR_FEATURE_1 = 0x74
_CHIP_SPECS_2 = 0x80
_MINOR_FEATURE_2 = 0x84
_MINOR_FEATURE_3 = 0x88

# The 3D core of an i.MX6 Quad, with its first-generation MMU. Specifications of 0 make the driver use the model's own.
GC2000 = MappingProxyType({
    _CLOCK_CONTROL: 0x0003_0700,  # the 3D and 2D pipes are idle, so a reset succeeds
    _IDLE_STATE: 0x7FFF_FFFF,     # every unit is idle, so no poll waits
    _CHIP_IDENTITY: 0,            # not of the family that has no model register
    _CHIP_FEATURE: 0xE029_6CAD,
    _CHIP_MODEL: 0x2000,
    _CHIP_REV: 0x5108,
    _CHIP_DATE: 0x2012_0405,
    _MINOR_FEATURE_0: 0xC979_9EFF,
    _MINOR_FEATURE_1: 0x2EFB_F2D9,
    _MINOR_FEATURE_2: 0xCEDF_0080,
    _MINOR_FEATURE_3: 0x0000_080C,
    _CHIP_SPECS: 0,
    _CHIP_SPECS_2: 0,
})

ROMS = MappingProxyType({"gc2000": GC2000})


def image(registers: Mapping[int, int]) -> bytes:
    """The ROM, `ROM_BYTES` long, in which 32-bit register `offset` reads as registers[offset], others as 0."""
    rom = bytearray(ROM_BYTES)
    for offset, value in registers.items():
        struct.pack_into("<I", rom, offset, value)
    return bytes(rom)
