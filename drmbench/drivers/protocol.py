# SPDX-License-Identifier: MIT
"""What every back-end is: create a buffer object, say where it can be mapped, destroy it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.native import Stage


@dataclass(frozen=True, slots=True)
class BufferObject:
    """A buffer as its driver names it: a GEM handle, or a descriptor where there is no DRM; and its kind."""

    handle: int
    size_bytes: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class MmapOffset:
    """What mmap() needs: the descriptor, the (fake) offset in bytes and the MAP_ flags.

    `owned` descriptors were made for this mapping and are closed with the buffer. `sync` marks a dma-buf,
    around whose CPU accesses DMA_BUF_IOCTL_SYNC belongs. `map_here`, where there is no mmap() but an ioctl
    that maps, takes the size in bytes and returns the address and its Stage.
    """

    fd: int
    offset: int
    flags: int
    owned: bool = False
    sync: bool = False
    map_here: Callable[[int], tuple[int, Stage]] | None = None


class Backend(Protocol):
    """One uAPI family on one open node, or a baseline.

    The three calls return what the kernel gave and the Stage it took, and raise OSError with the kernel's
    errno.
    """

    @property
    def kinds(self) -> tuple[str, ...]:
        """Buffer kinds, the default one first."""

    @property
    def steps(self) -> dict[str, str]:
        """The system call or ioctl behind each step, for error lines: {"create": "CREATE_DUMB", ...}."""

    @property
    def mappable_again(self) -> bool:
        """False where the buffer is its mapping, so that no second (warm) mapping exists."""

    @property
    def stores_nothing(self) -> bool:
        """True where a write touch must leave every byte as it is."""

    @property
    def prot(self) -> int:
        """PROT_ bits of its mappings; a client of a GPU buffer maps it readable and writable."""

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """Make a fresh buffer of at least size_bytes."""

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """Ask for the place where mmap() finds the buffer."""

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """Give the handle back; a mapping that still exists keeps the pages."""


class DrmBackend(Backend, Protocol):
    """A back-end that lives on an open DRM node; what it offers is known before a node is opened."""

    name: ClassVar[str]
    """The uAPI family: "dumb", "amdgpu"."""
    node: ClassVar[str]
    """Which node it needs: "primary", "render", or "any" for the render node where there is one."""
    all_kinds: ClassVar[tuple[str, ...]]
    """What `kinds` gives."""

    def __init__(self, fd: int) -> None: ...

    @classmethod
    def offered(cls, fd: int, driver: str) -> bool:
        """Whether the driver behind fd, named `driver`, speaks this uAPI at all; leaves nothing allocated."""
