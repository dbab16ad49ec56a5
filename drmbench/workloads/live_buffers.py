# SPDX-License-Identifier: MIT
"""Many buffers alive and mapped at once, and the life of one more among them, call by call."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

from drmbench.buffer import Buffer
from drmbench.device import open_node
from drmbench.drivers.prime import PREFIX, close_handle, export_handle, import_dma_buf
from drmbench.errors import DrmbenchError
from drmbench.workloads.held_signals import held_signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from drmbench.buffer import Mapping
    from drmbench.drivers.protocol import Backend
    from drmbench.native import Stage
    from drmbench.targets import Target

_BLOCK = 64  # buffers made while Ctrl-C waits


class Sharing:
    """PRIME between two open files of the node, as between a client and a compositor."""

    def __init__(self, exporter: int, importer: int) -> None:
        self._exporter = exporter
        self._importer = importer

    def share(self, handle: int) -> tuple[Stage, Stage]:
        """Export the handle and import the dma-buf into the other file; both are given back, untimed.

        Raises OSError with the errno of the one that was refused.
        """
        dma_buf, exported = export_handle(self._exporter, handle)
        try:
            theirs, imported = import_dma_buf(self._importer, dma_buf)
            close_handle(self._importer, theirs)
        finally:
            os.close(dma_buf)
        return exported, imported


@contextlib.contextmanager
def opened(target: Target, kind: str) -> Iterator[tuple[Backend, Sharing | None]]:
    """The back-end, and PRIME beside it for a DRM buffer that is not mapped through its dma-buf anyway."""
    if target.kind != "drm" or target.on_fd is None or target.node is None or kind.startswith(PREFIX):
        with target.open() as backend:
            yield backend, None
        return
    with open_node(target.node) as fd, open_node(target.node) as other:
        yield target.on_fd(fd), Sharing(fd, other)


class LiveBuffers:
    """Buffers of one size, each created, located and mapped, untouched; all are gone after the block.

    Ctrl-C is heard between two blocks of 64 of them, and after they were all unmapped and destroyed.
    """

    def __init__(self, target: Target, kind: str, size_bytes: int, backend: Backend) -> None:
        self._who = target.buffer_label(kind)
        self._kind = kind
        self._size_bytes = size_bytes
        self._backend = backend
        self._alive: list[tuple[Buffer, Mapping]] = []

    def __len__(self) -> int:
        return len(self._alive)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.shrink(0)

    def buffer(self) -> Buffer:
        """One more, not yet made."""
        return Buffer(self._who, self._backend, self._kind, self._size_bytes)

    def grow(self, count: int) -> None:
        """Make buffers until there are `count`. Raises DrmbenchError where one is refused; those before it stay."""
        while len(self._alive) < count:
            with held_signals():
                for _ in range(min(_BLOCK, count - len(self._alive))):
                    self._add()

    def _add(self) -> None:
        with contextlib.ExitStack() as stack:
            buffer = stack.enter_context(self.buffer())
            place, _stage = buffer.locate()
            mapping = stack.enter_context(buffer.map(place, self._backend.prot))
            stack.pop_all()
        self._alive.append((buffer, mapping))

    def shrink(self, count: int) -> None:
        """Unmap and destroy the newest until there are `count`. Raises the first DrmbenchError, after the last one."""
        refused: DrmbenchError | None = None
        with held_signals():
            while len(self._alive) > count:
                buffer, mapping = self._alive.pop()
                for end in (mapping.unmap, buffer.destroy):
                    try:
                        end()
                    except DrmbenchError as error:
                        refused = refused or error
        if refused is not None:
            raise refused

    def live_once(self, sharing: Sharing | None) -> dict[str, Stage]:
        """The life of one more buffer: a Stage for each operation that there is."""
        stages: dict[str, Stage] = {}
        with held_signals(), self.buffer() as buffer:
            stages["create"] = buffer.created
            place, stages["map_offset"] = buffer.locate()
            with buffer.map(place, self._backend.prot) as mapping:
                stages["mmap"] = mapping.mapped
                stages["munmap"] = mapping.unmap()
            if sharing is not None:
                stages["export"], stages["import"] = sharing.share(buffer.handle)
            stages["destroy"] = buffer.destroy()
        return stages
