# SPDX-License-Identifier: MIT
"""Buffer -> MmapOffset -> Mapping: context managers that release everything on every path.

Both keep the Stage of each step. Errors are DrmbenchError with the step's name and the kernel's errno.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import signal
from typing import TYPE_CHECKING, Self

from drmbench._native import ffi, lib
from drmbench.drivers.prime import PREFIX
from drmbench.errors import DrmbenchError
from drmbench.native import TouchFaultError, timed_ioctl, timed_mmap, timed_munmap
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from drmbench.drivers.protocol import Backend, BufferObject, MmapOffset
    from drmbench.native import Stage

PAGE_BYTES = mmap.PAGESIZE

# The errnos with which drivers say "not that much": the default size is halved on these.
TOO_LARGE = frozenset({errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.E2BIG, errno.EINVAL, errno.EOVERFLOW})

_REMEDIES = {
    errno.ENOMEM: "try a smaller --size",
    errno.ENOSPC: "the device's memory is full; try a smaller --size",
    errno.EFBIG: "try a smaller --size",
    errno.EINVAL: "the driver refuses this size or kind; try a smaller --size or another --buffer",
    errno.EACCES: "not writable; try --access read",
    errno.EROFS: "the filesystem is read-only; try --access read",
    errno.EPERM: "the kernel forbids it; try as root or another --buffer",
    errno.ENODEV: "the device is gone or cannot be mapped; see drmbench devices",
    errno.ENXIO: "the device is gone; see drmbench devices",
    errno.ENOENT: "it is not there (any more)",
    errno.EMFILE: "too many open files; raise ulimit -n",
}


class TooLargeError(DrmbenchError):
    """The device cannot give a buffer of this size; a smaller one may work."""


def _refusal(who: str, what: str, size_bytes: int, error: OSError) -> DrmbenchError:
    number = error.errno or errno.EIO
    cls = TooLargeError if number in TOO_LARGE else DrmbenchError
    operation = f"{what} ({format_bytes(size_bytes)})"
    return cls(who, operation, errno=number, reason=error.strerror, remedy=_REMEDIES.get(number, ""))


class Mapping:
    """A mapped buffer: `address`, `size_bytes`, and `mapped`, the Stage of its mmap()."""

    def __init__(self, who: str, address: int, size_bytes: int, mapped: Stage, sync_fd: int | None = None) -> None:
        self.who = who
        self._sync_fd = sync_fd
        self.address = address
        self.size_bytes = size_bytes
        self.mapped = mapped
        self._live = True

    def unmap(self, munmap: Callable[[int, int], Stage] = timed_munmap) -> Stage:
        """munmap() once, and say what it took; `munmap` takes the address and the size in bytes."""
        self._live = False
        try:
            return munmap(self.address, self.size_bytes)
        except OSError as error:
            raise _refusal(self.who, "munmap", self.size_bytes, error) from None

    @contextlib.contextmanager
    def touching(self) -> Iterator[None]:
        """Turn a SIGBUS or SIGSEGV of a touch pass inside the block into a DrmbenchError.

        A dma-buf's CPU access is announced to its exporter before and after (DMA_BUF_IOCTL_SYNC), untimed.
        """
        self._sync(lib.DMA_BUF_SYNC_START)
        try:
            yield
        except TouchFaultError as fault:
            page = (fault.address - self.address) // PAGE_BYTES
            name = signal.Signals(fault.signal_number).name
            cls = TooLargeError if fault.signal_number == signal.SIGBUS else DrmbenchError
            raise cls(
                self.who, "touch", errno=errno.EFAULT,
                reason=f"{name} at page {page} of {self.size_bytes // PAGE_BYTES}",
                remedy="the driver or file could not supply that page; try a smaller --size",
            ) from None
        finally:
            self._sync(lib.DMA_BUF_SYNC_END)

    def _sync(self, moment: int) -> None:
        if self._sync_fd is None:
            return
        try:
            timed_ioctl(self._sync_fd, lib.DMA_BUF_IOCTL_SYNC,
                        ffi.new("struct dma_buf_sync *", {"flags": lib.DMA_BUF_SYNC_RW | moment}))
        except OSError as error:
            raise _refusal(self.who, "DMA_BUF_IOCTL_SYNC", self.size_bytes, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        if self._live:
            self.unmap()


class Buffer:
    """A fresh buffer object of `size_bytes`, made on entering the block and destroyed on leaving it.

    `created` is the Stage of its making; `destroy()` gives the Stage of its end.
    """

    def __init__(self, who: str, backend: Backend, kind: str, size_bytes: int) -> None:
        self.who = who
        self.size_bytes = size_bytes
        self._backend = backend
        self._kind = kind
        self._object: BufferObject | None = None
        self._owned: set[int] = set()

    def __enter__(self) -> Self:
        with self._step("create"):
            made, self.created = self._backend.create(self._kind, self.size_bytes)
        self._object = made
        if made.size_bytes < self.size_bytes:
            self.destroy()
            raise TooLargeError(
                self.who, "create", errno=errno.EINVAL,
                reason=f"the driver gave only {format_bytes(made.size_bytes)}",
                remedy="try a smaller --size",
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        if self._object is not None:
            self.destroy()

    @property
    def _alive(self) -> BufferObject:
        if self._object is None:
            raise RuntimeError("the buffer is not alive: use it inside its with block")
        return self._object

    @property
    def handle(self) -> int:
        """Its GEM handle on the open file it was made with, or its descriptor where there is no DRM."""
        return self._alive.handle

    @property
    def object_bytes(self) -> int:
        """The size of the object that the driver made, at least `size_bytes`."""
        return self._alive.size_bytes

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            step = self._backend.steps.get(name, name)
            raise _refusal(self.who, step, self.size_bytes, error) from None

    def locate(self) -> tuple[MmapOffset, Stage]:
        """The place where mmap() finds the buffer, and the Stage of asking for it."""
        with self._step("export" if self._kind.startswith(PREFIX) else "map_offset"):
            place, stage = self._backend.map_offset(self._alive)
        if place.owned:
            self._owned.add(place.fd)
        return place, stage

    def map(self, place: MmapOffset, prot: int, *, flags: int = 0, hint: int = 0) -> Mapping:
        """mmap() the whole buffer at `place` with PROT_ bits `prot`; `flags` are added to the place's own."""
        with self._step("mmap"):
            if place.map_here is not None:
                address, stage = place.map_here(self.size_bytes)
            else:
                address, stage = timed_mmap(hint, self.size_bytes, prot, place.flags | flags, place.fd, place.offset)
        return Mapping(self.who, address, self.size_bytes, stage, place.fd if place.sync else None)

    def forget(self) -> None:
        """Leave the handle alone from now on: the open file that it belongs to is about to be closed, or is."""
        self._object = None
        while self._owned:
            os.close(self._owned.pop())

    def destroy(self) -> Stage:
        """Give the handle back, once."""
        gone = self._alive
        self.forget()
        with self._step("destroy"):
            return self._backend.destroy(gone)
