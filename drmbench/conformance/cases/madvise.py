# SPDX-License-Identifier: MIT
"""madvise(2): which advice a buffer's mapping takes, and that no advice costs it a byte."""

from __future__ import annotations

import mmap
import signal
from functools import partial
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory, needs
from drmbench.conformance.case import SUCCESS, Case, case, expect, expect_signal, outcome_of
from drmbench.conformance.needs import SECOND_PROCESS, WRITABLE
from drmbench.conformance.vm_flags import (
    DONTCOPY,
    DONTDUMP,
    HUGEPAGE,
    IO,
    PFNMAP,
    VM_FLAGS,
    pages_are_hidden,
    special,
)
from drmbench.vma import vmas

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.conformance.subject import Subject

_SEED = 1
_INVALID = "EINVAL"

# Numbers of include/uapi/asm-generic/mman-common.h that Python's mmap lacks.
_WIPEONFORK, _COLD, _PAGEOUT, _POPULATE_READ, _POPULATE_WRITE = 18, 20, 21, 22, 23


def _advise(subject: Subject, address: int, name: str, advice: int, expected: str) -> str:
    """Give the advice to a mapping that holds the pattern, look whether it does so still, and return the outcome."""
    memory.fill(address, subject.size_bytes, _SEED)
    expect(f"madvise({name})", expected, outcome_of(lambda: calls.madvise(address, subject.size_bytes, advice)))
    expect("first byte that was lost", None, memory.difference(address, subject.size_bytes, _SEED))
    return expected


def _discarding(name: str, advice: int, refused: Callable[[list[str]], bool], rule: str, source: str) -> Case:
    """A case of an advice that sets no flag: EINVAL where `refused` says so of the VmFlags, else success."""
    title = name.removeprefix("MADV_").lower().replace("_", "-")

    @case(f"madvise/{title}", needs=(WRITABLE, VM_FLAGS, needs.madvise(name, advice)), rule=rule, source=source)
    def given(subject: Subject) -> str:
        with subject.mapped() as (_place, address):
            expected = _INVALID if refused(subject.vm_flags(address)) else SUCCESS
            return _advise(subject, address, name, advice, expected)

    return given


def _is_pfnmap(flags: list[str]) -> bool:
    return PFNMAP in flags


def _always(_flags: list[str]) -> bool:
    return True


DONTNEED_CASE = _discarding(
    "MADV_DONTNEED", mmap.MADV_DONTNEED, _is_pfnmap, "MADV_DONTNEED is EINVAL on VM_PFNMAP; elsewhere it drops page "
    "tables and the buffer keeps its data.", "mm/madvise.c, madvise_dontneed_free()",
)
COLD_CASE = _discarding(
    "MADV_COLD", _COLD, _is_pfnmap, "MADV_COLD is EINVAL on VM_PFNMAP; elsewhere it succeeds.",
    "mm/madvise.c, can_madv_lru_vma()",
)
PAGEOUT_CASE = _discarding(
    "MADV_PAGEOUT", _PAGEOUT, _is_pfnmap, "MADV_PAGEOUT is EINVAL on VM_PFNMAP; elsewhere it succeeds and the data "
    "survive.", "mm/madvise.c, can_madv_lru_vma()",
)
FREE_CASE = _discarding(
    "MADV_FREE", mmap.MADV_FREE, _always, "MADV_FREE is for private anonymous memory alone: EINVAL.",
    "mm/madvise.c, madvise_free_single_vma()",
)


@case(
    "madvise/wipeonfork", needs=(WRITABLE, needs.madvise("MADV_WIPEONFORK", _WIPEONFORK)),
    rule="MADV_WIPEONFORK is for private anonymous memory alone: EINVAL.", source="mm/madvise.c, MADV_WIPEONFORK",
)
def wipeonfork(subject: Subject) -> None:
    with subject.mapped() as (_place, address):
        _advise(subject, address, "MADV_WIPEONFORK", _WIPEONFORK, _INVALID)


@case(
    "madvise/hugepage", needs=(WRITABLE, VM_FLAGS, needs.madvise("MADV_HUGEPAGE", mmap.MADV_HUGEPAGE)),
    rule="MADV_HUGEPAGE is a wish that any mapping takes: VM_HUGEPAGE is set, whatever the driver maps.",
    source="mm/khugepaged.c, hugepage_madvise()",
)
def hugepage(subject: Subject) -> None:
    with subject.mapped() as (_place, address):
        _advise(subject, address, "MADV_HUGEPAGE", mmap.MADV_HUGEPAGE, SUCCESS)
        expect("VM_HUGEPAGE", expected=True, actual=HUGEPAGE in subject.vm_flags(address))


def _populating(name: str, advice: int, *, store: bool) -> Case:
    title = name.removeprefix("MADV_").lower().replace("_", "-")

    @case(
        f"madvise/{title}", needs=(WRITABLE, VM_FLAGS, needs.madvise(name, advice)), source="mm/gup.c, "
        "check_vma_flags(); mm/madvise.c, madvise_populate()",
        rule=f"{name} is EINVAL on VM_IO and VM_PFNMAP; elsewhere it populates, and the touch that follows takes no "
             "fault.",
    )
    def given(subject: Subject) -> str:
        with subject.mapped() as (_place, address):
            expected = _INVALID if pages_are_hidden(subject.vm_flags(address)) else SUCCESS
            call = outcome_of(lambda: calls.madvise(address, subject.size_bytes, advice))
            expect(f"madvise({name})", expected, call)
            if expected == SUCCESS:
                faults = memory.touch(address, subject.size_bytes, store=store)
                expect("faults of the touch that follows", 0, sum(faults))
        return expected

    return given


POPULATE_READ_CASE = _populating("MADV_POPULATE_READ", _POPULATE_READ, store=False)
POPULATE_WRITE_CASE = _populating("MADV_POPULATE_WRITE", _POPULATE_WRITE, store=True)


@case(
    "madvise/dontfork", needs=(WRITABLE, VM_FLAGS, SECOND_PROCESS),
    rule="MADV_DONTFORK keeps any mapping from a forked child: VM_DONTCOPY is set, and the child's access is SIGSEGV.",
    source="mm/madvise.c, MADV_DONTFORK",
)
def dontfork(subject: Subject) -> None:
    with subject.mapped() as (_place, address):
        _advise(subject, address, "MADV_DONTFORK", mmap.MADV_DONTFORK, SUCCESS)
        expect("VM_DONTCOPY", expected=True, actual=DONTCOPY in subject.vm_flags(address))
        subject.in_second_process(
            lambda: expect_signal("the child's read", signal.SIGSEGV, lambda: memory.read(address, 1)) and None)


@case(
    "madvise/dofork", needs=(WRITABLE, VM_FLAGS),
    rule="MADV_DOFORK is EINVAL on VM_IO, on a newer kernel on all of VM_SPECIAL (as its [vdso] tells); elsewhere it "
         "undoes MADV_DONTFORK.",
    source="mm/madvise.c, MADV_DOFORK",
)
def dofork(subject: Subject) -> str:
    with subject.mapped() as (_place, address):
        before = subject.vm_flags(address)
        calls.madvise(address, subject.size_bytes, mmap.MADV_DONTFORK)
        refused = IO in before or (special(before) and _special_is_refused(subject))
        _advise(subject, address, "MADV_DOFORK", mmap.MADV_DOFORK, _INVALID if refused else SUCCESS)
        expect("VM_DONTCOPY", refused, DONTCOPY in subject.vm_flags(address))
    return _INVALID if refused else SUCCESS


def _special_is_refused(subject: Subject) -> bool:
    """Ask for what [vdso] has anyway: it is VM_DONTEXPAND and not VM_IO, and the answer changes nothing."""
    for vma in vmas():
        if vma.path == "[vdso]" and IO not in subject.vm_flags(vma.first):
            call = partial(calls.madvise, vma.first, vma.last - vma.first, mmap.MADV_DOFORK)
            return outcome_of(call) == _INVALID
    return False


@case(
    "madvise/dodump", needs=(WRITABLE, VM_FLAGS),
    rule="MADV_DODUMP is EINVAL on VM_SPECIAL; elsewhere it undoes MADV_DONTDUMP.", source="mm/madvise.c, MADV_DODUMP",
)
def dodump(subject: Subject) -> str:
    with subject.mapped() as (_place, address):
        refused = special(subject.vm_flags(address))
        calls.madvise(address, subject.size_bytes, mmap.MADV_DONTDUMP)
        expect("VM_DONTDUMP", expected=True, actual=DONTDUMP in subject.vm_flags(address))
        _advise(subject, address, "MADV_DODUMP", mmap.MADV_DODUMP, _INVALID if refused else SUCCESS)
        expect("VM_DONTDUMP", refused, DONTDUMP in subject.vm_flags(address))
    return _INVALID if refused else SUCCESS
