# SPDX-License-Identifier: MIT
"""`drmbench compare --live --kernel K --kernel L`: the same first touches on each kernel, in a virtual machine each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from drmbench.comparison.compare import Side
from drmbench.errors import DrmbenchError, UsageError
from drmbench.store import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.compared_live import Contest
    from drmbench.measurement import Options


def kernel_sides(kernels: Sequence[str], contest: Contest, options: Options) -> list[Side]:
    """Boot each kernel once with the lab devices of the contest, and measure all that it has, one after the other.

    Raises UsageError, DrmbenchError where a machine was lost or measured nothing.
    """
    names = list(dict.fromkeys(kernels))
    if len(names) < 2:
        raise UsageError("compare", "--kernel", reason="one kernel has none to be compared with",
                         remedy="--kernel debian-6.1 --kernel debian-newest")
    if contest.strategies:
        raise UsageError("compare", "--strategy", reason="kernels are compared by their first touches",
                         remedy="compare reports of vm run -- drmbench compare-populate")
    with tempfile.TemporaryDirectory(prefix="drmbench-") as folder:
        return [_side(kernel, f"{number}.json", folder, contest, options) for number, kernel in enumerate(names)]


def _side(kernel: str, name: str, folder: str, contest: Contest, options: Options) -> Side:
    place = os.path.abspath(kernel) if os.path.exists(kernel) else kernel
    devices = [word for device in contest.devices for word in ("--device", device)]
    words = ["drmbench", "fault-latency", *_measuring(contest, options), "--no-baseline", "--json", name]
    command = [sys.executable, "-m", "drmbench", "vm", "run", "--kernel", place, *devices, "--share", ".", "--", *words]
    # What the guest prints is in its report; what goes wrong, and progress, is on stderr.
    ended = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if ended.returncode != 0:
        raise DrmbenchError(kernel, "vm run", reason=f"it ended with status {ended.returncode}",
                            remedy="the lines above say why")
    return Side.of(kernel, load(os.path.join(folder, name)))


def _measuring(contest: Contest, options: Options) -> Iterator[str]:
    """The options of fault-latency in the guest; it measures every node that it has."""
    repeats = options.repeats
    accesses = contest.accesses or ("write",)
    yield from ("--access", accesses[0] if len(accesses) == 1 else "all")
    for option, value in (
        ("--buffer", ",".join(contest.buffers) or None), ("--size", options.size_bytes), ("--order", options.order),
        ("--seed", options.seed), ("--cpu", options.cpu), ("--runs", repeats.runs if repeats else None),
        ("--precision", repeats.precision_percent if repeats else None),
        ("--time-budget", repeats.time_budget_s if repeats else None),
        ("--warm-up", repeats.warm_up if repeats else None),
    ):
        if value is not None:
            yield from (option, str(value))
