# SPDX-License-Identifier: MIT
"""drmbench beside plain C loops in the same process: ns a page, and what a timed touch costs more than its clock."""

import ctypes
import mmap
import os
import statistics
import sys
import time

import numpy as np
from side_by_side import Beside, compared

from drmbench import native
from drmbench.targets import find_targets
from drmbench.workloads.fault import FaultParameters, FaultSeries

PAGE = mmap.PAGESIZE
_ROUNDS = {64 << 20: 15, 1 << 30: 4}
_CHUNK, _CHUNKS = 1 << 13, 3000  # short, so that some run undisturbed on a busy machine


def alone_on_its_cpu() -> str:
    """Pin this process, and keep the others of the machine away from its CPU where that is allowed; in words."""
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return f"on CPU {cpu}, among other processes"
    return f"on CPU {cpu}, before other processes (SCHED_FIFO)"


def among_others(cpus: set[int]) -> None:
    """Undo that."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, cpus)


def typed(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of what is called."""
    for name, arguments in (("plain_anon_ns", 2), ("plain_memfd_ns", 2), ("clock_pairs_ns", 1),
                            ("clock_pairs_and_stores_ns", 4)):
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_int64, [ctypes.c_uint64] * arguments
    return library


def against_plain_loop(library: ctypes.CDLL, name: str, size_bytes: int) -> Beside:
    """Cost a page of a cold write-touch, each touch timed, and a plain C loop's; they take turns at going first."""
    plain = getattr(library, f"plain_{name}_ns")
    (target,), _unusable = find_targets([name], writing=True, floor=False)
    series = FaultSeries(target, name, FaultParameters(size_bytes, "write", "sequential", ("cold",), 1))
    series.prepare()
    theirs: list[float] = []
    for turn in range(_ROUNDS[size_bytes]):
        if turn % 2:
            series.sample()
        theirs.append(plain(size_bytes, PAGE) * PAGE / size_bytes)
        if turn % 2 == 0:
            series.sample()
    ours = [run.stages["touch"].ns * PAGE / size_bytes for run in series.phases["cold"].runs]
    return compared(
        f"{name}, {size_bytes >> 20} MiB", ours, theirs, "ns/page",
        "first store to each page of fresh memory. drmbench: the sum of single touches, less a clock pair each; "
        "plain C: the whole loop between two clock reads. mmap() and munmap() are in neither.", within=0.05,
    )


def timed_touch(library: ctypes.CDLL) -> Beside:
    """A timed touch of a present page from start to start, beside a bare clock pair around a store."""
    pages = 4  # few, so that neither L1 nor TLB misses are measured
    address, _stage = native.timed_mmap(0, pages * PAGE, 3, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1, 0)
    order = np.resize(np.arange(pages, dtype=np.uint32), _CHUNK)
    span = native.Span(address, pages * PAGE, PAGE, order, native.WRITE)
    faults = span.count_faults()
    faulted, hit = native.Histogram(), native.Histogram()
    each, pairs, stores = [], [], []
    for _ in range(_CHUNKS):
        pairs.append(library.clock_pairs_ns(_CHUNK) / _CHUNK)
        stores.append(library.clock_pairs_and_stores_ns(_CHUNK, address, pages, PAGE) / _CHUNK)
        start = time.perf_counter_ns()
        span.time_touches(faults, faulted, hit)
        each.append((time.perf_counter_ns() - start) / _CHUNK)
    native.timed_munmap(address, pages * PAGE)
    more = min(each) - min(stores)
    return Beside(
        "a timed touch", f"{min(each):.1f} ns", f"{min(stores):.1f} ns", f"+{more:.1f} ns",
        f"{'met' if more <= 5 else 'MISSED'} (at most +5 ns)",
        f"start to start on present pages, the best of {_CHUNKS} chunks of {_CHUNK}. drmbench: order, store, clock "
        "pair, histogram, how far the pass is for a SIGBUS; plain C: the clock pair and the same store. A clock pair "
        f"around nothing takes {min(pairs):.1f} ns, so that a timed touch is {min(each) - min(pairs):.1f} ns over it, "
        f"{min(stores) - min(pairs):.1f} ns of them the store. Median: {statistics.median(each):.1f} ns.",
    )


def rows(library: ctypes.CDLL) -> list[Beside]:
    """All of them."""
    typed(library)
    cpus = os.sched_getaffinity(0)
    print(f"plain C loops and drmbench: {alone_on_its_cpu()}", file=sys.stderr)
    try:
        return _rows(library)
    finally:
        among_others(cpus)


def _rows(library: ctypes.CDLL) -> list[Beside]:
    loops = [against_plain_loop(library, name, size_bytes) for size_bytes in _ROUNDS for name in ("memfd", "anon")]
    return [*loops, timed_touch(library)]
