# SPDX-License-Identifier: MIT
"""On which CPU each worker runs."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def _place_in_core(cpu: int) -> int:
    """0 for the first hardware thread of a core, 1 for its second; 0 where the kernel does not say."""
    try:
        text = Path(_SIBLINGS.format(cpu)).read_text(encoding="ascii")
    except (OSError, ValueError):
        return 0
    siblings: list[int] = []
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        siblings += range(int(first), int(last or first) + 1)
    return sum(sibling < cpu for sibling in siblings)


def cpus_to_use() -> list[int]:
    """The CPUs that this process may use: one hardware thread of each core first, then the others."""
    return sorted(os.sched_getaffinity(0), key=lambda cpu: (_place_in_core(cpu), cpu))


def worker_counts(most: int) -> tuple[int, ...]:
    """1, 2, 4... and `most` itself; each number up to four."""
    doubled = [1 << power for power in range(most.bit_length()) if 1 << power <= most]
    return tuple(sorted({*doubled, *range(1, min(most, 4) + 1), most}))
