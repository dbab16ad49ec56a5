# SPDX-License-Identifier: MIT
"""A file whose O_DIRECT writes pin the caller's pages, found by asking, not by the name of a file system."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import tempfile
from functools import partial
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import Skipped, errno_of
from drmbench.vma import vmas

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def direct_file() -> Iterator[int]:
    """An unnamed file, open for O_DIRECT; nothing of it is left. Raises Skipped where there is no such place."""
    hidden = _readable_hidden_page()
    with contextlib.ExitStack() as stack:
        for folder in _folders():
            fd = _unnamed(folder)
            if fd < 0:
                continue
            stack.callback(os.close, fd)
            if errno_of(partial(calls.pwrite, fd, hidden, PAGE_BYTES, 0)) == errno.EFAULT:
                yield fd
                return
        raise Skipped("no file system here whose direct I/O pins pages: set TMPDIR to one (ext4, xfs)")


def _folders() -> list[str]:
    return list(dict.fromkeys((tempfile.gettempdir(), "/var/tmp", os.getcwd())))  # noqa: S108 (files without a name)


def _unnamed(folder: str) -> int:
    """A new file in the folder without a name, open for O_DIRECT; -1 where the file system has no such thing."""
    # 9p and NFS have no O_TMPFILE.
    path = os.path.join(folder, f".drmbench-{secrets.token_hex(8)}")
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1
    os.unlink(path)
    return fd


def _readable_hidden_page() -> int:
    """The address of a page that write(2) can copy and nobody can pin: the kernel's own [vvar], VM_PFNMAP."""
    fd = os.memfd_create("drmbench")
    try:
        for vma in vmas():
            if vma.path == "[vvar]" and errno_of(partial(calls.pwrite, fd, vma.first, PAGE_BYTES, 0)) is None:
                return vma.first
    finally:
        os.close(fd)
    raise Skipped("this process has no readable [vvar] to find out with which file system pins pages")


def written(fd: int, size_bytes: int) -> bytes:
    """The first bytes of such a file, read by O_DIRECT as well; the size is a multiple of the page size."""
    address = calls.mmap(0, size_bytes, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    try:
        return memory.read(address, calls.pread(fd, address, size_bytes, 0))
    finally:
        calls.munmap(address, size_bytes)
