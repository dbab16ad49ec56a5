# SPDX-License-Identifier: MIT
"""Guarded access to mapped memory: what was stored is found again, and a signal says where."""

from __future__ import annotations

import mmap
import os
import signal
from typing import TYPE_CHECKING

import pytest

from drmbench.conformance import calls, memory

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = mmap.PAGESIZE
SIZE = 4 * PAGE
READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE


@pytest.fixture
def fd() -> Iterator[int]:
    fd = os.memfd_create("drmbench")
    os.ftruncate(fd, SIZE)
    yield fd
    os.close(fd)


@pytest.fixture
def address(fd: int) -> Iterator[int]:
    """Four pages of a memfd."""
    place = calls.mmap(0, SIZE, READ_WRITE, mmap.MAP_SHARED, fd, 0)
    yield place
    calls.munmap(place, SIZE)


class TestContent:
    @pytest.mark.parametrize(("offset", "data"), [(0, b"12345678abc"), (3, b"unaligned"), (PAGE - 1, b"xy"), (8, b"")])
    def test_bytes(self, address: int, fd: int, offset: int, data: bytes) -> None:
        memory.write(address + offset, data)
        assert os.pread(fd, len(data), offset) == data
        assert memory.read(address + offset, len(data)) == data
        assert os.pread(fd, 1, offset + len(data)) == b"\0"

    def test_a_pattern_is_found_again_and_the_first_wrong_byte_is_named(self, address: int, fd: int) -> None:
        memory.fill(address, SIZE, 7)
        assert memory.difference(address, SIZE, 7) is None
        assert memory.difference(address, SIZE, 8) == 0
        assert memory.difference(address + PAGE, PAGE, 7) == 0
        assert memory.difference(address + PAGE, PAGE, 7, PAGE) is None
        os.pwrite(fd, b"\xff\xff", 2 * PAGE + 17)
        assert memory.difference(address, SIZE, 7) == 2 * PAGE + 16

    def test_no_two_words_are_equal(self, address: int) -> None:
        memory.fill(address, SIZE, 1)
        data = memory.read(address, SIZE)
        assert len({data[at:at + 8] for at in range(0, SIZE, 8)}) == SIZE // 8

    def test_one_byte_everywhere(self, address: int, fd: int) -> None:
        assert memory.other_than(0, address, SIZE) is None
        os.pwrite(fd, b"\1", SIZE - 1)
        assert memory.other_than(0, address, SIZE) == SIZE - 1
        assert memory.other_than(0, address + 3, SIZE - 3) == SIZE - 4

    def test_a_pattern_is_made_of_words(self, address: int) -> None:
        with pytest.raises(OSError, match="Invalid argument"):
            memory.fill(address + 1, 8, 1)


class TestSignals:
    def test_beyond_the_end_of_the_file(self, address: int, fd: int) -> None:
        os.ftruncate(fd, 2 * PAGE)
        with pytest.raises(memory.SignalError) as ended:
            memory.other_than(0, address, SIZE)
        assert (ended.value.name, ended.value.bytes_done) == ("SIGBUS", 2 * PAGE)
        assert ended.value.address == address + 2 * PAGE

    def test_without_permission(self, address: int) -> None:
        calls.mprotect(address + PAGE, PAGE, mmap.PROT_READ)
        for access in (lambda: memory.fill(address, SIZE, 1), lambda: memory.write(address, bytes(SIZE))):
            with pytest.raises(memory.SignalError) as ended:
                access()
            assert (ended.value.signal_number, ended.value.bytes_done) == (signal.SIGSEGV, PAGE)
        calls.mprotect(address, SIZE, calls.PROT_NONE)
        with pytest.raises(memory.SignalError):
            memory.read(address, 1)


class TestCalls:
    """Each system call does what its manual page says on a memfd, and raises with its name and errno."""

    def test_mremap_moves_and_shrinks(self, address: int) -> None:
        memory.fill(address, SIZE, 3)
        place = calls.reserve(SIZE)
        moved = calls.mremap(address, SIZE, SIZE, calls.MREMAP_MAYMOVE | calls.MREMAP_FIXED, place)
        assert (moved, memory.difference(moved, SIZE, 3)) == (place, None)
        assert calls.mremap(moved, SIZE, PAGE, 0) == moved
        calls.mmap(address, SIZE, READ_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | calls.MAP_FIXED, -1, 0)
        calls.munmap(moved, PAGE)

    def test_residency_locking_and_advice(self, address: int) -> None:
        memory.write(address + PAGE, b"x")
        assert [page & 1 for page in calls.mincore(address, SIZE)] == [0, 1, 0, 0]
        calls.mlock(address, PAGE)
        calls.munlock(address, PAGE)
        calls.madvise(address, SIZE, mmap.MADV_DONTNEED)
        calls.msync(address, SIZE, 4)

    def test_another_process(self, address: int) -> None:
        memory.write(address, b"hello")
        assert calls.process_vm_readv(os.getpid(), address, 5) == b"hello"
        assert calls.process_vm_writev(os.getpid(), address, b"j") == 1
        assert memory.read(address, 5) == b"jello"

    def test_files(self, address: int, fd: int) -> None:
        memory.write(address, b"hello")
        assert calls.pwrite(fd, address, 5, PAGE) == 5
        assert memory.read(address + PAGE, 5) == b"hello"
        assert calls.pread(fd, address + 2 * PAGE, 5, 0) == 5
        assert memory.read(address + 2 * PAGE, 5) == b"hello"

    def test_refusals_name_the_call(self, address: int) -> None:
        with pytest.raises(calls.RefusedError) as refused:
            calls.munmap(address + 1, PAGE)
        assert (refused.value.call, refused.value.errno) == ("munmap", 22)
        with pytest.raises(calls.RefusedError) as refused:
            calls.mmap(0, 0, READ_WRITE, mmap.MAP_SHARED, -1, 0)
        assert refused.value.call == "mmap"
