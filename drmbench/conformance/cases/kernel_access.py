# SPDX-License-Identifier: MIT
"""What the kernel itself reads and writes of a buffer's mapping, on behalf of a system call or of a debugger."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.case import SUCCESS, case, errno_of, expect, expect_errno, outcome_of
from drmbench.conformance.core_dump import dump_core
from drmbench.conformance.direct_io import direct_file, written
from drmbench.conformance.needs import REMAPPABLE, SECOND_PROCESS, WRITABLE
from drmbench.conformance.vm_flags import DONTDUMP, IO, VM_FLAGS, pages_are_hidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.conformance.subject import Subject

_SEED, _OTHER_SEED = 1, 2


@contextlib.contextmanager
def _memory_file(size_bytes: int) -> Iterator[int]:
    fd = os.memfd_create("drmbench")
    try:
        os.ftruncate(fd, size_bytes)
        yield fd
    finally:
        os.close(fd)


@case(
    "kernel-access/write-from", needs=(WRITABLE,), source="lib/iov_iter.c, copy_from_user()",
    rule="write(2) takes its data from the mapping, faulting it in where it was never touched.",
)
def write_from(subject: Subject) -> None:
    size_bytes = subject.size_bytes
    with subject.mapped() as (_place, address), _memory_file(size_bytes) as fd:
        expect("bytes written from the untouched mapping", size_bytes, calls.pwrite(fd, address, size_bytes, 0))
        memory.fill(address, size_bytes, _SEED)
        expect("bytes written", size_bytes, calls.pwrite(fd, address, size_bytes, 0))
        wrong = os.pread(fd, size_bytes, 0) != memory.read(address, size_bytes)
        expect("the file differs from the mapping", expected=False, actual=wrong)


@case(
    "kernel-access/read-into", needs=(WRITABLE,), source="lib/iov_iter.c, copy_to_user()",
    rule="read(2) puts its data into the mapping, faulting it in where it was never touched.",
)
def read_into(subject: Subject) -> None:
    size_bytes = subject.size_bytes
    data = os.urandom(size_bytes)
    with subject.mapped() as (_place, address), _memory_file(size_bytes) as fd:
        os.pwrite(fd, data, 0)
        expect("bytes read", size_bytes, calls.pread(fd, address, size_bytes, 0))
        wrong = data != memory.read(address, size_bytes)
        expect("the mapping differs from the file", expected=False, actual=wrong)


@case(
    "kernel-access/direct-io", needs=(REMAPPABLE, WRITABLE, VM_FLAGS), source="mm/gup.c, check_vma_flags(); "
    "internal_get_user_pages_fast()",
    rule="Direct I/O pins pages: from an untouched VM_IO or VM_PFNMAP mapping it is EFAULT, else it takes the "
         "mapping's data. Once touched, VM_IO is not looked at for ordinary pages, so it may succeed, with the data.",
)
def direct_io(subject: Subject) -> str:
    size_bytes, prot = subject.size_bytes, subject.backend.prot
    with subject.buffer() as buffer, direct_file() as fd:
        place, _stage = buffer.locate()
        with buffer.map(place, prot) as mapping:
            memory.fill(mapping.address, size_bytes, _SEED)
            data = memory.read(mapping.address, size_bytes)
        with buffer.map(place, prot) as mapping:
            hidden = pages_are_hidden(subject.vm_flags(mapping.address))
            untouched = outcome_of(lambda: calls.pwrite(fd, mapping.address, size_bytes, 0))
            expect("write(O_DIRECT) from untouched memory", "EFAULT" if hidden else SUCCESS, untouched)
            memory.touch(mapping.address, size_bytes, store=False)
            touched = outcome_of(lambda: calls.pwrite(fd, mapping.address, size_bytes, 0))
            if touched == SUCCESS:
                expect("the file holds the mapping's data", expected=True, actual=written(fd, size_bytes) == data)
            else:
                expect("write(O_DIRECT) from touched memory", "EFAULT" if hidden else SUCCESS, touched)
    return untouched if untouched == touched else f"{untouched}, once touched {touched}"


@case(
    "kernel-access/process-vm", needs=(WRITABLE, VM_FLAGS), source="mm/process_vm_access.c; mm/gup.c, "
    "check_vma_flags()",
    rule="process_vm_readv() and process_vm_writev() are EFAULT on VM_IO and VM_PFNMAP; elsewhere they copy.",
)
def process_vm(subject: Subject) -> str:
    size_bytes = subject.size_bytes
    with subject.mapped() as (_place, address):
        memory.fill(address, size_bytes, _SEED)
        data = memory.read(address, size_bytes)
        if pages_are_hidden(subject.vm_flags(address)):
            expect_errno("process_vm_readv()", errno.EFAULT,
                         lambda: calls.process_vm_readv(os.getpid(), address, size_bytes))
            expect_errno("process_vm_writev()", errno.EFAULT,
                         lambda: calls.process_vm_writev(os.getpid(), address, data))
            return "EFAULT"
        same = calls.process_vm_readv(os.getpid(), address, size_bytes) == data
        expect("process_vm_readv() copies the mapping", expected=True, actual=same)
        other = bytes(byte ^ 0xff for byte in data)
        expect("bytes that process_vm_writev() copied", size_bytes,
               calls.process_vm_writev(os.getpid(), address, other))
        expect("they arrived", expected=True, actual=memory.read(address, size_bytes) == other)
    return SUCCESS


@case(
    "kernel-access/proc-mem", needs=(WRITABLE, VM_FLAGS), source="mm/memory.c, __access_remote_vm(): vm_ops->access",
    rule="/proc/self/mem reads and writes what the mapping holds; on VM_IO and VM_PFNMAP only where the driver offers "
         "vm_ops->access, else it is EIO.",
)
def proc_mem(subject: Subject) -> str:
    size_bytes = subject.size_bytes
    with subject.mapped() as (_place, address), _proc_mem() as fd:
        memory.fill(address, size_bytes, _SEED)
        data = memory.read(address, size_bytes)
        if pages_are_hidden(subject.vm_flags(address)) and errno_of(lambda: os.pread(fd, 1, address)) is not None:
            expect_errno("read(/proc/self/mem)", errno.EIO, lambda: os.pread(fd, size_bytes, address))
            expect_errno("write(/proc/self/mem)", errno.EIO, lambda: os.pwrite(fd, b"\xff" * size_bytes, address))
            expect("the mapping is as it was", expected=True, actual=memory.read(address, size_bytes) == data)
            return "EIO"
        expect("/proc/self/mem reads the mapping", expected=True, actual=os.pread(fd, size_bytes, address) == data)
        other = bytes(byte ^ 0xff for byte in data)
        expect("bytes written through /proc/self/mem", size_bytes, os.pwrite(fd, other, address))
        expect("they arrived", expected=True, actual=memory.read(address, size_bytes) == other)
    return SUCCESS


@contextlib.contextmanager
def _proc_mem() -> Iterator[int]:
    fd = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@case(
    "kernel-access/core-dump", needs=(WRITABLE, VM_FLAGS, SECOND_PROCESS), source="fs/coredump.c, vma_dump_size()",
    rule="A core file holds nothing of a VM_DONTDUMP or VM_IO mapping, even where shared memory is asked for; of any "
         "other it holds all.",
)
def core_dump(subject: Subject) -> str:
    size_bytes = subject.size_bytes
    with subject.mapped() as (_place, address), _memory_file(size_bytes) as fd:
        control = calls.mmap(0, size_bytes, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
        try:
            for start, seed in ((address, _SEED), (control, _OTHER_SEED)):
                memory.fill(start, size_bytes, seed)
            kept = {part.address: part.data for part in dump_core() if part.address in {address, control}}
            # Without this nothing would be proved by what is missing.
            expect("the core holds ordinary shared memory", expected=True,
                   actual=kept.get(control) == memory.read(control, size_bytes))
            excluded = not {DONTDUMP, IO}.isdisjoint(subject.vm_flags(address))
            expect("bytes of the mapping in the core", 0 if excluded else size_bytes, len(kept.get(address, b"")))
            if not excluded:
                expect("the core holds the mapping's data", expected=True,
                       actual=kept[address] == memory.read(address, size_bytes))
            return "nothing" if excluded else "all"
        finally:
            calls.munmap(control, size_bytes)
