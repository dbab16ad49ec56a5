# SPDX-License-Identifier: MIT
"""drmbench beside programs that others wrote: stress-ng, perf bench, hyperfine. One that is not here is named."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import Beside, compared, missing

from drmbench.buffer import PAGE_BYTES
from drmbench.scale.layouts import Ground
from drmbench.scale.sizes import SizeSeries
from drmbench.targets import find_targets

_ROUNDS = 5
_SHMEM = "/dev/shm"  # noqa: S108 (stress-ng is to use the memory that a memfd uses)
_SCALE = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_INSTALL = "not installed: scripts/setup bench"


def _lives(name: str, size_bytes: int, phase: str) -> SizeSeries:
    (target,), _unusable = find_targets([name], writing=True, floor=False)
    series = SizeSeries(Ground(target, name, "write", "warm" if phase == "warm" else "cold"), [size_bytes])
    series.prepare()
    return series


def _stress_ng_ns(folder: str) -> float:
    """What stress-ng calls nanosecs per page fault, of one second."""
    file = Path(folder, "stress-ng.yaml")
    subprocess.run(["stress-ng", "--fault", "1", "--timeout", "1s", "--temp-path", _SHMEM, "--metrics",
                    "--yaml", str(file)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    found = re.search(r"nanosecs-per-page-fault:\s*([0-9.]+)", file.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("it names no nanosecs-per-page-fault")
    return float(found[1])


def against_stress_ng() -> Beside:
    """One page a mapping."""
    what = "stress-ng --fault"
    if shutil.which("stress-ng") is None:
        return missing(what, _INSTALL)
    series = _lives("memfd", PAGE_BYTES, "warm")
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(_ROUNDS):
            try:
                theirs.append(_stress_ng_ns(folder))
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                return missing(what, f"it failed: {error}")
            series.sample()
    ours = [statistics.median(life["touch"].ns for life in run) for run in series.sizes[0].runs]
    return compared(
        what, ours, theirs, "ns/fault",
        "the first store to a fresh mapping of one page whose memory exists. drmbench: a memfd, mapped again, less the "
        "clock; stress-ng: its own figure for its files on /dev/shm, clock reads, page tables of fresh mappings and "
        "system calls that cool the caches in between. They need not agree; the same order of magnitude is expected.",
    )


def _perf_bench_ns() -> float | str:
    """Cost a page, or why there is none."""
    listed = subprocess.run(["perf", "bench", "mem"], check=False, capture_output=True, text=True, timeout=60)
    if not re.search(r"^\s*mmap:", listed.stdout + listed.stderr, re.MULTILINE):
        version = subprocess.run(["perf", "--version"], check=False, capture_output=True, text=True, timeout=60)
        return f"{version.stdout.strip() or 'this perf'} has no perf bench mem mmap; newer kernels' perf has"
    ran = subprocess.run(["perf", "bench", "--format", "simple", "mem", "mmap", "-f", "demand", "-s", "64MB"],
                         check=False, capture_output=True, text=True, timeout=120)
    found = re.search(r"([0-9.]+)\s*([KMGT]?)B/sec", ran.stdout) or re.search(r"^\s*([0-9.]+)()\s*$", ran.stdout,
                                                                             re.MULTILINE)
    if ran.returncode or found is None or float(found[1]) == 0:
        return f"perf bench mem mmap printed what is not understood: {ran.stdout.strip()[-60:]!r}"
    return 1e9 * PAGE_BYTES / (float(found[1]) * _SCALE[found[2]])


def against_perf() -> Beside:
    """mmap, touch and munmap of 64 MiB."""
    what = "perf bench mem mmap"
    if shutil.which("perf") is None:
        return missing(what, _INSTALL)
    series = _lives("anon", 64 << 20, "cold")
    theirs: list[float] = []
    for _ in range(_ROUNDS):
        taken = _perf_bench_ns()
        if isinstance(taken, str):
            return missing(what, taken)
        theirs.append(taken)
        series.sample()
    ours = [sum(run[0][stage].ns for stage in ("mmap", "touch", "munmap")) * PAGE_BYTES / (64 << 20)
            for run in series.sizes[0].runs]
    return compared(
        what, ours, theirs, "ns/page",
        "64 MiB mapped, touched and unmapped. drmbench: shared anonymous memory; perf: private anonymous memory, whose "
        "faults do not go through shmem and which huge pages may serve.",
    )


def against_hyperfine() -> Beside:
    """Start-up as hyperfine measures it."""
    what = "drmbench --help beside import click"
    if shutil.which("hyperfine") is None:
        return missing(what, _INSTALL)
    commands = [f"{os.path.dirname(sys.executable)}/drmbench --help", f"{sys.executable} -c 'import click'"]
    medians: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "hyperfine.json")
        for _ in range(3):
            subprocess.run(["hyperfine", "-N", "--warmup", "2", "--runs", "15", "--export-json", str(file), *commands],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
            for times, result in zip(medians, json.loads(file.read_bytes())["results"], strict=True):
                times.append(1e3 * result["median"])
    return compared(what, *medians, "ms", "hyperfine's median of 15 starts of the interpreter each, three times; "
                    "beside it the same interpreter that imports click and nothing else.", most=2)


def rows() -> list[Beside]:
    """All of them."""
    return [against_stress_ng(), against_perf(), against_hyperfine()]
