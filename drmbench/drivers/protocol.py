# SPDX-License-Identifier: MIT
"""What every back-end is: create a buffer object, say where it can be mapped, destroy it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from drmbench.native import Stage


@dataclass(frozen=True, slots=True)
class BufferObject:
    """A buffer as its driver names it: a GEM handle, or a descriptor for the baselines."""

    handle: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MmapOffset:
    """What mmap() needs: the descriptor, the (fake) offset in bytes and the MAP_ flags."""

    fd: int
    offset: int
    flags: int


class Backend(Protocol):
    """One uAPI family on one open node, or a baseline.

    The three calls return what the kernel gave and the Stage it took, and raise OSError with the kernel's
    errno; `steps` names the system call or ioctl behind each, for error lines.
    """

    kinds: ClassVar[tuple[str, ...]]
    """Buffer kinds, the default one first."""
    steps: ClassVar[dict[str, str]]
    """{"create": "CREATE_DUMB", ...}"""
    mappable_again: ClassVar[bool]
    """False where the buffer is its mapping, so that no second (warm) mapping exists."""
    stores_nothing: ClassVar[bool]
    """True where a write touch must leave every byte as it is."""
    prot: int
    """PROT_ bits of its mappings; a client of a GPU buffer maps it readable and writable."""

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """Make a fresh buffer of at least size_bytes."""

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """Ask for the place where mmap() finds the buffer."""

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """Give the handle back; a mapping that still exists keeps the pages."""


class DrmBackend(Backend, Protocol):
    """A back-end that lives on an open DRM node."""

    name: ClassVar[str]
    """The uAPI family: "dumb", "amdgpu"."""
    node: ClassVar[str]
    """Which node it needs: "primary" or "render"."""

    def __init__(self, fd: int) -> None: ...

    @staticmethod
    def offered(fd: int, driver: str) -> bool:
        """Whether the driver behind fd, named `driver`, speaks this uAPI at all; leaves nothing allocated."""
