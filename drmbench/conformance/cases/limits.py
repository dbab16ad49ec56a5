# SPDX-License-Identifier: MIT
"""Limits of a process that are reached: a clear errno, nothing lost, and all is well once there is room again."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drmbench.buffer import TooLargeError
from drmbench.conformance import calls, memory
from drmbench.conformance.case import SUCCESS, Failed, Skipped, case, expect, expect_errno
from drmbench.conformance.cgroup import MEMORY_CGROUP, memory_cgroup
from drmbench.conformance.child import ForkedChild
from drmbench.conformance.memory import SignalError
from drmbench.conformance.needs import DRM, PRIME, REMAPPABLE, WRITABLE
from drmbench.conformance.sharing import exported
from drmbench.conformance.verdict import judged, verdict_of
from drmbench.device import open_node
from drmbench.errors import DrmbenchError, errno_name
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.conformance.cgroup import MemoryCgroup
    from drmbench.conformance.subject import Subject

_SEED = 1
_MIB = 1 << 20
_LARGE_BYTES = 4 * _MIB
_CGROUP_BYTES = 6 * _MIB
_TOO_LARGE_FOR_IT_BYTES = 8 * _MIB
_CHILD_LIMIT_S = 8.0
_NO_ROOM = frozenset({errno.ENOMEM, errno.ENOSPC})


@contextlib.contextmanager
def _limited(number: int, most: int) -> Iterator[None]:
    """A soft limit for the block."""
    before = resource.getrlimit(number)
    resource.setrlimit(number, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(number, before)


def _expect_to_fit(subject: Subject, size_bytes: int) -> None:
    """Skip where the device has no room for such a buffer."""
    try:
        with subject.mapped(size_bytes) as (_place, address):
            memory.touch(address, size_bytes, store=False)
    except TooLargeError as error:
        raise Skipped(f"no room for a buffer of {format_bytes(size_bytes)}: {error.reason}") from None


@case(
    "limits/address-space", needs=(REMAPPABLE, WRITABLE), source="mm/mmap.c, may_expand_vm()",
    rule="A mapping that RLIMIT_AS leaves no room for is ENOMEM; the buffer keeps its data and can be mapped when "
         "there is room.",
)
def address_space(subject: Subject) -> None:
    size_bytes, prot = max(subject.size_bytes, _LARGE_BYTES), subject.backend.prot
    _expect_to_fit(subject, size_bytes)
    with subject.buffer(size_bytes) as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, prot) as mapping:
            memory.fill(mapping.address, size_bytes, _SEED)
        used_bytes = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * calls.PAGE_BYTES
        with _limited(resource.RLIMIT_AS, used_bytes + size_bytes // 2):
            expect_errno("mmap(no room in the address space)", errno.ENOMEM, partial(buffer.map, place, prot))
        with buffer.map(place, prot) as mapping:
            expect("first byte that was lost", None, memory.difference(mapping.address, size_bytes, _SEED))


@case(
    "limits/open-files", needs=(DRM, PRIME), source="fs/file.c, alloc_fd(); drivers/gpu/drm/drm_prime.c",
    rule="With as many descriptors as RLIMIT_NOFILE allows, opening the node and exporting a buffer are EMFILE; the "
         "buffer can be exported when there is room.",
)
def open_files(subject: Subject) -> None:
    node = subject.target.node or ""
    with subject.buffer() as buffer:
        lowest_free = os.dup(subject.fd)
        os.close(lowest_free)

        def open_it() -> None:
            with open_node(node):
                pass

        def export() -> None:
            with exported(subject, buffer):
                pass

        with _limited(resource.RLIMIT_NOFILE, lowest_free):
            for _attempt in range(3):
                expect_errno("open(no descriptor left)", errno.EMFILE, open_it)
                expect_errno("PRIME_HANDLE_TO_FD(no descriptor left)", errno.EMFILE, export)
        export()


@case(
    "limits/file-size", needs=(DRM, WRITABLE), source="mm/shmem.c, shmem_file_setup()",
    rule="A buffer is no file: RLIMIT_FSIZE limits neither its size nor what is stored through a mapping.",
)
def file_size(subject: Subject) -> None:
    with _limited(resource.RLIMIT_FSIZE, 0), subject.mapped() as (_place, address):
        memory.fill(address, subject.size_bytes, _SEED)
        expect("first byte that was lost", None, memory.difference(address, subject.size_bytes, _SEED))


@case(
    "limits/memory-cgroup", needs=(DRM, WRITABLE, MEMORY_CGROUP), time_limit_s=40,
    source="mm/shmem.c, shmem_get_folio(); mm/memcontrol.c; drivers/gpu/drm/ttm/ttm_pool.c, which charges nobody",
    rule="A buffer larger than the memory cgroup of its process is refused or SIGBUS where its pages are charged (or "
         "the process is killed), and is given back; where nothing charges them it works.",
)
def cgroup(subject: Subject) -> str:
    _expect_to_fit(subject, _TOO_LARGE_FOR_IT_BYTES)
    with memory_cgroup(_CGROUP_BYTES) as group:
        found = _in_cgroup(subject, group)
    with subject.mapped(_TOO_LARGE_FOR_IT_BYTES) as (_place, address):
        memory.fill(address, _TOO_LARGE_FOR_IT_BYTES, _SEED)
    return found


def _in_cgroup(subject: Subject, group: MemoryCgroup) -> str:
    """What becomes of a process there that makes and fills such a buffer."""
    child = ForkedChild(lambda: msgspec.json.encode(judged(partial(_fill_there, subject, group))))
    try:
        if not child.wait(_CHILD_LIMIT_S * subject.time_factor):
            raise Failed("the process in the cgroup", "it ends", "it is still there")
        status = child.status or 0
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and group.killed:
            return "killed for want of memory"
        judgement = verdict_of(child)
    finally:
        child.kill()
        child.wait(_CHILD_LIMIT_S)
        child.close()
    if judgement.verdict != "pass":
        raise Failed(f"in the cgroup: {judgement.what}", judgement.expected or "no trouble",
                     judgement.actual or judgement.reason)
    return str(judgement.value)


def _fill_there(subject: Subject, group: MemoryCgroup) -> str:
    group.enter()
    with subject.open_again() as file:
        step = "create"
        try:
            with subject.buffer(_TOO_LARGE_FOR_IT_BYTES, file=file) as buffer:
                step = "mmap"
                place, _stage = buffer.locate()
                with buffer.map(place, file.backend.prot) as mapping:
                    memory.fill(mapping.address, _TOO_LARGE_FOR_IT_BYTES, _SEED)
        except DrmbenchError as error:
            if error.errno not in _NO_ROOM:
                raise
            return f"{step}: {errno_name(error.errno or 0)}"
        except SignalError as ended:
            expect("signal of a touch", signal.Signals.SIGBUS.name, ended.name)
            return f"touch: {ended.name}"
    return SUCCESS
