# SPDX-License-Identifier: MIT
"""Signals that rain on every system call of a buffer's life: nothing is lost, left out or done twice."""

from __future__ import annotations

import contextlib
import errno
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

from drmbench._native import ffi, lib
from drmbench.conformance import calls, memory
from drmbench.conformance.case import case, expect, expect_errno
from drmbench.conformance.handles import gem_close
from drmbench.conformance.needs import DRM, DUMB, REMAPPABLE, WRITABLE
from drmbench.device import open_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drmbench.conformance.subject import Subject

_EVERY_S = 0.0005
_SLOWEST = 4.0
_ROUNDS = 10
_SIGNALS = 50
_AGAIN = frozenset({errno.EINTR, errno.EAGAIN})


@contextlib.contextmanager
def _rain(subject: Subject) -> Iterator[Callable[[], int]]:
    """SIGALRM again and again, without SA_RESTART, in the block; what it yields says how many have come."""
    count = 0

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal count
        count += 1

    every_s = _EVERY_S * min(subject.time_factor, _SLOWEST)
    before = signal.signal(signal.SIGALRM, on_signal)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, every_s, every_s)
    try:
        yield lambda: count
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@case(
    "signals/whole-life", needs=(REMAPPABLE, WRITABLE), time_limit_s=40,
    source="drivers/gpu/drm/ttm/ttm_bo_vm.c, ttm_bo_vm_reserve(); libdrm's xf86drm.c, drmIoctl()",
    rule="Signals that arrive during create, map, touch, unmap and destroy show in none of them, where ioctls that "
         "were interrupted are repeated.",
)
def whole_life(subject: Subject) -> None:
    size_bytes, turn = subject.size_bytes, 0
    with _rain(subject) as fallen:
        while turn < _ROUNDS or fallen() < _SIGNALS:
            with subject.mapped() as (_place, address):
                memory.fill(address, size_bytes, turn)
                expect("first byte that was lost", None, memory.difference(address, size_bytes, turn))
            turn += 1


@case(
    "signals/ioctl-once", needs=(DRM, DUMB), per="device", time_limit_s=40,
    source="drivers/gpu/drm/drm_ioctl.c, drm_ioctl()",
    rule="An ioctl that a signal interrupts says EINTR or EAGAIN and has done nothing: repeated, it does it once.",
)
def ioctl_once(subject: Subject) -> str:
    interrupted = asked = 0

    def repeated(number: int, argument: Any) -> None:  # noqa: ANN401 (any ioctl struct)
        nonlocal interrupted, asked
        while True:
            asked += 1
            try:
                calls.ioctl(subject.fd, number, argument)
            except OSError as error:
                if error.errno not in _AGAIN:
                    raise
                interrupted += 1
            else:
                return

    with _rain(subject) as fallen:
        while asked < _ROUNDS * 10 or fallen() < _SIGNALS:
            made = ffi.new("struct drm_mode_create_dumb *", {"width": 1024, "height": 64, "bpp": 32})
            repeated(lib.DRM_IOCTL_MODE_CREATE_DUMB, made)
            repeated(lib.DRM_IOCTL_MODE_MAP_DUMB, ffi.new("struct drm_mode_map_dumb *", {"handle": made.handle}))
            repeated(lib.DRM_IOCTL_GEM_CLOSE, ffi.new("struct drm_gem_close *", {"handle": made.handle}))
            expect_errno("GEM_CLOSE(again)", errno.EINVAL, partial(gem_close, subject.fd, made.handle))
    return "some were interrupted" if interrupted else "none was interrupted"


@case(
    "signals/system-calls", needs=(DRM, REMAPPABLE, WRITABLE), time_limit_s=40, source="signal(7)",
    rule="open(), mmap(), munmap() and close() of a node are not interrupted by a signal.",
)
def system_calls(subject: Subject) -> None:
    node, turn = subject.target.node or "", 0
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with _rain(subject) as fallen:
            while turn < _ROUNDS * 10 or fallen() < _SIGNALS:
                with open_node(node):
                    pass
                with buffer.map(place, subject.backend.prot) as mapping:
                    memory.fill(mapping.address, calls.PAGE_BYTES, turn)
                turn += 1
