# SPDX-License-Identifier: MIT
"""The traits of a buffer kind, each by a look at a mapping or by one try."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.conformance import calls, memory
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import Skipped
from drmbench.conformance.subject import OpenFile, open_file
from drmbench.drivers.prime import PREFIX
from drmbench.errors import DrmbenchError
from drmbench.native import timed_ioctl
from drmbench.stress.advice import NUMBERS
from drmbench.stress.traits import SPECIAL, Traits
from drmbench.units import format_bytes
from drmbench.vma import vm_flags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.drivers.protocol import BufferObject
    from drmbench.targets import Target

_GRANULES = (1, 16, 512)
_SEED = 1
_PIECE_BYTES = 1 << 20
_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE


def probe(target: Target, kind: str, live_bytes: int, *, unbind: bool) -> Traits:
    """Try it on small buffers, and once whether `live_bytes` can be had.

    Raises Skipped where it makes no sense, DrmbenchError and OSError where something is refused.
    """
    with open_file(target) as file:
        if not file.backend.mappable_again or file.backend.stores_nothing:
            raise Skipped("its bytes must not be changed" if file.backend.stores_nothing else
                          "the buffer is its mapping, and has no handle")
        try:
            traits = _probe(target, kind, file, unbind=unbind)
            _fill_up(file, kind, live_bytes, traits.granule_pages * PAGE_BYTES)
        except OSError as error:
            raise DrmbenchError(target.buffer_label(kind), f"make and map {format_bytes(live_bytes)} of buffers",
                                errno=error.errno) from None
    return traits


def _fill_up(file: OpenFile, kind: str, live_bytes: int, granule_bytes: int) -> None:
    """Make as much as the programs may hold at once, so that a refusal later on is one to report."""
    piece = -(-_PIECE_BYTES // granule_bytes) * granule_bytes
    held: list[BufferObject] = []
    try:
        while len(held) * piece < live_bytes:
            made, _stage = file.backend.create(kind, piece)
            held.append(made)
    finally:
        for made in held:
            file.backend.destroy(made)


def _probe(target: Target, kind: str, file: OpenFile, *, unbind: bool) -> Traits:
    drm = target.kind == "drm"
    with _buffer(file, kind) as (made, granule):
        place, _stage = file.backend.map_offset(made)
        if place.owned:
            os.close(place.fd)
        by_offset = place.map_here is None and place.fd == file.fd and not kind.startswith(PREFIX)
        with _mapped(file, made, granule) as address:
            flags = frozenset(vm_flags(address))
            dofork = not flags & SPECIAL or "io" in flags or _undoes_dontfork(address)
        exported, prime_flags, imports = _prime(target, file, made) if drm else (False, None, False)
        beyond = not drm and not place.sync
        return Traits(
            vm_flags=flags, prime_flags=prime_flags, drm=drm, fake_offset=drm and by_offset,
            exports=exported, imports=imports, beyond=beyond, splits=_splits(file, kind, granule),
            dofork=dofork, populate=_knows_populate(), past_holes=_populates_past_holes(), unbind=unbind,
            granule_pages=1 if beyond else _granule(file, made, granule),
        )


@contextlib.contextmanager
def _buffer(file: OpenFile, kind: str) -> Iterator[tuple[BufferObject, int]]:
    """The smallest buffer that the driver makes, and its pages."""
    for pages in _GRANULES:
        try:
            made, _stage = file.backend.create(kind, pages * PAGE_BYTES)
        except OSError:
            if pages == _GRANULES[-1]:
                raise
            continue
        try:
            yield made, max(pages, made.size_bytes // PAGE_BYTES)
        finally:
            file.backend.destroy(made)
        return


@contextlib.contextmanager
def _mapped(file: OpenFile, made: BufferObject, pages: int) -> Iterator[int]:
    place, _stage = file.backend.map_offset(made)
    try:
        if place.map_here is not None:
            address, _stage = place.map_here(pages * PAGE_BYTES)
        else:
            address = calls.mmap(0, pages * PAGE_BYTES, _READ_WRITE, place.flags, place.fd, place.offset)
    finally:
        if place.owned:
            os.close(place.fd)
    try:
        yield address
    finally:
        calls.munmap(address, pages * PAGE_BYTES)


def _granule(file: OpenFile, made: BufferObject, pages: int) -> int:
    """The buffer's real size: the longest mapping of it that is not refused."""
    for more in range(pages + 1, _GRANULES[-1] + 1):
        try:
            with _mapped(file, made, more):
                pass
        except OSError:
            return more - 1
    return pages


def _splits(file: OpenFile, kind: str, pages: int) -> bool:
    """Whether the second half of a mapping still shows the second half of the buffer when the first is unmapped.

    A fault handler that counts from vm_start shows the first half there: drm_gem_shmem_fault() up to 7.3 at least
    (drivers/gpu/drm/drm_gem_shmem_helper.c), etnaviv_gem_fault() up to 6.12, msm, tegra, omapdrm, i915 and others.
    """
    half = pages * PAGE_BYTES
    made, _stage = file.backend.create(kind, 2 * half)
    try:
        with _mapped(file, made, 2 * pages) as address:
            memory.fill(address, 2 * half, _SEED)
        with _mapped(file, made, 2 * pages) as address:
            calls.munmap(address, half)
            return memory.difference(address + half, half, _SEED, half) is None
    except memory.SignalError:
        return False
    finally:
        file.backend.destroy(made)


def _undoes_dontfork(address: int) -> bool:
    calls.madvise(address, PAGE_BYTES, NUMBERS["dontfork"])
    try:
        calls.madvise(address, PAGE_BYTES, NUMBERS["dofork"])
    except OSError:
        return False
    return True


def _knows_populate() -> bool:
    """Whether ordinary memory takes MADV_POPULATE_WRITE (5.14)."""
    address = calls.mmap(0, PAGE_BYTES, _READ_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    try:
        calls.madvise(address, PAGE_BYTES, NUMBERS["populate-write"])
    except OSError:
        return False
    finally:
        calls.munmap(address, PAGE_BYTES)
    return True


def _populates_past_holes() -> bool:
    """Whether a page that refuses MADV_POPULATE_WRITE is what counts where a hole is in front of it."""
    size = 2 * PAGE_BYTES
    address = calls.mmap(0, size, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    try:
        calls.munmap(address, PAGE_BYTES)
        calls.madvise(address, size, NUMBERS["populate-write"])
    except OSError as error:
        return error.errno == errno.EINVAL
    finally:
        calls.munmap(address, size)
    return False


def _prime(target: Target, file: OpenFile, made: BufferObject) -> tuple[bool, frozenset[str] | None, bool]:
    """Whether it can be exported, VmFlags of the dma-buf's mapping, whether another open file can import it."""
    request = ffi.new("struct drm_prime_handle *", {"handle": made.handle, "flags": os.O_RDWR | os.O_CLOEXEC})
    try:
        timed_ioctl(file.fd, lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, request)
    except OSError:
        return False, None, False
    try:
        return True, _dmabuf_flags(request.fd), _imports(target, request.fd)
    finally:
        os.close(request.fd)


def _dmabuf_flags(fd: int) -> frozenset[str] | None:
    try:
        address = calls.mmap(0, PAGE_BYTES, _READ_WRITE, calls.MAP_SHARED, fd, 0)
    except OSError:
        return None
    try:
        return frozenset(vm_flags(address))
    finally:
        calls.munmap(address, PAGE_BYTES)


def _imports(target: Target, fd: int) -> bool:
    with open_file(target) as other:
        request = ffi.new("struct drm_prime_handle *", {"fd": fd})
        try:
            timed_ioctl(other.fd, lib.DRM_IOCTL_PRIME_FD_TO_HANDLE, request)
        except OSError:
            return False
    return True
