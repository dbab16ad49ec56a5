# SPDX-License-Identifier: MIT
"""Before anything is timed: the thread on its CPU, the clock calibrated, our own pages faulted in."""

from __future__ import annotations

import errno
import mmap
import os

import numpy as np

from drmbench import native
from drmbench.errors import UsageError

_WARM_UP_PAGES = 16


def pin(cpu: int | None) -> None:
    """Keep this thread on one CPU; None leaves it alone. Raises UsageError for a CPU it may not use."""
    if cpu is None:
        return
    usable = ", ".join(str(number) for number in sorted(os.sched_getaffinity(0)))
    try:
        os.sched_setaffinity(0, {cpu})
    except (OSError, OverflowError, ValueError):
        raise UsageError("--cpu", str(cpu), errno=errno.EINVAL, reason="no such CPU for this process",
                         remedy=f"usable here: {usable}") from None


def calibrate() -> native.Clock:
    """Calibrate the clock (DRMBENCH_CLOCK chooses another) and run every native path once.

    Raises UsageError where DRMBENCH_CLOCK names a clock that this CPU does not have.
    """
    wanted = os.environ.get("DRMBENCH_CLOCK") or "best"
    try:
        clock = native.calibrate_clock(wanted)
    except (OSError, ValueError):
        raise UsageError("DRMBENCH_CLOCK", wanted, errno=errno.EINVAL, reason="this CPU has no such clock",
                         remedy="use tsc, cntvct_el0 or clock_gettime, or unset it") from None
    _run_everything_once()
    return clock


def _run_everything_once() -> None:
    """Fault in the code and data of the native paths, so that no count contains our own first calls."""
    size_bytes = _WARM_UP_PAGES * mmap.PAGESIZE
    order = np.arange(_WARM_UP_PAGES, dtype=np.uint32)
    faulted, hit = native.Histogram(), native.Histogram()
    for access in (native.READ, native.WRITE, native.WRITE_NOTHING):
        address, _stage = native.timed_mmap(
            0, size_bytes, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1, 0,
        )
        span = native.Span(address, size_bytes, mmap.PAGESIZE, order, access)
        span.time_touches(span.count_faults(), faulted, hit)
        span.time_sum()
        native.timed_munmap(address, size_bytes)
