# SPDX-License-Identifier: MIT
"""The C contract (csrc/native/contract.h) with Python types: clock, timed system calls, touch passes.

Every function that times something returns a Stage and raises OSError with the kernel's errno when the
call itself was refused.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from drmbench._native import ffi, lib

if TYPE_CHECKING:
    from numpy.typing import NDArray

READ: int = lib.DRMBENCH_READ
WRITE: int = lib.DRMBENCH_WRITE
WRITE_NOTHING: int = lib.DRMBENCH_WRITE_NOTHING

HISTOGRAM_BUCKETS: int = lib.DRMBENCH_HISTOGRAM_BUCKETS

_SOURCES = {
    "best": lib.DRMBENCH_CLOCK_BEST,
    "tsc": lib.DRMBENCH_CLOCK_TSC,
    "cntvct_el0": lib.DRMBENCH_CLOCK_CNTVCT,
    "clock_gettime": lib.DRMBENCH_CLOCK_GETTIME,
}
_CALIBRATION_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a buffer's life: ns with the clock's overhead taken off, faults of this thread."""

    ns: int = 0
    minor_faults: int = 0
    major_faults: int = 0

    @property
    def faults(self) -> int:
        """Minor and major faults together; which is which changed between kernels."""
        return self.minor_faults + self.major_faults

    def __add__(self, other: Stage) -> Stage:
        return Stage(
            self.ns + other.ns,
            self.minor_faults + other.minor_faults,
            self.major_faults + other.major_faults,
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """The calibrated clock: `source` is "tsc", "cntvct_el0" or "clock_gettime"; durations in ns."""

    source: str
    invariant: bool
    ns_per_tick: float
    overhead_ns: float
    resolution_ns: float


class TouchFaultError(Exception):
    """A touch pass was ended by SIGBUS or SIGSEGV."""

    def __init__(self, signal_number: int, address: int, touches_done: int) -> None:
        super().__init__(signal_number, address, touches_done)
        self.signal_number = signal_number
        self.address = address
        self.touches_done = touches_done


def calibrate_clock(source: str = "best") -> Clock:
    """Choose the process's clock and measure rate, cost and step; takes about 20 ms.

    Raises OSError(EINVAL) where this CPU has no such source, ValueError for an unknown name.
    """
    if source not in _SOURCES:
        raise ValueError(f"{source!r} is no clock; there are {', '.join(_SOURCES)}")
    out = ffi.new("struct drmbench_clock *")
    _check(lib.drmbench_clock_calibrate(_SOURCES[source], _CALIBRATION_NS, out))
    names = {number: name for name, number in _SOURCES.items()}
    return Clock(names[out.source], bool(out.invariant), out.ns_per_tick, out.overhead_ns, out.resolution_ns)


def backward_intervals() -> int:
    """Timed intervals of this process so far whose end was read before their start; each counted as 0."""
    return int(lib.drmbench_clock_backward_intervals())


def hypervisor_signature() -> str:
    """The CPUID signature of the hypervisor ("KVMKVMKVM", "TCGTCGTCGTCG"), or "" where there is none."""
    out = ffi.new("char[13]")
    lib.drmbench_hypervisor_signature(out)
    return bytes(ffi.string(out)).decode("ascii", "replace")


def _check(status: int) -> int:
    if status < 0:
        raise OSError(-status, os.strerror(-status))
    return status


def _stage(out: Any) -> Stage:  # noqa: ANN401 (cffi's struct has no Python type)
    return Stage(out.ns, out.minor_faults, out.major_faults)


def timed_ioctl(fd: int, request: int, argument: Any) -> Stage:  # noqa: ANN401 (any ioctl struct)
    """One drmIoctl(), restarted on EINTR and EAGAIN as libdrm does."""
    return timed_ioctl_value(fd, request, argument)[1]


def timed_ioctl_value(fd: int, request: int, argument: Any) -> tuple[int, Stage]:  # noqa: ANN401 (any ioctl struct)
    """The same, with what the ioctl returned: UDMABUF_CREATE returns a descriptor, which the caller closes."""
    out = ffi.new("struct drmbench_stage *")
    return _check(lib.drmbench_timed_ioctl(fd, request, argument, out)), _stage(out)


def timed_open(path: str, flags: int) -> tuple[int, Stage]:
    """open() with O_CLOEXEC; returns the descriptor, which the caller closes."""
    out = ffi.new("struct drmbench_stage *")
    return _check(lib.drmbench_timed_open(os.fsencode(path), flags, out)), _stage(out)


def timed_memfd(name: str, size_bytes: int, *, sealable: bool = False) -> tuple[int, Stage]:
    """memfd_create() and ftruncate(); returns the descriptor, which the caller closes."""
    out = ffi.new("struct drmbench_stage *")
    return _check(lib.drmbench_timed_memfd(name.encode(), size_bytes, sealable, out)), _stage(out)


def timed_close(fd: int) -> Stage:
    """close(); the descriptor is gone even when an error is raised."""
    out = ffi.new("struct drmbench_stage *")
    _check(lib.drmbench_timed_close(fd, out))
    return _stage(out)


def timed_mmap(hint: int, size_bytes: int, prot: int, flags: int, fd: int, offset: int) -> tuple[int, Stage]:
    """mmap(); returns the address. `hint` is only a wish, as for mmap() without MAP_FIXED."""
    out = ffi.new("struct drmbench_stage *")
    address = ffi.new("uint64_t *")
    _check(lib.drmbench_timed_mmap(hint, size_bytes, prot, flags, fd, offset, address, out))
    return int(address[0]), _stage(out)


def timed_munmap(address: int, size_bytes: int) -> Stage:
    """munmap()."""
    out = ffi.new("struct drmbench_stage *")
    _check(lib.drmbench_timed_munmap(address, size_bytes, out))
    return _stage(out)


def timed_madvise(address: int, size_bytes: int, advice: int) -> Stage:
    """madvise(); `advice` is the kernel's number, 22 and 23 are MADV_POPULATE_READ and _WRITE."""
    out = ffi.new("struct drmbench_stage *")
    _check(lib.drmbench_timed_madvise(address, size_bytes, advice, out))
    return _stage(out)


def timed_mlock(address: int, size_bytes: int) -> Stage:
    """mlock(); munmap() unlocks."""
    out = ffi.new("struct drmbench_stage *")
    _check(lib.drmbench_timed_mlock(address, size_bytes, out))
    return _stage(out)


class Histogram:
    """Latencies in clock ticks: exact count, min, max and sum, buckets within 0.8 %; 39 KB at any size."""

    def __init__(self) -> None:
        self.native = ffi.new("struct drmbench_histogram *")
        lib.drmbench_histogram_clear(self.native)

    @property
    def count(self) -> int:
        """Number of samples."""
        return int(self.native.count)

    @property
    def extremes_ticks(self) -> tuple[int, int]:
        """Smallest and largest sample in ticks; meaningless while count is 0."""
        return int(self.native.min_ticks), int(self.native.max_ticks)

    def add(self, ticks: int) -> None:
        """Count one sample."""
        lib.drmbench_histogram_add(self.native, ticks)

    def bucket_counts(self) -> NDArray[np.uint64]:
        """A copy of the buckets, shape (HISTOGRAM_BUCKETS,)."""
        return np.frombuffer(ffi.buffer(self.native.bucket), dtype=np.uint64).copy()


@functools.cache
def bucket_lower_ticks() -> NDArray[np.float64]:
    """The smallest tick count of every bucket, shape (HISTOGRAM_BUCKETS + 1,); the last one closes the scale.

    Every result needs it, and it takes a native call a bucket: made once, read-only.
    """
    bounds = [lib.drmbench_histogram_lower_ticks(bucket) for bucket in range(HISTOGRAM_BUCKETS + 1)]
    scale = np.array(bounds, dtype=np.float64)
    scale.flags.writeable = False
    return scale


@dataclass(frozen=True, slots=True)
class Span:
    """A mapped range and the page numbers to touch, in order; `access` is READ, WRITE or WRITE_NOTHING."""

    address: int
    size_bytes: int
    page_bytes: int
    order: NDArray[np.uint32]
    access: int
    _native: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.order.dtype != np.uint32 or not self.order.flags.c_contiguous:
            raise TypeError("order must be a contiguous array of uint32")
        if self.order.size and int(self.order.max()) >= self.size_bytes // self.page_bytes:
            raise ValueError("order names a page outside the mapping")
        pages = ffi.cast("const uint32_t *", ffi.from_buffer(self.order))
        span = ffi.new("struct drmbench_span *", {
            "address": self.address, "size_bytes": self.size_bytes, "page_bytes": self.page_bytes,
            "order": pages, "touches": self.order.size, "access": self.access,
        })
        object.__setattr__(self, "_native", span)

    @property
    def struct(self) -> Any:  # noqa: ANN401 (cffi's struct has no Python type)
        """What the C functions take; it lives as long as this span."""
        return self._native

    def count_faults(self) -> NDArray[np.uint8]:
        """Touch once, untimed: faults of every touch, shape (touches,), 255 meaning 255 or more.

        Raises TouchFaultError.
        """
        faults = np.zeros(self.order.size, dtype=np.uint8)
        stop = ffi.new("struct drmbench_stop *")
        data = ffi.cast("uint8_t *", ffi.from_buffer(faults))
        _finish(lib.drmbench_touch_count(self._native, data, stop), stop)
        return faults

    def count_faults_in_child(self) -> NDArray[np.uint8]:
        """The same in a forked child, which finds of the mapping what fork() copied.

        Raises TouchFaultError of the child's touch, OSError(ECHILD) where the child died of anything else.
        """
        faults = np.zeros(self.order.size, dtype=np.uint8)
        stop = ffi.new("struct drmbench_stop *")
        data = ffi.cast("uint8_t *", ffi.from_buffer(faults))
        _finish(lib.drmbench_touch_count_in_child(self._native, data, stop), stop)
        return faults

    def time_touches(
        self, faults: NDArray[np.uint8], faulted: Histogram, hit: Histogram, ticks: NDArray[np.uint32] | None = None,
    ) -> Stage:
        """Touch once, each touch timed alone and sorted by `faults`, shape (touches,).

        `ticks`, shape (touches,), takes each touch's clock ticks, its overhead included; its pages must have been
        written, or they fault among those that are counted. Raises TouchFaultError.
        """
        if faults.shape != self.order.shape or faults.dtype != np.uint8:
            raise TypeError("faults must have one uint8 for every touch")
        if ticks is not None and (ticks.shape != self.order.shape or ticks.dtype != np.uint32
                                  or not ticks.flags.c_contiguous):
            raise TypeError("ticks must have one uint32 for every touch")
        self._native.touch_ticks = ffi.NULL if ticks is None else ffi.cast("uint32_t *", ffi.from_buffer(ticks))
        out, stop = ffi.new("struct drmbench_stage *"), ffi.new("struct drmbench_stop *")
        data = ffi.cast("const uint8_t *", ffi.from_buffer(faults))
        status = lib.drmbench_touch_time(self._native, data, faulted.native, hit.native, out, stop)
        _finish(status, stop)
        return _stage(out)

    def time_sum(self) -> Stage:
        """Touch once with one pair of clock reads around the whole loop. Raises TouchFaultError."""
        out, stop = ffi.new("struct drmbench_stage *"), ffi.new("struct drmbench_stop *")
        _finish(lib.drmbench_touch_sum(self._native, out, stop), stop)
        return _stage(out)


def _finish(status: int, stop: Any) -> None:  # noqa: ANN401 (cffi's struct has no Python type)
    if stop.signal_number:
        raise TouchFaultError(stop.signal_number, stop.address, stop.touches_done)
    _check(status)
