# SPDX-License-Identifier: MIT
"""trace: the short life of one mapping (mmap, one touch, munmap), first timed, then recorded, never both at once."""

from __future__ import annotations

import dataclasses
import errno
import mmap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from drmbench import native
from drmbench.buffer import PAGE_BYTES, Buffer
from drmbench.device import open_node
from drmbench.errors import DrmbenchError, errno_name
from drmbench.units import format_bytes
from drmbench.workloads.passes import native_access
from drmbench.workloads.window import NO_MARKERS, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.buffer import Mapping
    from drmbench.drivers.protocol import Backend, MmapOffset
    from drmbench.model import FaultCheck, StepName
    from drmbench.native import Stage
    from drmbench.targets import Target
    from drmbench.trace.session import Session

STEPS: dict[str, tuple[StepName, ...]] = {
    "mmap": ("mmap",), "fault": ("touch",), "munmap": ("munmap",), "all": ("mmap", "touch", "munmap"),
    "denied": ("denied",),
}
"""--step -> the steps that are recorded; the others happen too, but without markers."""

REPETITIONS = 7
_PAGE = np.zeros(1, dtype=np.uint32)
_PROT = {mmap.PROT_READ: "PROT_READ", mmap.PROT_WRITE: "PROT_WRITE"}


@dataclass(frozen=True, slots=True)
class LifeParameters:
    """One series: a buffer of `size_bytes`, how its first page is touched, and what is recorded."""

    size_bytes: int
    access: Literal["write", "read"]
    steps: tuple[StepName, ...]


@dataclass(slots=True)
class Life:
    """One pass: where the buffer was mapped, what each recorded step took, and how the denied one was refused."""

    address: int | None = None
    stages: dict[StepName, Stage] = field(default_factory=dict)
    calls: dict[StepName, str] = field(default_factory=dict)
    returned: dict[StepName, str] = field(default_factory=dict)
    errno: str | None = None


@dataclass(slots=True)
class TraceSeries:
    """The passes of one (target, buffer kind): `prepare()` without tracing, then `sample()` inside of a session.

    session      gives the one of this run
    count_faults what --faults asks for; its answer is `check`
    text, lost_events  what the last pass recorded
    """

    target: Target
    kind: str
    parameters: LifeParameters
    session: Callable[[], Session]
    count_faults: Callable[[], FaultCheck] | None = None
    check: FaultCheck | None = None
    untraced: list[Life] = field(default_factory=list)
    traced: list[Life] = field(default_factory=list)
    text: str = ""
    lost_events: int = 0
    tracer: Literal["instance", "global", ""] = ""
    has_addresses: bool = True

    @property
    def label(self) -> str:
        """What stands before a colon."""
        return self.target.buffer_label(self.kind)

    def prepare(self) -> None:
        """The timed passes; the first one only warms up. Raises DrmbenchError, TooLargeError."""
        if self.count_faults is not None:
            self.check = self.count_faults()
        if not self.parameters.steps:
            return
        self.live(NO_MARKERS)
        self.untraced = [self.live(NO_MARKERS) for _pass in range(REPETITIONS)]

    def sample(self) -> None:
        """As many passes with tracing on. Raises DrmbenchError."""
        if not self.parameters.steps:
            return
        session = self.session()
        for number in range(REPETITIONS + 1):
            with session.record():
                life = self.live(session.marker_fd)
            self.traced += [life] if number else []
        self.text, self.lost_events = session.text(), session.lost_events()
        self.tracer = "instance" if session.own_instance else "global"
        self.has_addresses = session.has_addresses

    def live(self, marker_fd: int) -> Life:
        """One pass over a fresh buffer on an open file of its own."""
        life = Life()
        with self.target.open() as backend, \
                Buffer(self.label, backend, self.kind, self.parameters.size_bytes) as buffer:
            place, _stage = buffer.locate()
            if "denied" in self.parameters.steps:
                self._try_elsewhere(life, backend, place, Window(marker_fd, "denied"))
            if life.stages.keys() < set(self.parameters.steps):
                self._map_and_touch(life, backend, buffer, place, marker_fd)
        return life

    def _window(self, marker_fd: int, step: StepName) -> Window:
        return Window(marker_fd if step in self.parameters.steps else NO_MARKERS, step)

    def _map_and_touch(
        self, life: Life, backend: Backend, buffer: Buffer, place: MmapOffset, marker_fd: int,
    ) -> None:
        mapped = _through(self._window(marker_fd, "mmap"), place, backend.prot)
        with buffer.map(mapped, backend.prot) as mapping:
            life.address = mapping.address
            touched = self._touch(mapping, native_access(backend, self.parameters.access), marker_fd)
            unmapped = mapping.unmap(self._window(marker_fd, "munmap").munmap)
        size = format_bytes(self.parameters.size_bytes)
        verb = "load from" if self.parameters.access == "read" else "store to"
        calls: dict[StepName, str] = {
            "mmap": self._mmap_call(backend, place), "touch": f"{verb} page 0", "munmap": f"munmap(address, {size})",
        }
        life.returned |= {"mmap": f"{mapping.address:#x}", "munmap": "0"}
        stages: dict[StepName, Stage] = {"mmap": mapping.mapped, "touch": touched, "munmap": unmapped}
        for step in self.parameters.steps:
            if step in stages:
                life.stages[step], life.calls[step] = stages[step], calls[step]

    def _touch(self, mapping: Mapping, access: int, marker_fd: int) -> Stage:
        span = native.Span(mapping.address, mapping.size_bytes, PAGE_BYTES, _PAGE, access)
        with mapping.touching():
            return self._window(marker_fd, "touch").touch(span)

    def _mmap_call(self, backend: Backend, place: MmapOffset) -> str:
        size = format_bytes(self.parameters.size_bytes)
        if place.map_here is not None:
            return f"{backend.steps.get('mmap', 'the ioctl that maps')} ({size})"
        prot = "|".join(name for bit, name in _PROT.items() if backend.prot & bit)
        anonymous = "|MAP_ANONYMOUS" if place.flags & mmap.MAP_ANONYMOUS else ""
        return f"mmap(NULL, {size}, {prot}, MAP_SHARED{anonymous}, {max(place.fd, -1)}, {place.offset:#x})"

    def _try_elsewhere(self, life: Life, backend: Backend, place: MmapOffset, window: Window) -> None:
        """mmap() of the same fake offset on a second open file, which has no handle of the buffer."""
        node = self.target.node
        if self.target.kind != "drm" or node is None or place.map_here is not None or place.owned:
            raise DrmbenchError(self.label, "--step denied", errno=errno.EOPNOTSUPP,
                                reason="the buffer has no fake offset that another open file could try",
                                remedy="try another --buffer")
        with open_node(node) as other:
            number, address, stage = window.try_mmap(
                0, self.parameters.size_bytes, backend.prot, place.flags, other, place.offset)
            if number == 0:
                native.timed_munmap(address, self.parameters.size_bytes)
        if number:
            life.errno = errno_name(number)
        else:
            life.returned["denied"] = f"{address:#x}"
        life.stages["denied"] = stage
        call = self._mmap_call(backend, dataclasses.replace(place, fd=other))
        life.calls["denied"] = f"{call} on a second open file"


def _through(window: Window, place: MmapOffset, prot: int) -> MmapOffset:
    """The same place, mapped inside of the window."""
    here = place.map_here
    if here is None:
        return dataclasses.replace(place, map_here=lambda size_bytes: window.mmap(
            0, size_bytes, prot, place.flags, place.fd, place.offset))
    return dataclasses.replace(place, map_here=lambda size_bytes: window.around(lambda: here(size_bytes)))
