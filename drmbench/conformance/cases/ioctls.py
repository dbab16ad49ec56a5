# SPDX-License-Identifier: MIT
"""The ioctls that make, find and close buffers: what they refuse, and with which errno."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from functools import partial
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.conformance import calls
from drmbench.conformance.bad_requests import bad_requests
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import SUCCESS, Failed, Skipped, case, expect, expect_errno
from drmbench.conformance.handles import gem_close, ignored_or_invalid
from drmbench.conformance.needs import DRM, PRIME, PRIME_IMPORT
from drmbench.drivers.prime import PREFIX
from drmbench.drivers.protocol import BufferObject
from drmbench.errors import errno_name

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

_MOST = 0xffff_ffff
_NO_HANDLES = (0, 1 << 20, 0x7fff_ffff, _MOST)
_NO_MEMORY_HAS = (1 << 62, (1 << 63) - PAGE_BYTES)
_TOO_MUCH = frozenset({errno.EINVAL, errno.ENOMEM, errno.ENOSPC, errno.E2BIG, errno.EFBIG, errno.EOVERFLOW})
_NO_ROOM_FOR_NOTHING = frozenset({errno.EINVAL, errno.ENOMEM, errno.ENOSPC})
_UNKNOWN_NUMBER = 0xff
_UNKNOWN_FLAG = 1 << 30


def _find(subject: Subject, handle: int) -> None:
    """Ask where the handle can be mapped, or map it where an ioctl does that."""
    place, _stage = subject.backend.map_offset(BufferObject(handle, subject.size_bytes, subject.kind))
    if place.owned:
        os.close(place.fd)
    if place.map_here is not None:
        calls.munmap(place.map_here(subject.size_bytes)[0], subject.size_bytes)


def _finding(subject: Subject) -> str:
    """The ioctl of _find() by its name."""
    steps = subject.backend.steps
    return steps.get("mmap") or steps["export" if subject.kind.startswith(PREFIX) else "map_offset"]


@case(
    "ioctls/no-bytes", needs=(DRM,),
    rule="A buffer of no bytes is EINVAL, or ENOMEM or ENOSPC where TTM looks for room for no page, unless the driver "
         "makes it larger; never a buffer without a page.",
    source="the driver's create ioctl; drivers/gpu/drm/drm_mm.c, drm_mm_insert_node_in_range()",
)
def no_bytes(subject: Subject) -> str:
    what = f"{subject.backend.steps['create']}(no bytes)"
    allowed = {errno.EINVAL} if subject.kind.endswith("dumb") else _NO_ROOM_FOR_NOTHING
    try:
        made, _stage = subject.backend.create(subject.kind, 0)
    except OSError as error:
        name = errno_name(error.errno or 0)
        if error.errno not in allowed:
            raise Failed(what, " or ".join(map(errno_name, sorted(allowed))), name) from None
        return name
    subject.backend.destroy(made)
    if not made.size_bytes:
        raise Failed(what, " or ".join(map(errno_name, sorted(allowed))), SUCCESS)
    return f"{made.size_bytes} bytes"


@case(
    "ioctls/absurd-size", needs=(DRM,),
    rule="A buffer larger than any memory is refused with an errno that says so, and nothing is kept.",
    source="drivers/gpu/drm/drm_gem.c, drm_gem_object_init(); the driver's create ioctl",
)
def absurd_size(subject: Subject) -> str:
    if subject.kind.removeprefix(PREFIX) == "dumb":
        raise Skipped("a dumb buffer's sizes have 32 bits: see dumb-ioctls/overflow")
    found = []
    for size_bytes in _NO_MEMORY_HAS:
        what = f"{subject.backend.steps['create']}({size_bytes:#x} bytes)"
        try:
            made, _stage = subject.backend.create(subject.kind, size_bytes)
        except OverflowError:
            raise Skipped("its size has 32 bits") from None
        except OSError as error:
            if error.errno not in _TOO_MUCH:
                raise Failed(what, " or ".join(map(errno_name, sorted(_TOO_MUCH))), errno_name(error.errno or 0)) \
                    from None
            found.append(errno_name(error.errno))
        else:
            subject.backend.destroy(made)
            raise Failed(what, "an errno", SUCCESS)
    return ", ".join(dict.fromkeys(found))


@case(
    "ioctls/no-handle", needs=(DRM,), source="drivers/gpu/drm/drm_gem.c, drm_gem_object_lookup()",
    rule="Asking for the offset or the dma-buf of a handle that never was is ENOENT.",
)
def no_handle(subject: Subject) -> None:
    for handle in _NO_HANDLES:
        expect_errno(f"{_finding(subject)}(handle {handle:#x})", errno.ENOENT, partial(_find, subject, handle))


@case(
    "ioctls/closed-handle", needs=(DRM,), source="drivers/gpu/drm/drm_gem.c, drm_gem_object_lookup()",
    rule="Asking for the offset or the dma-buf of a handle that was closed is ENOENT.",
)
def closed_handle(subject: Subject) -> None:
    with subject.buffer() as buffer:
        handle = buffer.handle
        buffer.locate()
        buffer.destroy()
        expect_errno(f"{_finding(subject)}(closed handle)", errno.ENOENT, partial(_find, subject, handle))


@case(
    "ioctls/close-no-handle", needs=(DRM,), source="drivers/gpu/drm/drm_gem.c, drm_gem_handle_delete()",
    rule="Closing a handle that never was, or twice, is EINVAL.",
)
def close_no_handle(subject: Subject) -> None:
    destroy = subject.backend.steps["destroy"]
    with subject.buffer() as buffer:
        gone = BufferObject(buffer.handle, subject.size_bytes, subject.kind)
        buffer.destroy()
        expect_errno(f"{destroy}(closed handle)", errno.EINVAL, lambda: subject.backend.destroy(gone))
        expect_errno("GEM_CLOSE(closed handle)", errno.EINVAL, lambda: gem_close(subject.fd, gone.handle))
    for handle in _NO_HANDLES:
        never = BufferObject(handle, subject.size_bytes, subject.kind)
        expect_errno(f"{destroy}(handle {handle:#x})", errno.EINVAL, partial(subject.backend.destroy, never))
        expect_errno(f"GEM_CLOSE(handle {handle:#x})", errno.EINVAL, partial(gem_close, subject.fd, handle))


@case(
    "ioctls/close-padding", needs=(DRM,), per="device", source="drivers/gpu/drm/drm_gem.c, drm_gem_close_ioctl()",
    rule="GEM_CLOSE does not look at its padding and closes; a kernel that did would say EINVAL.",
)
def close_padding(subject: Subject) -> str:
    with subject.buffer() as buffer:
        handle = buffer.handle
        observed = ignored_or_invalid("GEM_CLOSE(padding)", partial(gem_close, subject.fd, handle, _MOST))
        if observed == "ignored":
            buffer.forget()
    return observed


@case(
    "ioctls/struct-size", needs=(DRM,), per="device", source="drivers/gpu/drm/drm_ioctl.c, drm_ioctl()",
    rule="An ioctl takes a shorter struct as if zeros followed, and of a longer one only what it knows.",
)
def struct_size(subject: Subject) -> None:
    for size_bytes in (4, 4096):
        with subject.buffer() as buffer:
            argument = ffi.new("uint32_t[]", [buffer.handle, *[_MOST] * (size_bytes // 4 - 1)])
            number = lib.DRM_IOCTL_GEM_CLOSE & ~(0x3fff << 16) | size_bytes << 16
            calls.ioctl(subject.fd, number, argument, f"GEM_CLOSE(struct of {size_bytes} bytes)")
            buffer.forget()
            expect("what follows is as it was", expected=True, actual=set(argument[1:size_bytes // 4]) <= {_MOST})


@case(
    "ioctls/unknown-number", needs=(DRM,), per="device", source="drivers/gpu/drm/drm_ioctl.c, drm_ioctl()",
    rule="A DRM ioctl that no kernel has is EINVAL.",
)
def unknown_number(subject: Subject) -> None:
    number = lib.DRM_IOCTL_GEM_CLOSE & ~0xff | _UNKNOWN_NUMBER
    argument = ffi.new("uint32_t[]", 2)
    expect_errno(f"ioctl({_UNKNOWN_NUMBER:#x})", errno.EINVAL, lambda: calls.ioctl(subject.fd, number, argument))


@case(
    "ioctls/bad-address", needs=(DRM,), per="device", source="drivers/gpu/drm/drm_ioctl.c, drm_ioctl()",
    rule="An argument that cannot be read is EFAULT.",
)
def bad_address(subject: Subject) -> None:
    nowhere = calls.reserve(PAGE_BYTES)
    try:
        pointer = ffi.cast("void *", nowhere)
        for name, number in (("GEM_CLOSE", lib.DRM_IOCTL_GEM_CLOSE), ("MAP_DUMB", lib.DRM_IOCTL_MODE_MAP_DUMB)):
            expect_errno(f"{name}(unreadable argument)", errno.EFAULT,
                         partial(calls.ioctl, subject.fd, number, pointer))
    finally:
        calls.munmap(nowhere, PAGE_BYTES)


@case(
    "ioctls/native-bad-fields", needs=(DRM,), source="the driver's ioctls, see drmbench/conformance/bad_requests.py",
    rule="The driver's own create and offset ioctls refuse flags, domains and padding that they do not know: EINVAL.",
)
def native_bad_fields(subject: Subject) -> str:
    requests = bad_requests(subject.driver, subject.kind)
    if not requests:
        raise Skipped("no field of this buffer's ioctls is known to be checked")
    with subject.buffer() as buffer:
        for bad in requests:
            argument = ffi.new(f"{bad.struct} *", bad.fields(buffer.handle, subject.size_bytes))
            expect_errno(bad.what, errno.EINVAL, partial(calls.ioctl, subject.fd, bad.number, argument))
    return f"{len(requests)} refused"


@case(
    "ioctls/export-flags", needs=(DRM, PRIME), source="drivers/gpu/drm/drm_prime.c, drm_prime_handle_to_fd_ioctl()",
    rule="PRIME_HANDLE_TO_FD knows DRM_CLOEXEC and DRM_RDWR: a first export's descriptor has what was asked for, any "
         "other flag is EINVAL.",
)
def export_flags(subject: Subject) -> str:
    for flags, close_on_exec, access in (
        (0, 0, os.O_RDONLY), (os.O_CLOEXEC, fcntl.FD_CLOEXEC, os.O_RDONLY), (os.O_RDWR, 0, os.O_RDWR),
        (os.O_RDWR | os.O_CLOEXEC, fcntl.FD_CLOEXEC, os.O_RDWR),
    ):
        with subject.buffer() as buffer:
            expect(f"(FD_CLOEXEC, access) of PRIME_HANDLE_TO_FD({flags:#o})", (close_on_exec, access),
                   _export_and_look(subject, buffer.handle, flags))
    with subject.buffer() as buffer:
        for flag in (os.O_NONBLOCK, os.O_APPEND, _UNKNOWN_FLAG):
            expect_errno(f"PRIME_HANDLE_TO_FD({flag:#o})", errno.EINVAL,
                         partial(_export, subject, buffer.handle, flag))
        _export_and_look(subject, buffer.handle, 0)
        _cloexec, access = _export_and_look(subject, buffer.handle, os.O_RDWR)
    return "exported again: the access of the first time" if access == os.O_RDONLY else "exported again: as asked for"


def _export_and_look(subject: Subject, handle: int, flags: int) -> tuple[int, int]:
    fd = _export(subject, handle, flags)
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    finally:
        os.close(fd)


def _export(subject: Subject, handle: int, flags: int) -> int:
    request = ffi.new("struct drm_prime_handle *", {"handle": handle, "flags": flags})
    calls.ioctl(subject.fd, lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, request, "PRIME_HANDLE_TO_FD")
    return int(request.fd)


@case(
    "ioctls/import-no-dma-buf", needs=(DRM, PRIME_IMPORT), per="device",
    source="drivers/gpu/drm/drm_prime.c, drm_gem_prime_fd_to_handle(); drivers/dma-buf/dma-buf.c, dma_buf_get()",
    rule="PRIME_FD_TO_HANDLE of a descriptor that is not open is EBADF, of one that is no dma-buf EINVAL.",
)
def import_no_dma_buf(subject: Subject) -> None:
    def take(fd: int) -> None:
        request = ffi.new("struct drm_prime_handle *", {"fd": fd})
        calls.ioctl(subject.fd, lib.DRM_IOCTL_PRIME_FD_TO_HANDLE, request, "PRIME_FD_TO_HANDLE")
        gem_close(subject.fd, request.handle)

    closed = os.dup(subject.fd)
    os.close(closed)
    for fd in (-1, closed):
        expect_errno("PRIME_FD_TO_HANDLE(no open descriptor)", errno.EBADF, partial(take, fd))
    with tempfile.TemporaryFile() as file:
        for what, fd in (("a file", file.fileno()), ("the node itself", subject.fd)):
            expect_errno(f"PRIME_FD_TO_HANDLE({what})", errno.EINVAL, partial(take, fd))
