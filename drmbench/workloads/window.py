# SPDX-License-Identifier: MIT
"""One mmap, touch or munmap between two ftrace markers, in C; and the faults of a pass by address, from perf."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drmbench._native import ffi, lib
from drmbench.native import Stage, TouchFaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from drmbench.native import Span

NO_MARKERS = -1


def _finished(status: int, stage: Any) -> Stage:  # noqa: ANN401 (cffi's struct has no Python type)
    if status < 0:
        raise OSError(-status, os.strerror(-status))
    return Stage(stage.ns, stage.minor_faults, stage.major_faults)


class Window:
    """The steps of one name, with markers around each where `marker_fd` is not NO_MARKERS; all timed as stages."""

    def __init__(self, marker_fd: int, step: str) -> None:
        self._fd = marker_fd
        self._begin, self._end = (f"drmbench:{step}:{moment}".encode() for moment in ("begin", "end"))
        self._texts = [ffi.new("char[]", text) for text in (self._begin, self._end)]
        begin, end = self._texts
        self._native = ffi.new("struct drmbench_window *", {"marker_fd": marker_fd, "begin": begin, "end": end})

    def mmap(self, hint: int, size_bytes: int, prot: int, flags: int, fd: int, offset: int) -> tuple[int, Stage]:
        """As native.timed_mmap(). Raises OSError."""
        number, address, stage = self.try_mmap(hint, size_bytes, prot, flags, fd, offset)
        if number:
            raise OSError(number, os.strerror(number))
        return address, stage

    def try_mmap(
        self, hint: int, size_bytes: int, prot: int, flags: int, fd: int, offset: int,
    ) -> tuple[int, int, Stage]:
        """The same, with (errno or 0, address, Stage), as a refusal takes its time too."""
        out, address = ffi.new("struct drmbench_stage *"), ffi.new("uint64_t *")
        status = lib.drmbench_window_mmap(self._native, hint, size_bytes, prot, flags, fd, offset, address, out)
        return -min(status, 0), int(address[0]), Stage(out.ns, out.minor_faults, out.major_faults)

    def munmap(self, address: int, size_bytes: int) -> Stage:
        """As native.timed_munmap(). Raises OSError."""
        stage = ffi.new("struct drmbench_stage *")
        return _finished(lib.drmbench_window_munmap(self._native, address, size_bytes, stage), stage)

    def touch(self, span: Span) -> Stage:
        """As Span.time_sum(). Raises TouchFaultError."""
        stage, stop = ffi.new("struct drmbench_stage *"), ffi.new("struct drmbench_stop *")
        status = lib.drmbench_window_touch(self._native, span.struct, stage, stop)
        _raise_signal(stop)
        return _finished(status, stage)

    def around(self, call: Callable[[], tuple[int, Stage]]) -> tuple[int, Stage]:
        """Markers around something that is Python's, such as an ioctl that maps by itself."""
        if self._fd == NO_MARKERS:
            return call()
        os.write(self._fd, self._begin)
        try:
            return call()
        finally:
            os.write(self._fd, self._end)


@dataclass(frozen=True, slots=True)
class FaultSamples:
    """The faults that perf saw: of each page of the span, shape (pages,), up to 255; elsewhere; and not recorded."""

    by_page: NDArray[np.uint8]
    inside: int
    outside: int
    lost: int


def sample_faults(span: Span) -> FaultSamples:
    """Touch the span once while perf's software event page-faults records every address.

    Raises TouchFaultError, and OSError where perf_event_open() is refused (perf_event_paranoid, a container).
    """
    by_page = np.zeros(span.size_bytes // span.page_bytes, dtype=np.uint8)
    samples, stop = ffi.new("struct drmbench_fault_samples *"), ffi.new("struct drmbench_stop *")
    status = lib.drmbench_touch_sample(span.struct, ffi.cast("uint8_t *", ffi.from_buffer(by_page)), samples, stop)
    _raise_signal(stop)
    if status < 0:
        raise OSError(-status, os.strerror(-status))
    return FaultSamples(by_page, samples.inside, samples.outside, samples.lost)


def _raise_signal(stop: Any) -> None:  # noqa: ANN401 (cffi's struct has no Python type)
    if stop.signal_number:
        raise TouchFaultError(stop.signal_number, stop.address, stop.touches_done)
