# SPDX-License-Identifier: MIT
"""drmbench beside independent programs, in one session and in turns; then its memory, and a virtual machine."""

import ctypes
import os
import subprocess
import sys
import time

import other_programs
import own_loops
from side_by_side import show

from drmbench.calibration import calibrate

DRMBENCH = [sys.executable, "-m", "drmbench"]


def peak_mib(device: str, size_bytes: int, *command: str) -> float:
    """Peak resident memory of one measurement in a process of its own, less the mapping."""
    # Not ru_maxrss, which a child inherits from this process, and that has had a mapping of 1 GiB.
    program = (
        "import re, sys; from drmbench import cli; status = cli.run(sys.argv[1:]); "
        r"print(re.search(r'VmHWM:\s+(\d+) kB', open('/proc/self/status').read())[1]); sys.exit(status)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *command, "--device", device, "--no-baseline", "--runs", "1",
         "--format", "csv"],
        check=True, stdout=subprocess.PIPE, text=True,
    )
    return int(ended.stdout.split()[-1]) / 1024 - size_bytes / (1 << 20)


def memory() -> None:
    """The same for two sizes, of the measurements that can be large."""
    commands = {
        "fault-latency": lambda size: ("fault-latency", "--size", size),
        "scale": lambda size: ("scale", "--threads", "2", "--size", size),
        "scale --size-sweep": lambda size: ("scale", "--size-sweep", f"{size}..{size}"),
    }
    for name, words in commands.items():
        small, large = (peak_mib("memfd", size, *words(str(size))) for size in (64 << 20, 1 << 30))
        print(f"peak memory of {name} beside the memfd mapping: 64 MiB {small:.0f} MiB, 1 GiB {large:.0f} MiB, "
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
    print(f"Linux {os.uname().release}, {len(os.sched_getaffinity(0))} CPUs, load {os.getloadavg()[0]:.1f}, clock "
          f"{clock.source} ({clock.overhead_ns:.0f} ns between its two reads)\n")
    library = ctypes.CDLL(os.path.abspath(sys.argv[1]))
    show([*own_loops.rows(library), *other_programs.rows()])
    print()
    memory()
    if "--vm" in sys.argv[2:]:
        machine()


main()
