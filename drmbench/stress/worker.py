# SPDX-License-Identifier: MIT
"""The process that runs one program: its threads, their ends, and what they left behind."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from drmbench.conformance.calls import PAGE_BYTES
from drmbench.conformance.left_behind import differences, holdings
from drmbench.conformance.subject import OpenFile, open_file
from drmbench.conformance.verdict import Judgement, fail, judged
from drmbench.errors import errno_name
from drmbench.stress import steps as s
from drmbench.stress.arena import Arena
from drmbench.stress.execute import Executor
from drmbench.stress.ground import Ground, Held, Opened
from drmbench.stress.port import present
from drmbench.stress.predict import slot_pages
from drmbench.stress.program import rounded, state_of
from drmbench.stress.touching import Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.drivers.protocol import BufferObject
    from drmbench.stress.port import Port
    from drmbench.stress.program import Source
    from drmbench.stress.state import State
    from drmbench.stress.traits import Limits, Traits
    from drmbench.targets import Target

LEFT_BEHIND = "left behind"
_SWITCH_EVERY_S = 0.0005


@dataclass(frozen=True, slots=True)
class Site:
    """Where programs run. Where there is a port, the target's node may be one of the past."""

    target: Target
    kind: str
    traits: Traits
    limits: Limits
    port: Port | None = None


@dataclass(slots=True)
class Job:
    """One program: a source for each thread, the shared buffers' pages, the time at which to stop.

    marks  shared with the parent: the steps that each thread has taken so far
    """

    site: Site
    sources: Sequence[Source]
    shared: Sequence[int]
    deadline_s: float
    marks: memoryview
    stop: threading.Event = field(default_factory=threading.Event)
    live: list[int] = field(default_factory=list)
    peak_live_pages: int = 0

    def state(self, thread: int, threads: int) -> State:
        """The state in which one of `threads` starts."""
        return state_of(thread, threads, self.shared, self.site.traits, self.site.limits)

    def note_live(self, thread: int, pages: int) -> None:
        """Remember the most that was alive at once."""
        self.live[thread] = pages
        self.peak_live_pages = max(self.peak_live_pages, sum(self.live))


@dataclass(slots=True)
class Driver:
    """One thread: its executor, and what ended it."""

    job: Job
    number: int
    executor: Executor
    error: BaseException | None = None
    last: s.Step | None = None

    def run(self) -> None:
        """Its steps until the end, the deadline or somebody's failure; keeps what it raised."""
        source = self.job.sources[self.number]
        try:
            while not self.job.stop.is_set() and time.monotonic() < self.job.deadline_s:
                self.last = source.next(self.executor.state)
                if self.last is None:
                    break
                self.job.marks[self.number] += 1
                self._step(self.last)
        except BaseException as error:  # noqa: BLE001 (the main thread judges it)
            self.error = error
            self.job.stop.set()

    def _step(self, step: s.Step) -> None:
        if self.executor.step(step) and isinstance(step, s.Create):
            self.job.note_live(self.number, self.executor.state.live_pages())

    def finish(self) -> Failure | None:
        """Read everything once more and give everything back."""
        for step in last_steps(self.executor.state):
            try:
                self.executor.step(step)
            except Mismatch as error:
                return Failure(error, self.number, step)
        self.executor.ground.close_all()
        return None


class Failure(NamedTuple):
    """What went wrong, in which thread and step; neither is known where the shared buffers could not be made."""

    error: BaseException
    thread: int | None = None
    step: s.Step | None = None


def last_steps(state: State) -> Iterator[s.Step]:
    """What ends every program, as the state then is."""
    if state.unbound:
        yield s.Bind()
    for slot in list(state.mappings):
        for vma in list(state.vmas(slot)):
            yield s.Read(slot, vma.first, vma.count)
        yield s.Unmap(slot, 0, slot_pages(state))
    for dmabuf in list(state.dmabufs):
        yield s.CloseDmabuf(dmabuf)
    for slot, handle in list(state.handles.items()):
        if handle.alive and not handle.file.gone:
            yield s.Destroy(slot)
    for file in list(state.files):
        yield s.Close(file)


def work(job: Job) -> Judgement:
    """Run the job in this process, which does nothing else, and say how it went; `value` holds the counts."""
    sys.setswitchinterval(_SWITCH_EVERY_S)
    before = holdings()
    drivers: list[Driver] = []
    whole = judged(lambda: _run(job, drivers))
    failed = whole.value
    value: dict[str, Any] = {"counts": counts_of(job, drivers)}
    if whole.verdict != "pass":
        judgement = whole
    elif failed is not None:
        judgement = _judged_failure(failed, value)
    else:
        left = differences(before, holdings())
        judgement = fail(LEFT_BEHIND, "nothing", "; ".join(left)) if left else Judgement("pass")
        value["failure"] = {"category": LEFT_BEHIND} if left else None
    return msgspec.structs.replace(judgement, value=value)


def _judged_failure(failed: Failure, value: dict[str, Any]) -> Judgement:
    error, step = failed.error, failed.step
    if not isinstance(error, Mismatch):
        judgement = judged(lambda: _again(error))
        return Judgement("broken", reason=judgement.reason or f"{judgement.what}: {judgement.actual}")
    value["failure"] = {
        "category": error.category, "thread": failed.thread,
        "step": "" if step is None else s.describe(step), "kind": "create" if step is None else s.name_of(step),
    }
    return fail(error.what, error.expected, error.actual)


def _again(error: BaseException | None) -> None:
    raise error or RuntimeError("a thread ended without a reason")


def _run(job: Job, drivers: list[Driver]) -> Failure | None:
    """All threads to their ends; the first failure, None where all is well."""
    with contextlib.ExitStack() as stack:
        try:
            shared = stack.enter_context(_shared_buffers(job))
        except Mismatch as error:
            return Failure(error)
        for number in range(len(job.sources)):
            drivers.append(_driver(job, number, shared))
            job.live.append(0)
        _run_threads(drivers)
        for driver in drivers:
            if driver.error is not None:
                return Failure(driver.error, driver.number, driver.last)
        ended = (driver.finish() for driver in drivers)
        return next((failed for failed in ended if failed is not None), None) or _read_shared(job, drivers, shared)


def _driver(job: Job, number: int, shared: list[Held]) -> Driver:
    state = job.state(number, len(job.sources))
    return Driver(job, number, Executor(state, _ground(job, number, state, shared)))


def _ground(job: Job, number: int, state: State, shared: list[Held]) -> Ground:
    site = job.site
    arena = Arena(number, slot_pages(state))
    arena.check_free()
    ground = Ground(site.target, site.kind, arena, shared, site.port)
    ground.open(0)
    return ground


def _run_threads(drivers: list[Driver]) -> None:
    if len(drivers) == 1:
        drivers[0].run()
        return
    threads = [threading.Thread(target=driver.run, name=f"stress-{driver.number}") for driver in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _read_shared(job: Job, drivers: list[Driver], shared: list[Held]) -> Failure | None:
    """One more driver, which knows of the shared buffers what each thread knows of its own pages, reads them whole."""
    number = len(drivers)
    state = job.state(0, 1)
    for index, body in enumerate(state.shared):
        for page in range(body.pages):
            owners = (driver.executor.state.shared[index] for driver in drivers)
            owner = next(owned for owned in owners if page not in owned.others)
            body.content[page] = owner.content[page]
            body.gone |= owner.gone
    reader = Driver(job, number, Executor(state, _ground(job, number, state, shared)))
    for slot, body in enumerate(state.shared):
        if not body.gone:
            reader.executor.step(s.MapShared(slot, slot, body.pages, "read"))
    return reader.finish()


@contextlib.contextmanager
def _shared_buffers(job: Job) -> Iterator[list[Held]]:
    site = job.site
    with open_file(present(site.target, site.port)) as file:
        opened = Opened(file)
        held: list[Held] = []
        try:
            held.extend(Held(_made(file, site, rounded(pages, site.traits)), opened) for pages in job.shared)
            yield held
        finally:
            for each in held:
                with contextlib.suppress(OSError):  # an unplugged device
                    file.backend.destroy(each.made)


def _made(file: OpenFile, site: Site, pages: int) -> BufferObject:
    try:
        return file.backend.create(site.kind, pages * PAGE_BYTES)[0]
    except OSError as error:
        raise Mismatch("errno", f"create a shared buffer of {pages} pages", "success",
                       errno_name(error.errno or 0)) from None


def counts_of(job: Job, drivers: Sequence[Driver]) -> dict[str, Any]:
    """What all threads did together."""
    counts = [driver.executor.counts for driver in drivers]
    steps: dict[str, int] = {}
    for each in counts:
        for name, number in each.steps.items():
            steps[name] = steps.get(name, 0) + number
    shared = sum(rounded(pages, job.site.traits) for pages in job.shared)
    return {
        "steps": steps,
        "pages_checked": sum(each.pages_checked for each in counts),
        "pages_written": sum(each.pages_written for each in counts),
        "faults": sum(each.faults for each in counts),
        "signals": sum(each.signals for each in counts),
        "peak_live_bytes": (job.peak_live_pages + shared) * PAGE_BYTES if drivers else 0,
    }
