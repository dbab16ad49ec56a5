# SPDX-License-Identifier: MIT
"""What drmbench itself costs, as ratios within one run: touch loop, start-up, memory, virtual machine."""

import ctypes
import mmap
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from drmbench import native
from drmbench.calibration import calibrate
from drmbench.targets import find_targets
from drmbench.workloads.fault import FaultParameters, FaultSeries

SIZE = 64 << 20
ROUNDS = 15
PAGE = mmap.PAGESIZE
DRMBENCH = [sys.executable, "-m", "drmbench"]


def against_plain_loop(library: ctypes.CDLL) -> None:
    """Cost a page of memfd write-touch, ours (each touch timed) and a plain C loop's, taking turns."""
    plain = library.plain_touch_ns
    plain.restype, plain.argtypes = ctypes.c_int64, [ctypes.c_uint64, ctypes.c_uint64]
    (memfd,), _unusable = find_targets(["memfd"], writing=True, floor=False)
    series = FaultSeries(memfd, "memfd", FaultParameters(SIZE, "write", "sequential", ("cold",), 1))
    series.prepare()
    theirs = []
    for _ in range(ROUNDS):
        theirs.append(plain(SIZE, PAGE) * PAGE / SIZE)
        series.sample()
    ours = [run.stages["touch"].ns * PAGE / SIZE for run in series.phases["cold"].runs]
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"memfd write-touch: {statistics.median(ours):.0f} ns/page, plain C loop {statistics.median(theirs):.0f} "
          f"ns/page, ratio {ratio:.3f}")


def loop_overhead(library: ctypes.CDLL, clock: native.Clock) -> None:
    """What one timed touch costs, start to start, on pages that are present."""
    clock_pairs = library.clock_pairs_ns
    clock_pairs.restype, clock_pairs.argtypes = ctypes.c_int64, [ctypes.c_uint64]
    pages, touches = 4, 1 << 20  # few, so that neither L1 nor TLB misses are measured
    address, _stage = native.timed_mmap(0, pages * PAGE, 3, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1, 0)
    order = np.resize(np.arange(pages, dtype=np.uint32), touches)
    span = native.Span(address, pages * PAGE, PAGE, order, native.WRITE)
    faults = span.count_faults()
    faulted, hit = native.Histogram(), native.Histogram()
    each, pairs = [], []
    for _ in range(ROUNDS):
        pairs.append(clock_pairs(touches) / touches)
        start = time.perf_counter_ns()
        span.time_touches(faults, faulted, hit)
        each.append((time.perf_counter_ns() - start) / touches)
    native.timed_munmap(address, pages * PAGE)
    print(f"a timed touch of a present page: {min(each):.1f} ns from start to start; a pair of clock "
          f"reads takes {min(pairs):.1f} ns ({clock.overhead_ns:.1f} ns of it between them), "
          f"so {min(each) - min(pairs):.1f} ns more (best of {ROUNDS})")


def start_up() -> None:
    """`drmbench --help` against importing click."""
    commands = {"help": [*DRMBENCH, "--help"], "click": [sys.executable, "-c", "import click"]}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"drmbench --help: {1e3 * middle['help']:.0f} ms, import click {1e3 * middle['click']:.0f} ms, "
          f"ratio {middle['help'] / middle['click']:.2f}")


def peak_mib(device: str, size_bytes: int) -> float:
    """Peak resident memory of one measurement in a process of its own, less the mapping."""
    program = (
        "import resource, sys; from drmbench import cli; status = cli.run(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "fault-latency", "--device", device, "--no-baseline", "--runs", "1",
         "--size", str(size_bytes), "--format", "csv"],
        check=True, stdout=subprocess.PIPE, text=True,
    )
    return int(ended.stdout.split()[-1]) / 1024 - size_bytes / (1 << 20)


def memory() -> None:
    """The same for two sizes."""
    for device in ("memfd", "anon"):
        small, large = (peak_mib(device, size_bytes) for size_bytes in (64 << 20, 4 << 30))
        print(f"peak memory beside the {device} mapping: 64 MiB {small:.0f} MiB, 4 GiB {large:.0f} MiB, "
              f"{large - small:.0f} MiB more")


def machine() -> None:
    """Seconds from `drmbench vm run` to the guest's first output."""
    start = time.perf_counter()
    with subprocess.Popen([*DRMBENCH, "vm", "run", "--", "uname", "-r"], stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL) as process:
        line = process.stdout.readline().decode().strip() if process.stdout else ""
        first = time.perf_counter() - start
        process.wait()
    whole = time.perf_counter() - start
    print(f"virtual machine: {first:.1f} s to the first output ({line}), {whole:.1f} s to the end")


def main() -> None:
    """Print everything; --vm at the end adds the virtual machine."""
    clock = calibrate()
    library = ctypes.CDLL(os.path.abspath(sys.argv[1]))
    against_plain_loop(library)
    loop_overhead(library, clock)
    start_up()
    memory()
    if "--vm" in sys.argv[2:]:
        machine()


main()
