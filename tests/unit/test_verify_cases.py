# SPDX-License-Identifier: MIT
"""The cases find what they look for: each broken stand-in for a driver fails those that speak of its fault, no other.

The stand-ins are memfds; doubles of real drivers are broken in tests/vm/test_verify_catches.py.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import tempfile
from typing import TYPE_CHECKING, ClassVar

import pytest

from drmbench.conformance import calls, core_dump, direct_io, memory
from drmbench.conformance.case import Skipped
from drmbench.conformance.cases import CASES
from drmbench.conformance.isolation import Place, work_through
from drmbench.drivers.baselines import MemfdBackend
from drmbench.drivers.protocol import BufferObject, MmapOffset
from drmbench.native import Stage
from drmbench.targets import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = mmap.PAGESIZE
SIZE = 8 * PAGE


class Sound(MemfdBackend):
    """Breaks nothing."""


class Leaking(MemfdBackend):
    """Its fresh buffers hold something, in the last byte of the last page."""

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        made, stage = super().create(kind, size_bytes)
        os.pwrite(made.handle, b"\x01", size_bytes - 1)
        return made, stage


class TooShort(MemfdBackend):
    """Its last page is not there."""

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        made, stage = super().create(kind, size_bytes)
        os.ftruncate(made.handle, size_bytes - PAGE)
        return made, stage


class OneForAll(MemfdBackend):
    """All its buffers are the same memory."""

    only: ClassVar[int]

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        return BufferObject(os.dup(self.only), size_bytes, kind), Stage()


class AlwaysNew(MemfdBackend):
    """It maps other memory every time that it is asked where the buffer is."""

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        other, _stage = self.create(buffer_object.kind, buffer_object.size_bytes)
        return MmapOffset(other.handle, 0, mmap.MAP_SHARED, owned=True), Stage()


class Private(MemfdBackend):
    """It maps private copies and calls them shared."""

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        return MmapOffset(buffer_object.handle, 0, mmap.MAP_PRIVATE), Stage()


def verdicts(backend: type[MemfdBackend], group: str = "content") -> dict[str, str]:
    """The verdict of each case of a group on the stand-in; those that are skipped are left out."""
    target = Target("baseline", None, "stand-in", "a memfd", ("memfd",), "named",
                    lambda: contextlib.nullcontext(backend()))
    place = Place(target, "memfd", SIZE)
    found = {each.name: work_through(each, place).verdict for each in CASES if each.name.startswith(f"{group}/")}
    return {name.partition("/")[2]: verdict for name, verdict in found.items() if verdict != "skip"}


def failing(backend: type[MemfdBackend], group: str = "content") -> set[str]:
    """The cases that fail; none may break."""
    found = verdicts(backend, group)
    assert "broken" not in found.values()
    return {name for name, verdict in found.items() if verdict == "fail"}


class TestWhatIsFound:
    def test_nothing_where_nothing_is_wrong(self) -> None:
        assert set(verdicts(Sound).values()) == {"pass"}
        assert {"fresh", "every-page", "two-buffers", "second-mapping"} <= set(verdicts(Sound))

    def test_left_over_data(self) -> None:
        assert failing(Leaking) == {"fresh"}

    def test_a_buffer_that_is_shorter_than_asked_for(self) -> None:
        assert failing(TooShort) == set(verdicts(TooShort))

    def test_buffers_that_share_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with tempfile.TemporaryFile() as file:
            os.ftruncate(file.fileno(), SIZE)
            monkeypatch.setattr(OneForAll, "only", file.fileno(), raising=False)
            assert failing(OneForAll) == {"two-buffers", "fresh"}

    def test_mappings_of_different_memory(self) -> None:
        assert failing(AlwaysNew) == {"mapped-again"}

    def test_copies_instead_of_shared_memory(self) -> None:
        assert failing(Private) == {"second-mapping", "mapped-again", "forked-child", "mapped-by-child"}


class TestTouching:
    def test_a_touch_counts_its_faults(self) -> None:
        address = calls.mmap(0, SIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1, 0)
        try:
            assert sum(memory.touch(address, SIZE, store=True)) > 0
            assert memory.touch(address, SIZE, store=False) == [0] * 8
        finally:
            calls.munmap(address, SIZE)

    def test_a_signal_says_how_far_it_came(self) -> None:
        with tempfile.TemporaryFile() as file:
            os.ftruncate(file.fileno(), 2 * PAGE)
            address = calls.mmap(0, SIZE, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
            try:
                with pytest.raises(memory.SignalError) as ended:
                    memory.touch(address, SIZE, store=False)
            finally:
                calls.munmap(address, SIZE)
        assert (ended.value.name, ended.value.bytes_done) == ("SIGBUS", 2 * PAGE)


def elf(*, wide: bool, order: str, loads: list[tuple[int, bytes]]) -> bytes:
    """A core file with these (address, content)."""
    header, program = (order + "HHIQQQIHHHHHH", order + "IIQQQQQQ") if wide else (
        order + "HHIIIIIHHHHHH", order + "IIIIIIII")
    start = 16 + struct.calcsize(header)
    size = struct.calcsize(program)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2]) + bytes(10)
    out = ident + struct.pack(header, 4, 62, 1, 0, start, 0, 0, start, size, len(loads), 0, 0, 0)
    offset, table, content = start + size * len(loads), b"", b""
    for address, data in loads:
        fields = (1, 6, offset, address, 0, len(data), 4 * PAGE, 0) if wide else (
            1, offset, address, 0, len(data), 4 * PAGE, 6, 0)
        table += struct.pack(program, *fields)
        content += data
        offset += len(data)
    return out + table + content


class TestCores:
    @pytest.mark.parametrize(("wide", "order"), [(True, "<"), (True, ">"), (False, "<"), (False, ">")])
    def test_segments_are_found(self, *, wide: bool, order: str) -> None:
        found = core_dump.segments(elf(wide=wide, order=order, loads=[(0x10000, b"content"), (0x20000, b"")]))
        assert [(part.address, part.size_bytes, part.data) for part in found] == [
            (0x10000, 4 * PAGE, b"content"), (0x20000, 4 * PAGE, b"")]

    @pytest.mark.parametrize("data", [b"", b"\x7fELF\x09", b"#!/bin/sh"])
    def test_nonsense_is_refused(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="no ELF"):
            core_dump.segments(data)

    @pytest.mark.parametrize(("pattern", "says"), [
        ("|/usr/lib/systemd/systemd-coredump %P", "to a program"), ("@socket", "to a program"),
        ("/var/crash/core.%p", "a place of its own"), ("", "a place of its own"),
    ])
    def test_a_system_that_keeps_cores_elsewhere_is_left_alone(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                               pattern: str, says: str) -> None:
        path = tmp_path / "core_pattern"
        path.write_text(f"{pattern}\n")
        monkeypatch.setattr(core_dump, "CORE_PATTERN", str(path))
        assert says in core_dump.core_goes_elsewhere()
        with pytest.raises(Skipped):
            core_dump.dump_core()


class TestDirectIo:
    @pytest.fixture
    def folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
        """The one place where a file may be made."""
        monkeypatch.setattr(direct_io, "_folders", lambda: [str(tmp_path)])
        yield tmp_path
        assert not list(tmp_path.iterdir())

    def test_a_file_system_that_copies_does_not_do(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Stands in for a tmpfs: what nobody can pin is written all the same.
        monkeypatch.setattr(direct_io.calls, "pwrite", lambda *_arguments: PAGE)
        with pytest.raises(Skipped, match="TMPDIR"), direct_io.direct_file():
            pytest.fail(str(folder))

    def test_a_folder_that_takes_no_file_is_passed_by(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(direct_io, "_folders", lambda: ["/proc/self"])
        with pytest.raises(Skipped, match="TMPDIR"), direct_io.direct_file():
            pytest.fail("there is no such file")
