# SPDX-License-Identifier: MIT
"""A device that is taken from its driver under a mapping: nothing hangs, nothing oopses, and it comes back."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.conformance import calls, memory
from drmbench.conformance.attachment import Attachment
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import Failed, Skipped, case, expect, expect_errno
from drmbench.conformance.memory import SignalError
from drmbench.conformance.needs import DRM, FAKE_OFFSET, LAB_UNBIND, PRIME, SECOND_PROCESS, WRITABLE
from drmbench.conformance.sharing import exported
from drmbench.conformance.subject import open_file
from drmbench.errors import errno_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.conformance.subject import Subject
    from drmbench.drivers.protocol import MmapOffset

_SEED = 1
_BACK_WITHIN_S = 10.0
_LIMIT_S = 40.0
_CORE = "drivers/gpu/drm/drm_drv.c, drm_dev_unplug()"


def _node(subject: Subject) -> str:
    node = subject.target.node
    if node is None:
        raise Skipped("there is no node")
    return node


@contextlib.contextmanager
def _unbound(subject: Subject) -> Iterator[Attachment]:
    """The device without its driver, for the block; bound again behind it, whatever happened."""
    attachment = Attachment.of_node(_node(subject))
    attachment.unbind()
    try:
        yield attachment
    finally:
        attachment.bind(_BACK_WITHIN_S * subject.time_factor)


@contextlib.contextmanager
def _mapped(subject: Subject) -> Iterator[tuple[MmapOffset, int]]:
    """As subject.mapped(), but the handle is left to the open file, which nothing can be asked of afterwards."""
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as mapping:
            buffer.forget()
            yield place, mapping.address


def _look(address: int, size_bytes: int, seed: int) -> str:
    """What reading all of a mapping comes to: a signal's name, or whose bytes were found."""
    try:
        if memory.difference(address, size_bytes, seed) is None:
            return "the buffer's data"
        return "zeros" if memory.other_than(0, address, size_bytes) is None else "other bytes"
    except SignalError as ended:
        return ended.name


@case(
    "unplug/touch", needs=(DRM, LAB_UNBIND, WRITABLE), last=True, time_limit_s=_LIMIT_S,
    source=f"{_CORE}; drivers/gpu/drm/ttm/ttm_bo_vm.c, ttm_bo_vm_dummy_page(); the driver's fault handler",
    rule="A touch of a mapping whose device is gone ends in SIGBUS, or finds the buffer's data or a dummy page, on "
         "pages that were touched before as on those that were not.",
)
def touch(subject: Subject) -> str:
    half_bytes = subject.size_bytes // 2
    with _mapped(subject) as (_place, address):
        memory.fill(address, half_bytes, _SEED)
        with _unbound(subject):
            found = _look(address, half_bytes, _SEED), _look(address + half_bytes, half_bytes, _SEED)
            with contextlib.suppress(SignalError):
                memory.fill(address, 2 * half_bytes, _SEED)
        again = _look(address, 2 * half_bytes, _SEED)
    allowed = {signal.Signals.SIGBUS.name, "the buffer's data", "zeros"}
    for where, what in zip(("touched before", "new"), found, strict=True):
        if what not in allowed:
            raise Failed(f"read of pages {where}", " or ".join(sorted(allowed)), what)
    return f"touched before: {found[0]}; new: {found[1]}; with a driver again: {again}"


@case(
    "unplug/mmap", needs=(DRM, LAB_UNBIND, FAKE_OFFSET), last=True, time_limit_s=_LIMIT_S,
    source="drivers/gpu/drm/drm_gem.c, drm_gem_mmap()",
    rule="mmap() of a buffer whose device is gone is ENODEV, and stays so when the device is back.",
)
def mmap(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        again = partial(calls.mmap, 0, subject.size_bytes, subject.backend.prot, place.flags, place.fd, place.offset)
        with _unbound(subject):
            expect_errno("mmap(device gone)", errno.ENODEV, again)
        expect_errno("mmap(device back, old file)", errno.ENODEV, again)
        buffer.forget()


@case(
    "unplug/ioctl", needs=(DRM, LAB_UNBIND), last=True, time_limit_s=_LIMIT_S,
    source="drivers/gpu/drm/drm_ioctl.c, drm_ioctl()",
    rule="Every ioctl on a file whose device is gone is ENODEV, and stays so when the device is back.",
)
def ioctl(subject: Subject) -> None:
    def expect_gone(when: str) -> None:
        expect_errno(f"create ({when})", errno.ENODEV, partial(subject.backend.create, subject.kind, PAGE_BYTES))
        for name, number, struct in (
            ("GEM_CLOSE", lib.DRM_IOCTL_GEM_CLOSE, "struct drm_gem_close"),
            ("MAP_DUMB", lib.DRM_IOCTL_MODE_MAP_DUMB, "struct drm_mode_map_dumb"),
            ("PRIME_HANDLE_TO_FD", lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, "struct drm_prime_handle"),
        ):
            argument = ffi.new(f"{struct} *", {"handle": handle})
            expect_errno(f"{name} ({when})", errno.ENODEV, partial(calls.ioctl, subject.fd, number, argument))

    with subject.buffer() as buffer:
        handle = buffer.handle
        with _unbound(subject):
            expect_gone("device gone")
        expect_gone("device back, old file")
        buffer.forget()


@case(
    "unplug/open", needs=(DRM, LAB_UNBIND), last=True, time_limit_s=_LIMIT_S,
    source="drivers/gpu/drm/drm_drv.c, drm_minor_acquire()",
    rule="Opening the node of a device that is gone is ENODEV, even of one that was kept, and its name is gone.",
)
def open_node(subject: Subject) -> None:
    node = _node(subject)
    kept = os.open(node, os.O_PATH | os.O_CLOEXEC)
    try:
        with _unbound(subject) as attachment:
            expect("nodes of a device without a driver", [], attachment.nodes)
            expect_errno("open(the node that was kept)", errno.ENODEV,
                         lambda: os.open(f"/proc/self/fd/{kept}", os.O_RDWR | os.O_CLOEXEC))
    finally:
        os.close(kept)


@case(
    "unplug/bound-again", needs=(DRM, LAB_UNBIND, WRITABLE), last=True, time_limit_s=_LIMIT_S,
    source="drivers/base/bus.c, bind_store(); the driver's probe",
    rule="Bound again, the device has a node that makes and maps buffers, while files and mappings of before are held.",
)
def bound_again(subject: Subject) -> str:
    node = _node(subject)
    with _mapped(subject) as (_place, address):
        memory.fill(address, subject.size_bytes, _SEED)
        with _unbound(subject) as attachment:
            pass
        now = attachment.node_like(node)
        if now is None:
            raise Failed("nodes of the device", f"one like {os.path.basename(node)}", "none")
        _use(subject, now)
    return "the same node" if now == node else "a node of another number"


def _use(subject: Subject, node: str) -> None:
    """Make, map, write and read a buffer there, on an open file of its own."""
    with open_file(replace(subject.target, node=node)) as file, subject.buffer(file=file) as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, file.backend.prot) as mapping:
            memory.fill(mapping.address, subject.size_bytes, _SEED)
            expect("first byte that was lost", None, memory.difference(mapping.address, subject.size_bytes, _SEED))


@case(
    "unplug/while-touched", needs=(DRM, LAB_UNBIND, WRITABLE, SECOND_PROCESS), last=True, time_limit_s=_LIMIT_S,
    source=f"{_CORE}: unmap_mapping_range(); the driver's fault handler",
    rule="A process that touches a buffer while its device goes and comes back gets its pages or SIGBUS, and goes on.",
)
def while_touched(subject: Subject) -> str:
    size_bytes = subject.size_bytes
    reading, writing = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reading)
        with open(writing, "wb"), _mapped(subject) as (place, address):
            def work() -> str:
                os.close(writing)
                os.set_blocking(reading, False)
                return _map_and_fill_until_told(subject, place.fd, place.offset, reading)

            second = stack.enter_context(subject.second_process(work))
            memory.fill(address, size_bytes, _SEED)
            with _unbound(subject):
                pass
        return str(second.result())


def _map_and_fill_until_told(subject: Subject, fd: int, offset: int, told: int) -> str:
    """Touch old mappings and make new ones until the pipe is closed; what was met on the way."""
    size_bytes = subject.size_bytes
    met: set[str] = set()
    while True:
        with contextlib.suppress(BlockingIOError):
            if not os.read(told, 1):
                return ", ".join(sorted(met))
        try:
            at = calls.mmap(0, size_bytes, subject.backend.prot, calls.MAP_SHARED, fd, offset)
        except OSError as error:
            met.add(f"mmap {errno_name(error.errno or 0)}")
            continue
        try:
            memory.fill(at, size_bytes, _SEED)
            met.add("pages")
        except SignalError as ended:
            met.add(ended.name)
        finally:
            calls.munmap(at, size_bytes)


@case(
    "unplug/dma-buf", needs=(DRM, LAB_UNBIND, PRIME, WRITABLE), last=True, time_limit_s=_LIMIT_S,
    source="drivers/gpu/drm/drm_prime.c, drm_gem_dmabuf_release(): it holds the object and its device",
    rule="A dma-buf outlives its exporter's device: it can be mapped or not, and is given back.",
)
def dma_buf(subject: Subject) -> str:
    size_bytes = subject.size_bytes
    with contextlib.ExitStack() as stack:
        buffer = stack.enter_context(subject.buffer())
        fd = stack.enter_context(exported(subject, buffer))
        with _unbound(subject):
            buffer.forget()
            try:
                at = calls.mmap(0, size_bytes, subject.backend.prot, calls.MAP_SHARED, fd, 0)
            except OSError as error:
                return f"mmap {errno_name(error.errno or 0)}"
            stack.callback(calls.munmap, at, size_bytes)
            return _look(at, size_bytes, _SEED)
