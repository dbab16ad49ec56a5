# SPDX-License-Identifier: MIT
"""The steps of a stress program. Numbers name slots: of open files, handles, dma-bufs and mappings of one thread.

A mapping's slot is a fixed range of addresses; `first` and `count` are pages in it, mapped or not.
"""

from __future__ import annotations

import mmap
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, structs

SLOTS = 8
MOST_PAGES = 1 << 14
Slot = Annotated[int, Meta(ge=0, lt=SLOTS)]
Page = Annotated[int, Meta(ge=0, lt=2 * MOST_PAGES)]
Pages = Annotated[int, Meta(ge=1, le=MOST_PAGES)]
Tag = Annotated[int, Meta(ge=1, lt=1 << 62)]
Prot = Literal["none", "read", "write"]
Advice = Literal["normal", "random", "sequential", "dontneed", "dontfork", "dofork", "dontdump", "dodump", "cold",
                 "pageout", "free", "wipeonfork", "populate-read", "populate-write"]

PROT_BITS: dict[Prot, int] = {
    "none": 0, "read": mmap.PROT_READ, "write": mmap.PROT_READ | mmap.PROT_WRITE,
}
"""PROT_WRITE implies PROT_READ on most CPUs, so there is none without it."""


class Create(Struct, frozen=True, tag="create"):
    """Make a buffer of so many pages on an open file, its handle into an empty slot."""

    handle: Slot
    file: Slot
    pages: Pages


class Map(Struct, frozen=True, tag="map"):
    """mmap() the first pages of a handle's buffer into an empty slot, through `file`'s own descriptor."""

    mapping: Slot
    handle: Slot
    file: Slot
    pages: Pages
    prot: Prot


class Write(Struct, frozen=True, tag="write"):
    """Store the pattern of `tag`; each page gets its own part of it."""

    mapping: Slot
    first: Page
    count: Pages
    tag: Tag


class Read(Struct, frozen=True, tag="read"):
    """Load, and compare with what must be there."""

    mapping: Slot
    first: Page
    count: Pages


class Unmap(Struct, frozen=True, tag="unmap"):
    """munmap() any part of a slot, holes included."""

    mapping: Slot
    first: Page
    count: Pages


class Destroy(Struct, frozen=True, tag="destroy"):
    """Give a handle back: once, or a second time."""

    handle: Slot


class Protect(Struct, frozen=True, tag="protect"):
    """mprotect()."""

    mapping: Slot
    first: Page
    count: Pages
    prot: Prot


class Advise(Struct, frozen=True, tag="advise"):
    """madvise()."""

    mapping: Slot
    first: Page
    count: Pages
    advice: Advice


class Move(Struct, frozen=True, tag="move"):
    """mremap() of pages of one VMA to the start of an empty slot."""

    mapping: Slot
    first: Page
    count: Pages
    to: Slot


class Resize(Struct, frozen=True, tag="resize"):
    """mremap() in place of the end of one VMA, to be smaller or larger."""

    mapping: Slot
    first: Page
    count: Pages
    pages: Pages


class Fork(Struct, frozen=True, tag="fork"):
    """A child reads or writes (as `tag` says) what it inherited, and ends."""

    accesses: Annotated[tuple[Read | Write, ...], Meta(min_length=1, max_length=8)]


class Open(Struct, frozen=True, tag="open"):
    """open() the node once more."""

    file: Slot


class Close(Struct, frozen=True, tag="close"):
    """close() an open file: its handles go, mappings stay."""

    file: Slot


class Locate(Struct, frozen=True, tag="locate"):
    """Ask for the fake offset: it is the same each time, and a destroyed handle has none."""

    handle: Slot


class Export(Struct, frozen=True, tag="export"):
    """PRIME_HANDLE_TO_FD into an empty slot."""

    handle: Slot
    dmabuf: Slot


class Import(Struct, frozen=True, tag="import"):
    """PRIME_FD_TO_HANDLE on an open file of the same device, into an empty slot."""

    dmabuf: Slot
    file: Slot
    handle: Slot


class MapDmabuf(Struct, frozen=True, tag="map-dmabuf"):
    """mmap() of the dma-buf's own descriptor."""

    mapping: Slot
    dmabuf: Slot
    pages: Pages
    prot: Prot


class Sync(Struct, frozen=True, tag="sync"):
    """DMA_BUF_IOCTL_SYNC, begin and end."""

    dmabuf: Slot


class CloseDmabuf(Struct, frozen=True, tag="close-dmabuf"):
    """close() of the dma-buf's descriptor."""

    dmabuf: Slot


class MapShared(Struct, frozen=True, tag="map-shared"):
    """mmap() a buffer that all threads share; a thread writes to its own pages of it only."""

    mapping: Slot
    shared: Slot
    pages: Pages
    prot: Prot


class Unbind(Struct, frozen=True, tag="unbind"):
    """Take the driver away from the device, as hot-unplug does."""


class Bind(Struct, frozen=True, tag="bind"):
    """Give the driver back; what was open before stays dead."""


Step = (Create | Map | Write | Read | Unmap | Destroy | Protect | Advise | Move | Resize | Fork | Open | Close | Locate
        | Export | Import | MapDmabuf | Sync | CloseDmabuf | MapShared | Unbind | Bind)


def name_of(step: Step) -> str:
    """The kind of a step as reports show it: "map-dmabuf"."""
    return str(type(step).__struct_config__.tag)


def describe(step: Step) -> str:
    """A step in a line: "map mapping=0 handle=1 file=0 pages=4 prot=write"."""
    if isinstance(step, Fork):
        return f"fork: {'; '.join(describe(access) for access in step.accesses)}"
    fields = " ".join(f"{name}={value}" for name, value in structs.asdict(step).items())
    return f"{name_of(step)} {fields}".rstrip()


def decode_steps(data: bytes) -> list[Step]:
    """Steps from JSON. Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=list[Step])
