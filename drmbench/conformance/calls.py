# SPDX-License-Identifier: MIT
"""System calls just as the kernel answers them: not timed, not repeated on EINTR, nothing checked before.

Addresses and sizes are plain integers in bytes. Each raises RefusedError, an OSError that also knows its call.
"""

from __future__ import annotations

import mmap as constants
import os
import signal
from typing import Any

from drmbench._native import ffi, lib

PAGE_BYTES = constants.PAGESIZE
PROT_NONE = 0
MAP_SHARED = constants.MAP_SHARED
MAP_FIXED: int = lib.MAP_FIXED
MAP_FIXED_NOREPLACE: int = lib.MAP_FIXED_NOREPLACE
MAP_HUGETLB: int = lib.MAP_HUGETLB
MAP_SHARED_VALIDATE: int = lib.MAP_SHARED_VALIDATE
MAP_SYNC: int = lib.MAP_SYNC
MREMAP_FIXED: int = lib.MREMAP_FIXED
MREMAP_MAYMOVE: int = lib.MREMAP_MAYMOVE

_MAP_FAILED = (1 << (8 * ffi.sizeof("void *"))) - 1


class RefusedError(OSError):
    """The kernel refused `call` with `errno`."""

    def __init__(self, call: str, number: int) -> None:
        super().__init__(number, os.strerror(number))
        self.call = call


def _checked(call: str, status: int) -> int:
    if status < 0:
        raise RefusedError(call, int(ffi.errno))
    return status


def _pointer(address: int) -> Any:  # noqa: ANN401 (cffi's pointers have no Python type)
    return ffi.cast("void *", address)


def _address(call: str, pointer: Any) -> int:  # noqa: ANN401 (as above)
    address = int(ffi.cast("uintptr_t", pointer))
    if address == _MAP_FAILED:
        raise RefusedError(call, int(ffi.errno))
    return address


def mmap(hint: int, size_bytes: int, prot: int, flags: int, fd: int, offset: int) -> int:
    """The system call; returns the address."""
    return _address("mmap", lib.mmap(_pointer(hint), size_bytes, prot, flags, fd, offset))


def reserve(size_bytes: int, *, at: int | None = None) -> int:
    """Room in the address space that holds nothing: PROT_NONE, private, anonymous; in the place of what is `at`.

    Returns its address.
    """
    flags = constants.MAP_PRIVATE | constants.MAP_ANONYMOUS | lib.MAP_NORESERVE
    return mmap(at or 0, size_bytes, PROT_NONE, flags | (0 if at is None else MAP_FIXED), -1, 0)


def munmap(address: int, size_bytes: int) -> None:
    """The system call."""
    _checked("munmap", lib.munmap(_pointer(address), size_bytes))


def mremap(address: int, old_bytes: int, new_bytes: int, flags: int, new_address: int = 0) -> int:
    """The system call; `new_address` counts with MREMAP_FIXED. Returns the address."""
    return _address("mremap", lib.mremap(_pointer(address), old_bytes, new_bytes, flags, _pointer(new_address)))


def mprotect(address: int, size_bytes: int, prot: int) -> None:
    """The system call."""
    _checked("mprotect", lib.mprotect(_pointer(address), size_bytes, prot))


def madvise(address: int, size_bytes: int, advice: int) -> None:
    """The system call; `advice` is the kernel's number."""
    _checked("madvise", lib.madvise(_pointer(address), size_bytes, advice))


def mlock(address: int, size_bytes: int) -> None:
    """The system call."""
    _checked("mlock", lib.mlock(_pointer(address), size_bytes))


def munlock(address: int, size_bytes: int) -> None:
    """The system call."""
    _checked("munlock", lib.munlock(_pointer(address), size_bytes))


def msync(address: int, size_bytes: int, flags: int) -> None:
    """The system call."""
    _checked("msync", lib.msync(_pointer(address), size_bytes, flags))


def mincore(address: int, size_bytes: int) -> bytes:
    """The system call: one byte a page, bit 0 set where it is resident."""
    pages = ffi.new("unsigned char[]", max(1, -(-size_bytes // PAGE_BYTES)))
    _checked("mincore", lib.mincore(_pointer(address), size_bytes, pages))
    return bytes(ffi.buffer(pages))


def process_vm_readv(pid: int, address: int, size_bytes: int) -> bytes:
    """One range of process `pid`; fewer bytes where only its start could be read."""
    local = ffi.new("char[]", size_bytes)
    count = _checked("process_vm_readv", lib.process_vm_readv(
        pid, _range(local, size_bytes), 1, _range(_pointer(address), size_bytes), 1, 0,
    ))
    return bytes(ffi.buffer(local, count))


def process_vm_writev(pid: int, address: int, data: bytes) -> int:
    """One range of process `pid`; returns the bytes written."""
    return _checked("process_vm_writev", lib.process_vm_writev(
        pid, _range(ffi.from_buffer(data), len(data)), 1, _range(_pointer(address), len(data)), 1, 0,
    ))


def _range(start: Any, size_bytes: int) -> Any:  # noqa: ANN401 (cffi's pointers have no Python type)
    return ffi.new("struct iovec *", {"iov_base": ffi.cast("void *", start), "iov_len": size_bytes})


def pread(fd: int, address: int, size_bytes: int, offset: int) -> int:
    """From a file straight into mapped memory; returns the bytes read."""
    return _checked("pread", lib.pread(fd, _pointer(address), size_bytes, offset))


def pwrite(fd: int, address: int, size_bytes: int, offset: int) -> int:
    """Straight from mapped memory to a file; returns the bytes written."""
    return _checked("pwrite", lib.pwrite(fd, _pointer(address), size_bytes, offset))


def ioctl(fd: int, request: int, argument: Any, name: str = "ioctl") -> int:  # noqa: ANN401 (any ioctl struct)
    """The system call, once: EINTR and EAGAIN come through. `argument` is a cffi pointer; `name` is for the report."""
    return _checked(name, lib.ioctl(fd, request, ffi.cast("void *", argument)))


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends (PR_SET_PDEATHSIG)."""
    _checked("prctl", lib.prctl(lib.PR_SET_PDEATHSIG, ffi.cast("unsigned long", int(signal.SIGKILL))))
