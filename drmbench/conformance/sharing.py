# SPDX-License-Identifier: MIT
"""PRIME between open files: a buffer exported by one and imported by another, or by the same one."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.conformance import calls
from drmbench.conformance.case import Skipped
from drmbench.drivers.protocol import BufferObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.buffer import Buffer
    from drmbench.conformance.subject import OpenFile, Subject

NOT_OFFERED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP})
"""Where a driver imports no dma-buf, and where its own cannot be mapped (drivers/gpu/drm/drm_prime.c)."""


@contextlib.contextmanager
def exported(subject: Subject, buffer: Buffer, access: int = os.O_RDWR) -> Iterator[int]:
    """The dma-buf of a buffer of the subject's file, for the block. Raises RefusedError."""
    export = ffi.new("struct drm_prime_handle *", {"handle": buffer.handle, "flags": access | os.O_CLOEXEC})
    calls.ioctl(subject.fd, lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, export, "PRIME_HANDLE_TO_FD")
    try:
        yield export.fd
    finally:
        os.close(export.fd)


def import_handle(file: OpenFile, dma_buf: int) -> int:
    """Its GEM handle on `file`, which the caller closes. Raises Skipped where the driver cannot import."""
    request = ffi.new("struct drm_prime_handle *", {"fd": dma_buf})
    try:
        calls.ioctl(file.fd, lib.DRM_IOCTL_PRIME_FD_TO_HANDLE, request, "PRIME_FD_TO_HANDLE")
    except calls.RefusedError as refused:
        if refused.errno in NOT_OFFERED:
            raise Skipped("this driver imports no dma-buf") from None
        raise
    return int(request.handle)


@contextlib.contextmanager
def imported(file: OpenFile, dma_buf: int, kind: str, size_bytes: int) -> Iterator[int]:
    """The address of the dma-buf, imported by `file` and mapped whole there. Raises Skipped, RefusedError, OSError."""
    made = BufferObject(import_handle(file, dma_buf), size_bytes, kind)
    try:
        place, _stage = file.backend.map_offset(made)
        address = calls.mmap(0, size_bytes, file.backend.prot, place.flags, place.fd, place.offset)
        try:
            yield address
        finally:
            calls.munmap(address, size_bytes)
    finally:
        file.backend.destroy(made)
