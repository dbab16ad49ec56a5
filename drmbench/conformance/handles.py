# SPDX-License-Identifier: MIT
"""GEM handles closed by ioctl, and fields of ioctls that nothing reads."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.conformance import calls
from drmbench.conformance.case import SUCCESS, Failed, errno_of
from drmbench.errors import errno_name

if TYPE_CHECKING:
    from collections.abc import Callable


def gem_close(fd: int, handle: int, pad: int = 0) -> None:
    """GEM_CLOSE, with the padding of its struct. Raises RefusedError."""
    request = ffi.new("struct drm_gem_close *", {"handle": handle, "pad": pad})
    calls.ioctl(fd, lib.DRM_IOCTL_GEM_CLOSE, request, "GEM_CLOSE")


def ignored_or_invalid(what: str, call: Callable[[], object]) -> str:
    """"ignored" or "EINVAL"; fails where the call has another errno."""
    number = errno_of(call)
    if number not in {None, errno.EINVAL}:
        raise Failed(what, f"{SUCCESS} or EINVAL", errno_name(number or 0))
    return "ignored" if number is None else "EINVAL"
