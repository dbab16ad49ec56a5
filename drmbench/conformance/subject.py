# SPDX-License-Identifier: MIT
"""What a case gets: an open target, buffers on it, more open files, and second processes."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from drmbench import vma
from drmbench._native import ffi, lib
from drmbench.buffer import Buffer
from drmbench.conformance.child import ForkedChild
from drmbench.conformance.verdict import judged, unpacked
from drmbench.device import open_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drmbench.drivers.protocol import Backend, MmapOffset
    from drmbench.targets import Target

_HANDLES_LOOKED_AT = 256
_CHILD_LIMIT_S = 60.0


@dataclass(slots=True)
class OpenFile:
    """One open file of the target: `fd` is -1 where there is no node (memfd, anon). close() may come early."""

    fd: int
    backend: Backend
    _closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def close(self) -> None:
        """Close it, once; the handles go with it, mappings stay."""
        self.fd = -1
        self._closing.close()

    def handles_left(self) -> list[int]:
        """The GEM handles that are still open on it; they are closed by looking, so this is the last thing to do."""
        if self.fd < 0:
            return []
        request = ffi.new("struct drm_gem_close *")
        left = []
        for handle in range(1, _HANDLES_LOOKED_AT):
            request.handle = handle
            # Not calls.ioctl(): an exception for each number would take longer than most cases.
            if lib.ioctl(self.fd, lib.DRM_IOCTL_GEM_CLOSE, request) == 0:
                left.append(handle)
        return left


@dataclass(slots=True)
class Subject:
    """The target under test, opened for one case.

    kind         the buffer kind; `size_bytes` the size of buffer() where the case names none
    file         an open file of it, closed after the case
    time_factor  by how much this machine is allowed to be slow; multiply waits with it
    """

    target: Target
    kind: str
    size_bytes: int
    file: OpenFile
    time_factor: float = 1.0

    @property
    def driver(self) -> str:
        """The DRM driver's name, or the baseline's."""
        return self.target.driver

    @property
    def kernel(self) -> str:
        """The release of the running kernel; decide by what can be probed, not by this."""
        return os.uname().release

    @property
    def is_drm(self) -> bool:
        """Whether the target is a DRM node, not a baseline."""
        return self.target.kind == "drm"

    @property
    def fd(self) -> int:
        """The node's descriptor, -1 where there is no node."""
        return self.file.fd

    @property
    def backend(self) -> Backend:
        """The back-end on that descriptor."""
        return self.file.backend

    def open_again(self) -> contextlib.AbstractContextManager[OpenFile]:
        """A second open file of the same target, with handles of its own."""
        return open_file(self.target)

    def buffer(self, size_bytes: int | None = None, *, file: OpenFile | None = None, kind: str | None = None) -> Buffer:
        """A buffer for a with block, of the subject's kind and size, on the subject's file.

        Its `handle`, locate() (MmapOffset: fd, offset, flags) and map() are those of drmbench.buffer. A refusal
        inside the case fails it.
        """
        backend = (file or self.file).backend
        return Buffer(self.target.label, backend, kind or self.kind, size_bytes or self.size_bytes)

    @contextlib.contextmanager
    def mapped(self, size_bytes: int | None = None, *, prot: int | None = None) -> Iterator[tuple[MmapOffset, int]]:
        """A fresh buffer, mapped whole: its place (fd, offset, flags) and its address."""
        with self.buffer(size_bytes) as buffer:
            place, _stage = buffer.locate()
            with buffer.map(place, self.backend.prot if prot is None else prot) as mapping:
                yield place, mapping.address

    def vm_flags(self, address: int) -> list[str]:
        """The two-letter VmFlags of the VMA at the address."""
        return vma.vm_flags(address)

    def vmas(self, first: int, last: int) -> list[vma.Vma]:
        """The VMAs that overlap first <= address < last."""
        return vma.vmas(first, last)

    def in_second_process(self, work: Callable[[], Any], *, limit_s: float = _CHILD_LIMIT_S) -> Any:  # noqa: ANN401 (JSON)
        """What `work` returns (anything that JSON holds) in a forked process, which inherits every mapping and fd.

        What it raises counts as if the case had raised it; its crash and its time limit fail the case.
        """
        with self.second_process(work, limit_s=limit_s) as second:
            return second.result()

    @contextlib.contextmanager
    def second_process(self, work: Callable[[], Any], *, limit_s: float = _CHILD_LIMIT_S) -> Iterator[SecondProcess]:
        """The same, running beside the block; it is killed where the block ends before it."""
        child = ForkedChild(lambda: msgspec.json.encode(judged(work)))
        second = SecondProcess(child, limit_s * self.time_factor)
        try:
            yield second
        finally:
            child.kill()
            child.wait(limit_s)
            child.close()


@dataclass(slots=True)
class SecondProcess:
    """A running second process; `pid` is its own."""

    child: ForkedChild
    limit_s: float

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.child.pid

    def result(self) -> Any:  # noqa: ANN401 (whatever JSON holds)
        """Wait for it, and return what its work returned, or raise what that raised."""
        return unpacked(self.child, self.limit_s)


@contextlib.contextmanager
def open_file(target: Target) -> Iterator[OpenFile]:
    """Open the target; closes it after the block where that is still to do. Raises DrmbenchError."""
    stack = contextlib.ExitStack()
    with stack:
        if target.on_fd is not None and target.node is not None:
            fd = stack.enter_context(open_node(target.node))
            yield OpenFile(fd, target.on_fd(fd), stack)
        else:
            yield OpenFile(-1, stack.enter_context(target.open()), stack)
