# SPDX-License-Identifier: MIT
"""What a buffer holds: nothing of others when it is new, then what was written, wherever it is looked at."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drmbench.conformance import calls, memory
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.case import Failed, Skipped, case, expect
from drmbench.conformance.needs import DESCRIPTOR, PRIME, REMAPPABLE, SECOND_PROCESS, WRITABLE
from drmbench.conformance.sharing import NOT_OFFERED, exported, import_handle, imported
from drmbench.conformance.vm_flags import DONTCOPY

if TYPE_CHECKING:
    from drmbench.conformance.subject import Subject

_SEED, _OTHER_SEED = 1, 2
_SPENT_BUFFERS = 6
_FRESH_BUFFERS = 4


def _expect_pattern(what: str, address: int, size_bytes: int, seed: int) -> None:
    """Fail unless all of it holds the pattern of the seed."""
    first = memory.difference(address, size_bytes, seed)
    if first is not None:
        raise Failed(what, "what was written", f"other bytes from offset {first:#x} on")


@case(
    "content/fresh", needs=(WRITABLE,),
    rule="A fresh buffer is zero in every byte: nothing that lay there before can be read.",
    source="drivers/gpu/drm/drm_gem.c, drm_gem_get_pages() from shmem; drivers/gpu/drm/ttm/ttm_bo.c, "
           "TTM_TT_FLAG_ZERO_ALLOC; kernel/dma/mapping.c, dma_alloc_attrs()",
)
def fresh(subject: Subject) -> None:
    size_bytes = subject.size_bytes
    with contextlib.ExitStack() as spent:
        for number in range(_SPENT_BUFFERS):
            address = _whole(subject, spent)
            memory.fill(address, size_bytes, 1 + number)
    with contextlib.ExitStack() as stack:
        for _number in range(_FRESH_BUFFERS):
            address = _whole(subject, stack)
            if memory.other_than(0, address, size_bytes) is not None:
                raise Failed("a fresh buffer", "zero in every byte", "what another buffer held")


def _whole(subject: Subject, stack: contextlib.ExitStack) -> int:
    """A fresh buffer, mapped whole until the stack is left."""
    _place, address = stack.enter_context(subject.mapped())
    return address


@case(
    "content/last-byte", needs=(WRITABLE,),
    rule="All of the size that was asked for can be reached, to the last byte.", source="mmap(2)",
)
def last_byte(subject: Subject) -> None:
    with subject.mapped() as (_place, address):
        size_bytes = subject.size_bytes
        memory.fill(address, size_bytes, _SEED)
        before = memory.read(address, size_bytes)
        other = bytes([before[-1] ^ 0xff])
        memory.write(address + size_bytes - 1, other)
        expect("all bytes but the last are as before, and it is new", expected=True,
               actual=memory.read(address, size_bytes) == before[:-1] + other)


@case(
    "content/every-page", needs=(WRITABLE,),
    rule="Each page of a mapping is a page of its own: a store changes it and no other.",
    source="the driver's fault handler or mmap()",
)
def every_page(subject: Subject) -> None:
    size_bytes = subject.size_bytes
    with subject.mapped() as (_place, address):
        for seed, pages in enumerate((range(size_bytes // PAGE_BYTES), range(size_bytes // PAGE_BYTES)[::-1])):
            for page in pages:
                memory.fill(address + page * PAGE_BYTES, PAGE_BYTES, seed, page * PAGE_BYTES)
            _expect_pattern("pages written one by one", address, size_bytes, seed)


@case(
    "content/two-buffers", needs=(WRITABLE,),
    rule="Two buffers share no byte: what is written to one is not seen in the other.",
    source="the driver's fault handler or mmap()",
)
def two_buffers(subject: Subject) -> None:
    with contextlib.ExitStack() as stack:
        addresses = [_whole(subject, stack) for _number in range(_FRESH_BUFFERS)]
        for seed, address in enumerate(addresses):
            memory.fill(address, subject.size_bytes, seed)
        for seed, address in enumerate(addresses):
            _expect_pattern(f"buffer {seed + 1} of {len(addresses)}", address, subject.size_bytes, seed)


@case(
    "content/second-mapping", needs=(REMAPPABLE, WRITABLE),
    rule="What is written through one mapping is read through another of the same buffer.",
    source="mmap(2), MAP_SHARED",
)
def second_mapping(subject: Subject) -> None:
    prot, size_bytes = subject.backend.prot, subject.size_bytes
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, prot) as one, buffer.map(place, prot) as other:
            expect("two mappings at one address", expected=False, actual=one.address == other.address)
            memory.fill(one.address, size_bytes, _SEED)
            _expect_pattern("the second mapping", other.address, size_bytes, _SEED)
            memory.fill(other.address, size_bytes, _OTHER_SEED)
            _expect_pattern("the first mapping", one.address, size_bytes, _OTHER_SEED)


@case(
    "content/mapped-again", needs=(REMAPPABLE, WRITABLE),
    rule="The data stay in the buffer while nothing maps it.", source="mmap(2), MAP_SHARED",
)
def mapped_again(subject: Subject) -> None:
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, subject.backend.prot) as mapping:
            memory.fill(mapping.address, subject.size_bytes, _SEED)
        with buffer.map(buffer.locate()[0], subject.backend.prot) as mapping:
            _expect_pattern("the mapping after it", mapping.address, subject.size_bytes, _SEED)


@case(
    "content/forked-child", needs=(WRITABLE, SECOND_PROCESS),
    rule="A forked child and its parent see what the other writes to the mapping.", source="fork(2), MAP_SHARED",
)
def forked_child(subject: Subject) -> None:
    half_bytes = subject.size_bytes // 2
    with subject.mapped() as (_place, address):
        if DONTCOPY in subject.vm_flags(address):
            raise Skipped("the mapping is not inherited: VM_DONTCOPY")
        # The second half is the child's to touch first.
        memory.fill(address, half_bytes, _SEED)

        def work() -> None:
            _expect_pattern("the parent's half", address, half_bytes, _SEED)
            memory.fill(address, 2 * half_bytes, _OTHER_SEED)

        subject.in_second_process(work)
        _expect_pattern("the child's data", address, 2 * half_bytes, _OTHER_SEED)


@case(
    "content/mapped-by-child", needs=(DESCRIPTOR, WRITABLE, SECOND_PROCESS),
    rule="A child that maps the inherited descriptor itself sees the same buffer.", source="mmap(2), MAP_SHARED",
)
def mapped_by_child(subject: Subject) -> None:
    prot, size_bytes = subject.backend.prot, subject.size_bytes
    with subject.buffer() as buffer:
        place, _stage = buffer.locate()
        with buffer.map(place, prot) as mapping:
            memory.fill(mapping.address, size_bytes, _SEED)

            def work() -> None:
                with buffer.map(place, prot) as own:
                    _expect_pattern("the child's mapping", own.address, size_bytes, _SEED)
                    memory.fill(own.address, size_bytes, _OTHER_SEED)

            subject.in_second_process(work)
            _expect_pattern("the parent's mapping", mapping.address, size_bytes, _OTHER_SEED)


@case(
    "content/imported", needs=(DESCRIPTOR, PRIME, WRITABLE),
    rule="A dma-buf that another open file imports is the same buffer, and outlives the exporter's handle.",
    source="drivers/gpu/drm/drm_prime.c, drm_gem_prime_import()",
)
def imported_elsewhere(subject: Subject) -> None:
    size_bytes = subject.size_bytes
    with subject.buffer() as buffer, subject.open_again() as other, contextlib.ExitStack() as stack:
        place, _stage = buffer.locate()
        with exported(subject, buffer) as dma_buf:
            address = stack.enter_context(imported(other, dma_buf, subject.kind, size_bytes))
        with buffer.map(place, subject.backend.prot) as mapping:
            memory.fill(mapping.address, size_bytes, _SEED)
            _expect_pattern("the importer's mapping", address, size_bytes, _SEED)
            memory.fill(address, size_bytes, _OTHER_SEED)
            _expect_pattern("the exporter's mapping", mapping.address, size_bytes, _OTHER_SEED)
        buffer.destroy()
        _expect_pattern("the importer's mapping after the handle was closed", address, size_bytes, _OTHER_SEED)


@case(
    "content/imported-home", needs=(PRIME,),
    rule="A dma-buf comes home as the handle that it was exported from, not as a second one.",
    source="drivers/gpu/drm/drm_prime.c, drm_prime_lookup_buf_handle()",
)
def imported_home(subject: Subject) -> None:
    with subject.buffer() as buffer, exported(subject, buffer) as dma_buf:
        expect("the imported handle", buffer.handle, import_handle(subject.file, dma_buf))


@case(
    "content/dma-buf", needs=(DESCRIPTOR, PRIME, WRITABLE),
    rule="mmap() of the exported dma-buf maps the same buffer as the fake offset does.",
    source="drivers/gpu/drm/drm_prime.c, drm_gem_prime_mmap()",
)
def dma_buf_mapping(subject: Subject) -> None:
    prot, size_bytes = subject.backend.prot, subject.size_bytes
    with subject.buffer() as buffer, exported(subject, buffer) as dma_buf, contextlib.ExitStack() as stack:
        mapping = stack.enter_context(buffer.map(buffer.locate()[0], prot))
        try:
            address = calls.mmap(0, size_bytes, prot, calls.MAP_SHARED, dma_buf, 0)
        except calls.RefusedError as refused:
            if refused.errno not in NOT_OFFERED:
                raise
            raise Skipped("this driver's dma-bufs cannot be mapped") from None
        stack.callback(calls.munmap, address, size_bytes)
        memory.fill(mapping.address, size_bytes, _SEED)
        _expect_pattern("the dma-buf's mapping", address, size_bytes, _SEED)
        memory.fill(address, size_bytes, _OTHER_SEED)
        _expect_pattern("the fake offset's mapping", mapping.address, size_bytes, _OTHER_SEED)
