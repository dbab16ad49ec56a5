# SPDX-License-Identifier: MIT
"""drmbench beside independent programs, in one session and in turns; then its memory, and a virtual machine."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import other_programs
import own_loops
from peak_memory import peak_mib
from side_by_side import show

from drmbench.calibration import calibrate

DRMBENCH = [sys.executable, "-m", "drmbench"]


def memory() -> None:
    """The most memory beside the mapping, of one measurement in a process of its own, for two sizes."""
    commands = {
        "fault-latency": "fault-latency --size {0}MiB",
        "scale": "scale --threads 2 --size {0}MiB",
        "scale --size-sweep": "scale --size-sweep {0}MiB..{0}MiB",
    }
    for name, words in commands.items():
        small, large = (
            peak_mib(f"{words.format(mib)} --device memfd --no-baseline --runs 1 --format csv") - mib
            for mib in (64, 1024)
        )
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
