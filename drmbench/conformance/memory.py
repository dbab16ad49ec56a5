# SPDX-License-Identifier: MIT
"""Mapped memory read and written by guarded C (csrc/native/memory.c): a SIGBUS or SIGSEGV becomes SignalError.

Python views of a mapping must not touch device memory: nothing would catch the signal.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np

from drmbench._native import ffi, lib
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.native import READ, WRITE, Span, TouchFaultError


class SignalError(Exception):
    """An access was ended by `signal_number` at `address`; `bytes_done` bytes before it went well."""

    def __init__(self, signal_number: int, address: int, bytes_done: int) -> None:
        super().__init__(signal_number, address, bytes_done)
        self.signal_number = signal_number
        self.address = address
        self.bytes_done = bytes_done

    @property
    def name(self) -> str:
        """SIGBUS or SIGSEGV."""
        return signal.Signals(self.signal_number).name

    def __str__(self) -> str:
        return f"{self.name} after {self.bytes_done} bytes"


def _finish(status: int, stop: Any) -> None:  # noqa: ANN401 (cffi's struct has no Python type)
    if stop.signal_number:
        raise SignalError(stop.signal_number, stop.address, stop.touches_done)
    if status < 0:
        raise OSError(-status, os.strerror(-status))


def read(address: int, size_bytes: int) -> bytes:
    """The bytes there. Raises SignalError."""
    out, stop = ffi.new("uint8_t[]", size_bytes), ffi.new("struct drmbench_stop *")
    _finish(lib.drmbench_memory_read(address, size_bytes, out, stop), stop)
    return bytes(ffi.buffer(out))


def write(address: int, data: bytes) -> None:
    """Store the bytes there. Raises SignalError."""
    stop = ffi.new("struct drmbench_stop *")
    _finish(lib.drmbench_memory_write(address, len(data), ffi.from_buffer("const uint8_t[]", data), stop), stop)


def fill(address: int, size_bytes: int, seed: int, offset_bytes: int = 0) -> None:
    """Store the pattern of `seed` as it stands at `offset_bytes` of a buffer; all in multiples of 8.

    Raises SignalError.
    """
    stop = ffi.new("struct drmbench_stop *")
    _finish(lib.drmbench_memory_fill(address, size_bytes, seed, offset_bytes, stop), stop)


def difference(address: int, size_bytes: int, seed: int, offset_bytes: int = 0) -> int | None:
    """Where (byte within the range) the memory first differs from that pattern, None where it holds it all.

    Raises SignalError.
    """
    equal, stop = ffi.new("uint64_t *"), ffi.new("struct drmbench_stop *")
    _finish(lib.drmbench_memory_compare(address, size_bytes, seed, offset_bytes, equal, stop), stop)
    return None if equal[0] == size_bytes else int(equal[0])


def other_than(byte: int, address: int, size_bytes: int) -> int | None:
    """Where (byte within the range) the first byte other than `byte` is, None where all are. Raises SignalError."""
    equal, stop = ffi.new("uint64_t *"), ffi.new("struct drmbench_stop *")
    _finish(lib.drmbench_memory_compare_byte(address, size_bytes, byte, equal, stop), stop)
    return None if equal[0] == size_bytes else int(equal[0])


def touch(address: int, size_bytes: int, *, store: bool) -> list[int]:
    """One access to each page, in ascending order: the faults that each took (255 are 255 or more).

    A store writes one byte. Raises SignalError.
    """
    pages = np.arange(size_bytes // PAGE_BYTES, dtype=np.uint32)
    span = Span(address, size_bytes, PAGE_BYTES, pages, WRITE if store else READ)
    try:
        return [int(faults) for faults in span.count_faults()]
    except TouchFaultError as ended:
        raise SignalError(ended.signal_number, ended.address, ended.address - address) from None
