# SPDX-License-Identifier: MIT
"""What cases may need, each looked for on the running system and never guessed from a version."""

from __future__ import annotations

import errno
import mmap
import os
from typing import TYPE_CHECKING

from drmbench._native import ffi, lib
from drmbench.conformance import calls
from drmbench.conformance.attachment import Attachment
from drmbench.conformance.case import Need, errno_of
from drmbench.conformance.known import excluded
from drmbench.conformance.sharing import NOT_OFFERED
from drmbench.drivers.dumb import DumbBackend
from drmbench.drivers.prime import PREFIX
from drmbench.errors import DrmbenchError, errno_name

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject


def _root(_subject: Subject) -> str:
    return "" if os.geteuid() == 0 else "needs root"


def _drm(subject: Subject) -> str:
    return "" if subject.is_drm else f"{subject.driver} is no DRM driver"


def _dumb(subject: Subject) -> str:
    if subject.fd < 0 or not DumbBackend.offered(subject.fd, subject.driver):
        return "no dumb buffers on this node"
    return ""


def _descriptor(subject: Subject) -> str:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        return "" if place.fd >= 0 and place.map_here is None else "this buffer is not mapped through a descriptor"


def _fake_offset(subject: Subject) -> str:
    """A fake offset is asked for by ioctl and mapped on the node itself, unlike a dma-buf's or an i915 GEM_MMAP's."""
    if not subject.is_drm or subject.kind.startswith(PREFIX):
        return "this buffer has no fake offset"
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
    return "" if place.fd == subject.fd and place.map_here is None else "this buffer has no fake offset"


def _offset_by_ioctl(subject: Subject) -> str:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        return "" if place.map_here is None else "an ioctl maps this buffer, so it has no offset"


def _prime(subject: Subject) -> str:
    if not subject.is_drm or subject.kind.startswith(PREFIX):
        return "this buffer has no GEM handle to export"
    with subject.buffer() as buffer:
        export = ffi.new("struct drm_prime_handle *", {"handle": buffer.handle, "flags": os.O_RDWR | os.O_CLOEXEC})
        try:
            calls.ioctl(subject.fd, lib.DRM_IOCTL_PRIME_HANDLE_TO_FD, export)
        except OSError as error:
            return f"PRIME export: {errno_name(error.errno or errno.EIO)}"
        os.close(export.fd)
    return ""


def _prime_import(subject: Subject) -> str:
    """No dma-buf is needed to ask: a driver that imports looks at the descriptor first."""
    if not subject.is_drm:
        return "there is no node to import on"
    request = ffi.new("struct drm_prime_handle *", {"fd": -1})
    number = errno_of(lambda: calls.ioctl(subject.fd, lib.DRM_IOCTL_PRIME_FD_TO_HANDLE, request))
    return "" if number not in NOT_OFFERED else f"PRIME import: {errno_name(number or errno.EIO)}"


def _remappable(subject: Subject) -> str:
    return "" if subject.backend.mappable_again else "the buffer is its mapping"


def _writable(subject: Subject) -> str:
    writable = subject.backend.prot & mmap.PROT_WRITE and not subject.backend.stores_nothing
    return "" if writable else "its bytes must not be changed"


def _second_process(subject: Subject) -> str:
    try:
        subject.in_second_process(os.getpid)
    except (OSError, DrmbenchError) as error:
        return f"no second process: {error}"
    return ""


def _lab_unbind(subject: Subject) -> str:
    """Only in the lab's virtual machine, never on a machine that somebody looks at."""
    if "DRMBENCH_VM_KERNEL" not in os.environ:
        return "a driver is only taken away in the lab: drmbench vm run"
    if os.geteuid() != 0:
        return "needs root"
    if not subject.is_drm or subject.target.node is None:
        return "there is no driver to take away"
    if not Attachment.of_node(subject.target.node).can_unbind:
        return "its device has no driver to unbind in sysfs"
    return excluded("lab-unbind", driver=subject.driver, kernel=subject.kernel)


ROOT = Need("root", _root)
DRM = Need("drm", _drm)
DUMB = Need("dumb", _dumb)
DESCRIPTOR = Need("descriptor", _descriptor)
FAKE_OFFSET = Need("fake-offset", _fake_offset)
OFFSET_BY_IOCTL = Need("offset-by-ioctl", _offset_by_ioctl)
PRIME = Need("prime", _prime)
PRIME_IMPORT = Need("prime-import", _prime_import)
REMAPPABLE = Need("remappable", _remappable)
WRITABLE = Need("writable", _writable)
SECOND_PROCESS = Need("second-process", _second_process)
LAB_UNBIND = Need("lab-unbind", _lab_unbind)


def madvise(name: str, advice: int) -> Need:
    """The kernel knows this advice: it accepts it for ordinary memory of this process."""
    def missing(_subject: Subject) -> str:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        address = calls.mmap(0, calls.PAGE_BYTES, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        try:
            calls.madvise(address, calls.PAGE_BYTES, advice)
        except OSError as error:
            return f"this kernel refuses {name} on anonymous memory: {errno_name(error.errno or errno.EIO)}"
        finally:
            calls.munmap(address, calls.PAGE_BYTES)
        return ""

    return Need(name.lower().replace("_", "-"), missing)
