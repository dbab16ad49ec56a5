# SPDX-License-Identifier: MIT
"""The registers that etnaviv finds in a ROM."""

from __future__ import annotations

import struct

import pytest

from drmbench.vm.roms import ROM_BYTES, ROMS, image


def word(rom: bytes, offset: int) -> int:
    """The 32-bit register at `offset`."""
    (value,) = struct.unpack_from("<I", rom, offset)
    return int(value)


@pytest.mark.parametrize("name", ROMS)
class TestRom:
    def test_qemu_takes_it(self, name: str) -> None:
        size = len(image(ROMS[name]))
        assert size == ROM_BYTES
        assert size & (size - 1) == 0

    def test_its_identity_keeps_the_driver_from_an_oops(self, name: str) -> None:
        rom = image(ROMS[name])
        assert word(rom, 0x20) not in {0, 0xFFFFFFFF}
        assert word(rom, 0x1C)
        assert word(rom, 0x18) >> 24 != 1

    def test_it_is_idle_for_ever(self, name: str) -> None:
        rom = image(ROMS[name])
        assert word(rom, 0x04) == 0x7FFFFFFF
        assert word(rom, 0x00) & 0x30000 == 0x30000

    def test_firmware_does_not_run_it(self, name: str) -> None:
        assert image(ROMS[name])[:2] != b"\x55\xaa"


def test_registers_that_are_not_named_read_as_zero() -> None:
    rom = image({0x8: 0x12345678})
    assert rom[8:12] == b"\x78\x56\x34\x12"
    assert not any(rom[:8])
    assert not any(rom[12:])
