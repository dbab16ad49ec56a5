# SPDX-License-Identifier: MIT
"""Several threads and processes at one buffer or many: pages come right, whatever another does meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.case import SUCCESS, Failed, case, expect, outcome_of
from drmbench.conformance.memory import SignalError
from drmbench.conformance.needs import DESCRIPTOR, DRM, REMAPPABLE, SECOND_PROCESS, WRITABLE
from drmbench.conformance.threads import together
from drmbench.conformance.vm_flags import DONTCOPY
from drmbench.errors import errno_name

if TYPE_CHECKING:
    from drmbench.buffer import Buffer
    from drmbench.conformance.subject import OpenFile, Subject
    from drmbench.drivers.protocol import MmapOffset

_SEED = 1
_THREADS = 4
_PROCESSES = 3
_ROUNDS = 4
_FAULTS = "the driver's fault handler; mm/memory.c, handle_mm_fault()"


def _expect_pattern(what: str, address: int, size_bytes: int, seed: int) -> None:
    first = memory.difference(address, size_bytes, seed)
    if first is not None:
        raise Failed(what, "what was written", f"other bytes from offset {first:#x} on")


def _fill_from(address: int, size_bytes: int, seed: int, share: float) -> None:
    """All of it, beginning at that share of it, so that threads meet each other on different pages."""
    middle = int(size_bytes * share) // calls.PAGE_BYTES * calls.PAGE_BYTES
    memory.fill(address + middle, size_bytes - middle, seed, middle)
    memory.fill(address, middle, seed)


@case(
    "concurrency/threads-one-mapping", needs=(REMAPPABLE, WRITABLE), source=_FAULTS,
    rule="Threads that touch the pages of one mapping for the first time at once get the same pages.",
)
def threads_one_mapping(subject: Subject) -> None:
    size_bytes, prot = subject.size_bytes, subject.backend.prot
    for turn in range(_ROUNDS):
        with subject.buffer() as buffer:
            place, _stage = buffer.locate()
            with buffer.map(place, prot) as mapping:
                together([partial(_fill_from, mapping.address, size_bytes, turn, number / _THREADS)
                          for number in range(_THREADS)])
                _expect_pattern("pages that several threads wrote first", mapping.address, size_bytes, turn)
            with buffer.map(place, prot) as fresh:
                together([partial(_expect_pattern, "pages that several threads read first", fresh.address, size_bytes,
                                  turn)] * _THREADS)


@case(
    "concurrency/threads-own-buffers", needs=(WRITABLE,), source=_FAULTS,
    rule="Threads that make, map, write, read and destroy buffers of their own do not disturb each other.",
)
def threads_own_buffers(subject: Subject) -> None:
    def work(number: int) -> None:
        for turn in range(_ROUNDS):
            with subject.mapped() as (_place, address):
                seed = number * _ROUNDS + turn
                memory.fill(address, subject.size_bytes, seed)
                _expect_pattern(f"buffer {turn + 1} of thread {number + 1}", address, subject.size_bytes, seed)

    together([partial(work, number) for number in range(_THREADS)])


@case(
    "concurrency/processes-one-buffer", needs=(WRITABLE, SECOND_PROCESS), source=_FAULTS,
    rule="Processes that inherit one mapping and touch its pages at once get the same pages.",
)
def processes_one_buffer(subject: Subject) -> str:
    size_bytes = subject.size_bytes
    with subject.mapped() as (place, address):
        inherited = DONTCOPY not in subject.vm_flags(address)

        def work(number: int) -> None:
            at = address if inherited else calls.mmap(0, size_bytes, subject.backend.prot, place.flags, place.fd,
                                                      place.offset)
            for _turn in range(_ROUNDS):
                _fill_from(at, size_bytes, _SEED, number / _PROCESSES)
                _expect_pattern(f"pages of process {number + 1}", at, size_bytes, _SEED)

        _in_processes(subject, [partial(work, number) for number in range(_PROCESSES)])
        _expect_pattern("pages that several processes wrote first", address, size_bytes, _SEED)
    return "inherited" if inherited else "mapped by each (VM_DONTCOPY)"


def _in_processes(subject: Subject, works: list[partial[None]]) -> None:
    """Each in a process of its own; they begin when all are there."""
    reading, writing = os.pipe()

    def gated(work: partial[None]) -> None:
        os.close(writing)
        os.read(reading, 1)
        work()

    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reading)
        with open(writing, "wb", closefd=True):  # closed: go
            running = [stack.enter_context(subject.second_process(partial(gated, work))) for work in works]
        for each in running:
            each.result()


@case(
    "concurrency/processes-own-buffers", needs=(WRITABLE, SECOND_PROCESS), source=_FAULTS,
    rule="Processes with open files and buffers of their own do not disturb each other.",
)
def processes_own_buffers(subject: Subject) -> None:
    size_bytes = subject.size_bytes

    def work(number: int) -> None:
        for turn in range(_ROUNDS // 2):
            with subject.open_again() as file, subject.buffer(file=file) as buffer:
                place, _stage = buffer.locate()
                with buffer.map(place, file.backend.prot) as mapping:
                    seed = number * _ROUNDS + turn
                    memory.fill(mapping.address, size_bytes, seed)
                    _expect_pattern(f"buffer {turn + 1} of process {number + 1}", mapping.address, size_bytes, seed)

    _in_processes(subject, [partial(work, number) for number in range(_PROCESSES)])


def _fill_until_gone(address: int, size_bytes: int) -> str:
    """Store again and again until a signal says that the mapping is gone; which one."""
    try:
        while True:
            memory.fill(address, size_bytes, _SEED)
    except SignalError as ended:
        return ended.name


@case(
    "concurrency/fault-against-munmap", needs=(DESCRIPTOR, WRITABLE), source="mm/mmap.c, unmap_region(); mmap_lock",
    rule="A store into a mapping that another thread takes away ends in SIGSEGV, and the buffer keeps what was stored.",
)
def fault_against_munmap(subject: Subject) -> None:
    size_bytes, prot = subject.size_bytes, subject.backend.prot
    for _turn in range(_ROUNDS):
        with subject.buffer() as buffer, contextlib.ExitStack() as stack:
            place, _stage = buffer.locate()
            with buffer.map(place, prot) as mapping:
                memory.fill(mapping.address, size_bytes, _SEED)
            at = calls.mmap(0, size_bytes, prot, place.flags, place.fd, place.offset)
            stack.callback(calls.munmap, at, size_bytes)
            # As munmap() does, but nothing else of this process can come to lie there.
            taken = partial(_reserve_at, at, size_bytes)
            ended, _done = together([partial(_fill_until_gone, at, size_bytes), taken])
            expect("a store into a mapping that is gone", signal.Signals.SIGSEGV.name, ended)
            with buffer.map(place, prot) as mapping:
                _expect_pattern("the buffer, mapped again", mapping.address, size_bytes, _SEED)


def _reserve_at(address: int, size_bytes: int) -> str:
    calls.reserve(size_bytes, at=address)
    return SUCCESS


def _outlives(subject: Subject, file: OpenFile, ending: str) -> None:
    size_bytes = subject.size_bytes
    with subject.buffer(file=file) as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, file.backend.prot) as mapping:
            works = [partial(_fill_from, mapping.address, size_bytes, _SEED, number / _THREADS)
                     for number in range(_THREADS)]
            together([*works, partial(_end, buffer, file, ending)])
            _expect_pattern(f"pages touched during {ending}", mapping.address, size_bytes, _SEED)


def _end(buffer: Buffer, file: OpenFile, ending: str) -> None:
    if ending == "close":
        buffer.forget()
        file.close()
    else:
        buffer.destroy()


@case(
    "concurrency/fault-against-close", needs=(DRM, DESCRIPTOR, WRITABLE),
    source="drivers/gpu/drm/drm_file.c, drm_release(); drivers/gpu/drm/drm_gem.c, drm_gem_vm_open()",
    rule="A mapping works on while another thread closes its open file: every page comes, and none is lost.",
)
def fault_against_close(subject: Subject) -> None:
    for _turn in range(_ROUNDS):
        with subject.open_again() as file:
            _outlives(subject, file, "close")


@case(
    "concurrency/fault-against-destroy", needs=(DESCRIPTOR, WRITABLE),
    source="drivers/gpu/drm/drm_gem.c, drm_gem_handle_delete(), drm_gem_vm_open()",
    rule="A mapping works on while another thread closes the buffer's handle: every page comes, and none is lost.",
)
def fault_against_destroy(subject: Subject) -> None:
    for _turn in range(_ROUNDS):
        _outlives(subject, subject.file, "destroy")


@case(
    "concurrency/mmap-against-destroy", needs=(DRM, DESCRIPTOR),
    source="drivers/gpu/drm/drm_gem.c, drm_gem_mmap(): kref_get_unless_zero()",
    rule="mmap() while another thread closes the last handle maps the buffer, or says EINVAL or EACCES as afterwards.",
)
def mmap_against_destroy(subject: Subject) -> str:
    seen: set[str] = set()
    for _turn in range(_ROUNDS * 2):
        with subject.buffer() as buffer:
            place, _stage = buffer.locate()
            # A dma-buf's own descriptor is closed with the buffer, and its number may be another's by then.
            fd = os.dup(place.fd)
            try:
                lookers = [partial(_mmap_and_look, subject, place, fd)] * (_THREADS - 1)
                seen.update(together([partial(outcome_of, buffer.destroy), *lookers]))
            finally:
                os.close(fd)
    expect("other outcomes of mmap()", set(), seen - {SUCCESS, "EINVAL", "EACCES"})
    return ", ".join(sorted(seen))


def _mmap_and_look(subject: Subject, place: MmapOffset, fd: int) -> str:
    def look() -> None:
        at = calls.mmap(0, subject.size_bytes, subject.backend.prot, place.flags, fd, place.offset)
        try:
            memory.read(at, calls.PAGE_BYTES)
        finally:
            calls.munmap(at, subject.size_bytes)

    return outcome_of(look)


@case(
    "concurrency/destroy-twice", needs=(DRM,), source="drivers/gpu/drm/drm_gem.c, drm_gem_handle_delete()",
    rule="Of threads that close one handle at once, one succeeds and the others get EINVAL.",
)
def destroy_twice(subject: Subject) -> None:
    for _turn in range(_ROUNDS * 2):
        made, _stage = subject.backend.create(subject.kind, subject.size_bytes)
        found = together([partial(outcome_of, partial(subject.backend.destroy, made))] * _THREADS)
        expect("outcomes of closing one handle", [errno_name(errno.EINVAL)] * (_THREADS - 1) + [SUCCESS],
               sorted(found))
