# SPDX-License-Identifier: MIT
"""One step after the other on the kernel, each held against what the model expects of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drmbench.conformance import calls
from drmbench.conformance.calls import PAGE_BYTES
from drmbench.errors import DrmbenchError, errno_name
from drmbench.stress import steps as s
from drmbench.stress.advice import NUMBERS
from drmbench.stress.predict import Expected, expect
from drmbench.stress.touching import Mismatch, check, touch

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.stress.ground import Ground
    from drmbench.stress.state import State
    from drmbench.stress.touching import Touched


@dataclass(slots=True)
class Counts:
    """What was done: steps by kind, pages by what happened to them, faults of all accesses, signals as expected."""

    steps: Counter[str] = field(default_factory=Counter)
    pages_checked: int = 0
    pages_written: int = 0
    faults: int = 0
    signals: int = 0

    def add(self, touched: Touched) -> None:
        """One step's accesses."""
        self.pages_checked += touched.pages_checked
        self.pages_written += touched.pages_written
        self.faults += touched.faults
        self.signals += touched.signals


@dataclass(slots=True)
class Executor:
    """One thread's model and its ground."""

    state: State
    ground: Ground
    counts: Counts = field(default_factory=Counts)
    offsets: dict[int, int] = field(default_factory=dict)

    def step(self, step: s.Step) -> bool:
        """Do it; False where it has no sense in this state and was left out. Raises Mismatch, DrmbenchError."""
        expected = expect(self.state, step)
        if expected is None:
            return False
        self.counts.steps[s.name_of(step)] += 1
        if isinstance(step, (s.Read, s.Write, s.Fork)):
            self._touch(step, expected)
        else:
            self._call(step, expected)
        return True

    def _touch(self, step: s.Step, expected: Expected) -> None:
        touched = touch(self.ground.arena, expected.accesses, in_child=isinstance(step, s.Fork))
        self.counts.add(touched)
        check(self.ground.arena, self.state, touched)

    def _call(self, step: s.Step, expected: Expected) -> None:
        number = 0
        try:
            _CALLS[type(step)](self, step)
        except OSError as error:
            number = error.errno or 0
        except DrmbenchError as error:
            if error.errno is None:
                raise
            number = error.errno
        if number != expected.errno:
            raise Mismatch("errno", s.describe(step), _outcome(expected.errno), _outcome(number))

    def map(self, step: s.Map) -> None:
        """Through an open file that has a handle of the buffer itself, its own is asked for the offset."""
        file, handle = self.state.files[step.file], self.state.handles[step.handle]
        own = next((slot for slot, other in self.state.handles.items()
                    if other.alive and other.file is file and other.body is handle.body), step.handle)
        self.ground.map(step.mapping, self.ground.handles[own], self.ground.files[step.file], step.pages, step.prot)

    def create(self, step: s.Create) -> None:
        """The new handle's number is nobody else's on its file."""
        body = self.state.handles[step.handle].body if not self.state.files[step.file].gone else None
        made = self.ground.create(step.handle, step.file, body.pages if body else step.pages)
        self._new_number(step.handle, made.handle)

    def _new_number(self, slot: int, number: int) -> None:
        numbers = self.ground.handles[slot].opened.numbers
        if number in numbers:
            raise Mismatch("handle", "a new handle", "a number of its own", f"{number}, which is in use")
        numbers.add(number)
        self.offsets.pop(slot, None)

    def locate(self, step: s.Locate) -> None:
        """The offset is the same each time."""
        offset = self.ground.locate(step.handle)
        known = self.offsets.setdefault(step.handle, offset)
        if offset != known:
            raise Mismatch("offset", s.describe(step), f"{known:#x} as before", f"{offset:#x}")

    def import_(self, step: s.Import) -> None:
        """A file that has a handle of the buffer gets that one again, else a new one."""
        handle = self.state.handles[step.handle]
        twins = [slot for slot, other in self.state.handles.items() if other is handle and slot != step.handle]
        number = self.ground.import_(step.dmabuf, step.file, step.handle, handle.body.pages * PAGE_BYTES)
        if not twins:
            self._new_number(step.handle, number)
            return
        known = self.ground.handles[twins[0]].made.handle
        self.offsets.pop(step.handle, None)
        if number != known:
            raise Mismatch("handle", s.describe(step), f"handle {known} again", f"handle {number}")

    def destroy(self, step: s.Destroy) -> None:
        """Once or twice."""
        self.ground.destroy(step.handle)

    def close(self, step: s.Close) -> None:
        """A file that is closed has the handles that it should have, and no others."""
        unknown = self.ground.files[step.file].unknown_handles()
        self.ground.close(step.file)
        if unknown:
            raise Mismatch("left behind", s.describe(step), "no other handles", f"handles {unknown}")

    def bind(self, _step: s.Bind) -> None:
        """The driver comes back, perhaps with another node: open() asks for the present one."""
        if self.ground.port is not None:
            self.ground.port.bind()

    def unbind(self, _step: s.Unbind) -> None:
        """The driver goes."""
        if self.ground.port is not None:
            self.ground.port.unbind()

    def span(self, step: s.Unmap | s.Protect | s.Advise) -> tuple[int, int]:
        """Address and bytes of the step's pages."""
        return self.ground.arena.address(step.mapping, step.first), step.count * PAGE_BYTES

    def map_shared(self, step: s.MapShared) -> None:
        """Through the file that all threads share."""
        held = self.ground.shared[step.shared]
        self.ground.map(step.mapping, held, held.opened, step.pages, step.prot)


def _outcome(number: int) -> str:
    return errno_name(number) if number else "success"


_CALLS: dict[type[s.Step], Callable[[Executor, Any], object]] = {
    s.Create: Executor.create,
    s.Map: Executor.map,
    s.Unmap: lambda e, step: calls.munmap(*e.span(step)),
    s.Destroy: Executor.destroy,
    s.Protect: lambda e, step: calls.mprotect(*e.span(step), s.PROT_BITS[step.prot]),
    s.Advise: lambda e, step: calls.madvise(*e.span(step), NUMBERS[step.advice]),
    s.Move: lambda e, step: e.ground.move(step.mapping, step.first, step.count, step.to),
    s.Resize: lambda e, step: e.ground.resize(step.mapping, step.first, step.count, step.pages),
    s.Open: lambda e, step: e.ground.open(step.file),
    s.Close: Executor.close,
    s.Locate: Executor.locate,
    s.Export: lambda e, step: e.ground.export(step.handle, step.dmabuf),
    s.Import: Executor.import_,
    s.MapDmabuf: lambda e, step: e.ground.map_dmabuf(step.mapping, step.dmabuf, step.pages, step.prot),
    s.Sync: lambda e, step: e.ground.sync(step.dmabuf),
    s.CloseDmabuf: lambda e, step: e.ground.close_dmabuf(step.dmabuf),
    s.MapShared: Executor.map_shared,
    s.Unbind: Executor.unbind,
    s.Bind: Executor.bind,
}
