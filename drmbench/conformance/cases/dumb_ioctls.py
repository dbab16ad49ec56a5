# SPDX-License-Identifier: MIT
"""The ioctls of dumb buffers: sizes that are none, do not fit or overflow, and fields that nobody looks at."""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING, Any

from drmbench._native import ffi, lib
from drmbench.conformance import calls
from drmbench.conformance.case import case, expect, expect_errno
from drmbench.conformance.handles import gem_close, ignored_or_invalid
from drmbench.conformance.needs import DRM, DUMB
from drmbench.errors import errno_name

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

_MOST = 0xffff_ffff
_CORE = "drivers/gpu/drm/drm_dumb_buffers.c, drm_mode_create_dumb()"


def _create_dumb(subject: Subject, width: int, height: int, bpp: int, flags: int = 0) -> Any:  # noqa: ANN401 (cffi)
    """CREATE_DUMB as it is; the struct that the kernel filled in. Raises RefusedError."""
    request = ffi.new("struct drm_mode_create_dumb *",
                      {"width": width, "height": height, "bpp": bpp, "flags": flags})
    calls.ioctl(subject.fd, lib.DRM_IOCTL_MODE_CREATE_DUMB, request, "CREATE_DUMB")
    return request


def _create_and_close(subject: Subject, width: int, height: int, bpp: int, flags: int = 0) -> None:
    gem_close(subject.fd, _create_dumb(subject, width, height, bpp, flags).handle)


@case(
    "dumb-ioctls/nothing", needs=(DRM, DUMB), per="device", source=_CORE,
    rule="A dumb buffer without width, height or bits per pixel is EINVAL.",
)
def dumb_nothing(subject: Subject) -> None:
    for width, height, bpp in ((0, 64, 32), (64, 0, 32), (64, 64, 0), (0, 0, 0)):
        expect_errno(f"CREATE_DUMB({width} x {height}, {bpp} bpp)", errno.EINVAL,
                     partial(_create_and_close, subject, width, height, bpp))


@case(
    "dumb-ioctls/overflow", needs=(DRM, DUMB), per="device", source=_CORE,
    rule="A dumb buffer whose row, size or size in pages does not fit in 32 bits is EINVAL.",
)
def dumb_overflow(subject: Subject) -> None:
    for width, height, bpp in (
        (_MOST, 1, 32), (1 << 30, 1, 32), (1, _MOST, 32), (1 << 16, 1 << 16, 8), (1 << 15, 1 << 15, 32),
        (_MOST, _MOST, _MOST), (_MOST, 1, 8), (1, 1 << 31, 16), (1, 1, _MOST), (1, 1, _MOST - 7), (1 << 20, 1, 1 << 15),
        (3, 0x5555_5556, 8),
    ):
        expect_errno(f"CREATE_DUMB({width:#x} x {height:#x}, {bpp:#x} bpp)", errno.EINVAL,
                     partial(_create_and_close, subject, width, height, bpp))


@case(
    "dumb-ioctls/depth", needs=(DRM, DUMB), per="device",
    source="drivers/gpu/drm/drm_dumb_buffers.c, drm_mode_size_dumb(); the driver's dumb_create",
    rule="A dumb buffer of any depth is large enough for its rows, or EINVAL where the driver has no such depth.",
)
def dumb_depth(subject: Subject) -> str:
    width, height, refused = 65, 3, []
    for bpp in (1, 7, 8, 12, 15, 16, 24, 30, 32, 33, 48, 64, 128):
        try:
            made = _create_dumb(subject, width, height, bpp)
        except OSError as error:
            expect(f"CREATE_DUMB({bpp} bpp)", "EINVAL", errno_name(error.errno or 0))
            refused.append(bpp)
            continue
        gem_close(subject.fd, made.handle)
        expect(f"a row of {width} pixels of {bpp} bits fits", expected=True, actual=made.pitch * 8 >= width * bpp)
        expect(f"{height} rows of {bpp} bpp fit", expected=True, actual=made.size >= made.pitch * height)
    return f"EINVAL for {', '.join(map(str, refused))} bpp" if refused else "every depth"


@case(
    "dumb-ioctls/flags", needs=(DRM, DUMB), per="device", source=_CORE,
    rule="CREATE_DUMB does not look at its flags, of which none is defined; a kernel that did would say EINVAL.",
)
def dumb_flags(subject: Subject) -> str:
    return ignored_or_invalid("CREATE_DUMB(flags)", partial(_create_and_close, subject, 64, 64, 32, _MOST))


@case(
    "dumb-ioctls/map-padding", needs=(DRM, DUMB), per="device",
    source="drivers/gpu/drm/drm_dumb_buffers.c, drm_mode_mmap_dumb_ioctl()",
    rule="MAP_DUMB does not look at its padding: the offset is the same; a kernel that did would say EINVAL.",
)
def map_dumb_padding(subject: Subject) -> str:
    made = _create_dumb(subject, 64, 64, 32)
    offsets = []

    def find(pad: int) -> None:
        request = ffi.new("struct drm_mode_map_dumb *", {"handle": made.handle, "pad": pad})
        calls.ioctl(subject.fd, lib.DRM_IOCTL_MODE_MAP_DUMB, request, "MAP_DUMB")
        offsets.append(request.offset)

    try:
        find(0)
        observed = ignored_or_invalid("MAP_DUMB(padding)", partial(find, _MOST))
        expect("different offsets", 1, len(set(offsets)))
    finally:
        gem_close(subject.fd, made.handle)
    return observed
