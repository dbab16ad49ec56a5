# SPDX-License-Identifier: MIT
"""A memfd back-end with one defect, for tests of what finds defects."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from drmbench.drivers.baselines import MemfdBackend
from drmbench.drivers.protocol import MmapOffset
from drmbench.native import Stage
from drmbench.targets import Target

if TYPE_CHECKING:
    from drmbench.drivers.protocol import BufferObject

Defect = Literal["none", "loses writes", "wrong errno", "leaks a descriptor", "keeps memory", "crashes", "hangs",
                 "not zero", "fails once"]


@dataclass
class LossyMemfd(MemfdBackend):
    """A memfd but for its defect; `once` is a file that "fails once" removes, `keeper` where memory is kept."""

    defect: Defect
    once: str = ""
    keeper: socket.socket | None = None
    located: set[int] = field(default_factory=set)

    def create(self, kind: str, size_bytes: int) -> tuple[BufferObject, Stage]:
        """Buffers of a certain size bring some defects to light."""
        if 8 < size_bytes // mmap.PAGESIZE <= 12:
            self._fail()
        made, stage = super().create(kind, size_bytes)
        if self.defect == "not zero":
            os.pwrite(made.handle, b"old data", size_bytes - 8)
        return made, stage

    def _fail(self) -> None:
        if self.defect == "wrong errno":
            raise OSError(errno.EBUSY, "made up")
        if self.defect == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.defect == "hangs":
            time.sleep(1000)
        if self.defect == "fails once":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.once)
                raise OSError(errno.EBUSY, "made up")

    def map_offset(self, buffer_object: BufferObject) -> tuple[MmapOffset, Stage]:
        """A second mapping that "loses writes" is of a copy."""
        place, stage = super().map_offset(buffer_object)
        if self.defect != "loses writes" or buffer_object.handle not in self.located:
            self.located.add(buffer_object.handle)
            return place, stage
        copy = os.memfd_create("copy")
        os.write(copy, os.pread(place.fd, buffer_object.size_bytes, 0))
        return MmapOffset(copy, 0, place.flags, owned=True), stage

    def destroy(self, buffer_object: BufferObject) -> Stage:
        """Nothing at all where "leaks a descriptor"."""
        self.located.discard(buffer_object.handle)
        if self.defect == "leaks a descriptor":
            return Stage()
        if self.keeper is not None:
            with contextlib.suppress(BlockingIOError):  # it is full: what it holds is enough
                socket.send_fds(self.keeper, [b"x"], [buffer_object.handle])
        return super().destroy(buffer_object)


def lossy_target(defect: Defect, *, once: str = "", keeper: socket.socket | None = None) -> Target:
    """A target that `find_targets` could have found."""
    return Target("baseline", None, "lossy", "memfd with a defect", ("memfd",), "named",
                  lambda: contextlib.nullcontext(LossyMemfd(defect, once, keeper)))
