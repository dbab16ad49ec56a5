# SPDX-License-Identifier: MIT
"""Back-ends without a driver: the floor that a DRM mapping is compared with, and the tests' ground."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from typing import ClassVar

from drmbench.drivers.protocol import BufferObject, MmapOffset
from drmbench.native import Stage, timed_close, timed_memfd, timed_open


class AnonBackend:
    """MAP_SHARED|MAP_ANONYMOUS: kernel shmem with nothing around it. The buffer is its mapping."""

    kinds: ClassVar[tuple[str, ...]] = ("anon",)
    steps: ClassVar[dict[str, str]] = {}
    mappable_again: ClassVar[bool] = False
    stores_nothing: ClassVar[bool] = False
    prot = mmap.PROT_READ | mmap.PROT_WRITE

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:  # noqa: ARG002 (one kind)
        """Nothing to make; no system call, so the Stage is empty."""
        return BufferObject(-1, size_bytes), Stage()

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """No descriptor; no system call, so the Stage is empty."""
        return MmapOffset(buffer_object.handle, 0, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS), Stage()

    def destroy(self, buffer_object: BufferObject) -> Stage:  # noqa: ARG002 (munmap freed it)
        """Nothing to give back; no system call, so the Stage is empty."""
        return Stage()


class MemfdBackend:
    """memfd_create() and MAP_SHARED: the shmem pages that GEM shmem drivers use, without DRM."""

    kinds: ClassVar[tuple[str, ...]] = ("memfd",)
    steps: ClassVar[dict[str, str]] = {"create": "memfd_create", "destroy": "close"}
    mappable_again: ClassVar[bool] = True
    stores_nothing: ClassVar[bool] = False
    prot = mmap.PROT_READ | mmap.PROT_WRITE

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:  # noqa: ARG002 (one kind)
        """memfd_create() and ftruncate()."""
        fd, stage = timed_memfd("drmbench", size_bytes)
        return BufferObject(fd, size_bytes), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """A memfd is mapped at 0; no system call, so the Stage is empty."""
        return MmapOffset(buffer_object.handle, 0, mmap.MAP_SHARED), Stage()

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """close(), which frees the pages."""
        return timed_close(buffer_object.handle)


class FileBackend:
    """A user's own file, mapped shared; a write touch is an atomic OR with 0, so no byte ever changes.

    "Create" opens the file and asks the kernel to drop its clean pages (POSIX_FADV_DONTNEED), so that a
    cold touch reads from the disk where the kernel obliged.
    """

    kinds: ClassVar[tuple[str, ...]] = ("file",)
    steps: ClassVar[dict[str, str]] = {"create": "open", "destroy": "close"}
    mappable_again: ClassVar[bool] = True
    stores_nothing: ClassVar[bool] = True

    def __init__(self, path: str, *, writable: bool) -> None:
        self._path = path
        self._flags = os.O_RDWR if writable else os.O_RDONLY
        self.prot = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:  # noqa: ARG002 (one kind)
        """Open the file; EFBIG where it is shorter than size_bytes."""
        # O_NONBLOCK: opening a pipe must not wait for its other end.
        fd, stage = timed_open(self._path, self._flags | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            file_bytes = _regular_size(fd, size_bytes)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            os.close(fd)
            raise
        return BufferObject(fd, file_bytes), stage

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """The file's start; no system call, so the Stage is empty."""
        return MmapOffset(buffer_object.handle, 0, mmap.MAP_SHARED), Stage()

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """close(); the file itself stays."""
        return timed_close(buffer_object.handle)


def _regular_size(fd: int, least_bytes: int) -> int:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ENODEV, "only a regular file can be a baseline")
    if status.st_size < least_bytes:
        raise OSError(errno.EFBIG, f"the file has only {status.st_size} bytes")
    return status.st_size
