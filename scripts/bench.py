# SPDX-License-Identifier: MIT
"""What drmbench itself costs, as ratios within one run: touch loop, start-up, memory, virtual machine."""

import ctypes
import json
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


def against_plain_loop(library: str) -> None:
    """ns a page of memfd write-touch, ours (each touch timed) and a plain C loop's, taking turns."""
    plain = ctypes.CDLL(os.path.abspath(library)).plain_touch_ns
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


def loop_overhead(clock: native.Clock) -> None:
    """What one timed touch costs, start to start, on pages that are present."""
    pages, touches = 256, 1 << 20
    address, _stage = native.timed_mmap(0, pages * PAGE, 3, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1, 0)
    order = np.resize(np.arange(pages, dtype=np.uint32), touches)
    span = native.Span(address, pages * PAGE, PAGE, order, native.WRITE)
    faults = span.count_faults()
    faulted, hit = native.Histogram(), native.Histogram()
    each = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        span.time_touches(faults, faulted, hit)
        each.append((time.perf_counter_ns() - start) / touches)
    native.timed_munmap(address, pages * PAGE)
    print(f"a timed touch of a present page: {statistics.median(each):.1f} ns, clock pair {clock.overhead_ns:.1f} ns, "
          f"so {statistics.median(each) - clock.overhead_ns:.1f} ns more")


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


def memory() -> None:
    """Peak resident memory, mapping aside, for two sizes."""
    for device in ("memfd", "anon"):
        peaks = []
        for size_bytes in (64 << 20, 4 << 30):
            program = (
                "import resource, sys; from drmbench import cli; cli.run(sys.argv[1:]); "
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
            )
            ended = subprocess.run(
                [sys.executable, "-c", program, "fault-latency", "--device", device, "--no-baseline", "--runs", "1",
                 "--size", str(size_bytes), "--json", "-"],
                check=True, capture_output=True, text=True,
            )
            assert json.loads(ended.stdout)["results"][0]["size_bytes"] == size_bytes  # noqa: S101 (a chore's check)
            peaks.append(int(ended.stderr.split()[-1]) / 1024 - size_bytes / (1 << 20))
        print(f"peak memory beside the {device} mapping: 64 MiB {peaks[0]:.0f} MiB, 4 GiB {peaks[1]:.0f} MiB, "
              f"{peaks[1] - peaks[0]:.0f} MiB more")


def machine() -> None:
    """Seconds from `drmbench vm run` to the guest's first output."""
    start = time.perf_counter()
    with subprocess.Popen([*DRMBENCH, "vm", "run", "--", "uname", "-r"], stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL) as process:
        line = process.stdout.readline().decode().strip() if process.stdout else ""
        first = time.perf_counter() - start
        process.wait()
    print(f"virtual machine: {first:.1f} s to the first output ({line}), {time.perf_counter() - start:.1f} s to the end")


def main() -> None:
    """Print everything; --vm at the end adds the virtual machine."""
    clock = calibrate()
    against_plain_loop(sys.argv[1])
    loop_overhead(clock)
    start_up()
    memory()
    if "--vm" in sys.argv[2:]:
        machine()


main()
