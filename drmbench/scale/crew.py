# SPDX-License-Identifier: MIT
"""A crew: threads or forked processes that touch their pages at the same moment, each on its CPU (csrc/native/crew.c).

Python waits until all have ended, looking up now and then so that Ctrl-C is heard; it never runs between two touches.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from drmbench._native import ffi, lib
from drmbench.buffer import PAGE_BYTES
from drmbench.errors import errno_name
from drmbench.native import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from drmbench.model import WorkerKind

_KINDS = {"threads": lib.DRMBENCH_THREADS, "processes": lib.DRMBENCH_PROCESSES}
_PASSES = {"whole": lib.DRMBENCH_PASS_WHOLE, "single": lib.DRMBENCH_PASS_SINGLE}
_LOOK_UP_NS = 50_000_000
_BASE_LIMIT_S = 60.0
_LIMIT_S_PER_TOUCH = 0.001
MOST_WORKERS = 1024

Pass = Literal["whole", "single"]
"""whole: no clock between the touches; single: each touch timed, its faults counted beside it."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker does: touch `pages` pages from `first_page` of the mapping at `address`, on `cpu`."""

    address: int
    first_page: int
    pages: int
    access: int
    cpu: int


@dataclass(frozen=True, slots=True)
class Latencies:
    """Single touches in clock ticks: bucket counts, shape (HISTOGRAM_BUCKETS,), smallest and largest."""

    buckets: NDArray[np.uint64]
    extremes_ticks: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Worked:
    """What one worker found: CLOCK_MONOTONIC_RAW at its first and behind its last touch, its own faults."""

    begin_ns: int
    end_ns: int
    stage: Stage
    faulted: Latencies
    hit: Latencies


class WorkerError(Exception):
    """A worker failed; `number` counts from 0, `errno` is positive."""

    def __init__(self, number: int, errno_: int, reason: str) -> None:
        super().__init__(number, errno_, reason)
        self.number = number
        self.errno = errno_
        self.reason = reason


class Crew:
    """As many workers as there are tasks. In a with block: start(), then wait() for what they found."""

    def __init__(self, kind: WorkerKind, pass_: Pass, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        made = ffi.new("struct drmbench_crew **")
        _check(lib.drmbench_crew_make(_KINDS[kind], _PASSES[pass_], len(tasks), made))
        self._crew: Any = made[0]
        self._workers = [lib.drmbench_crew_worker(self._crew, number) for number in range(len(tasks))]
        for worker, task in zip(self._workers, tasks, strict=True):
            worker.address, worker.page_bytes = task.address, PAGE_BYTES
            worker.first_page, worker.touches = task.first_page, task.pages
            worker.access, worker.cpu = task.access, task.cpu

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._workers.clear()
        lib.drmbench_crew_end(self._crew)

    def start(self) -> list[int]:
        """Make them; each gets ready and waits. Returns the pids of processes. Raises OSError."""
        _check(lib.drmbench_crew_start(self._crew))
        return [worker.process for worker in self._workers if worker.process]

    def wait(self, limit_s: float | None = None) -> list[Worked]:
        """Let them go when all are ready, and wait for the end of the last one.

        Raises WorkerError where one failed, OSError(ETIMEDOUT) past `limit_s` (None: a minute and 1 ms a touch).
        """
        if limit_s is None:
            limit_s = _BASE_LIMIT_S + _LIMIT_S_PER_TOUCH * sum(task.pages for task in self._tasks)
        deadline = time.monotonic() + limit_s
        while (status := lib.drmbench_crew_wait(self._crew, _LOOK_UP_NS)) == -errno.EAGAIN:
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, f"the workers did not end within {limit_s:.0f} s")
        _check(status)
        self._complain()
        return [_worked(worker) for worker in self._workers]

    def _complain(self) -> None:
        failed = [(number, worker) for number, worker in enumerate(self._workers) if worker.status]
        # One failure calls the others off.
        failed.sort(key=lambda each: each[1].status == -errno.ECANCELED)
        for number, worker in failed:
            raise WorkerError(number, -worker.status, _reason(worker))


def _reason(worker: Any) -> str:  # noqa: ANN401 (cffi's struct has no Python type)
    if worker.status == -errno.EFAULT:
        page = (worker.stop.address - worker.address) // PAGE_BYTES
        return f"{signal.Signals(worker.stop.signal_number).name} at page {page} of its mapping"
    if worker.status == -errno.ECHILD:
        if os.WIFSIGNALED(worker.wait_status):
            return f"it was killed by {signal.Signals(os.WTERMSIG(worker.wait_status)).name}"
        return f"it exited with status {os.waitstatus_to_exitcode(worker.wait_status)}"
    return f"on CPU {worker.cpu}: {os.strerror(-worker.status)} ({errno_name(-worker.status)})"


def _worked(worker: Any) -> Worked:  # noqa: ANN401 (as above)
    stage = Stage(worker.stage.ns, worker.stage.minor_faults, worker.stage.major_faults)
    return Worked(worker.begin_ns, worker.end_ns, stage, _latencies(worker.faulted), _latencies(worker.hit))


def _latencies(histogram: Any) -> Latencies:  # noqa: ANN401 (as above)
    buckets = np.frombuffer(ffi.buffer(histogram.bucket), dtype=np.uint64).copy()
    return Latencies(buckets, (histogram.min_ticks, histogram.max_ticks))


def _check(status: int) -> None:
    if status < 0:
        raise OSError(-status, os.strerror(-status))
