# SPDX-License-Identifier: MIT
"""How many buffers can be alive and mapped at once: descriptors, VMAs and memory, asked for before any is made."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.environment import memory_available_bytes
from drmbench.units import format_bytes
from drmbench.vma import vma_count

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_MAP_COUNT = Path("/proc/sys/vm/max_map_count")
_SPARE_DESCRIPTORS = 32
_SPARE_VMAS = 256
_DEFAULT_PERCENT, _MOST_PERCENT = 25, 90  # of the available memory: what a default takes, what may be asked for


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` buffers, or `errno` (a positive number) follows; what sets it, and what would raise it."""

    most: int
    errno: int
    reason: str
    remedy: str


def tightest_limit(size_bytes: int, *, descriptors: int, fixed: bool) -> Limit:
    """The limit that comes first for buffers of this size that take so many descriptors each and one VMA.

    `fixed` counts, which were asked for, may take most of the memory, a default a part of it.
    """
    percent = _MOST_PERCENT if fixed else _DEFAULT_PERCENT
    return min(_limits(size_bytes, descriptors, percent), key=lambda limit: limit.most)


def _limits(size_bytes: int, descriptors: int, percent: int) -> Iterator[Limit]:
    if descriptors:
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = _open_descriptors()
        if hard != resource.RLIM_INFINITY:
            yield Limit((hard - used - _SPARE_DESCRIPTORS) // descriptors, errno.EMFILE,
                        f"RLIMIT_NOFILE is {hard} at most, and each takes {descriptors} of them", "raise ulimit -Hn")
    with contextlib.suppress(OSError, ValueError):
        most = int(_MAX_MAP_COUNT.read_text(encoding="ascii"))
        yield Limit(most - vma_count() - _SPARE_VMAS, errno.ENOMEM, f"vm.max_map_count is {most}",
                    "sudo sysctl vm.max_map_count=1000000")
    available = memory_available_bytes()
    most = (1 << 62) if available is None else available * percent // 100 // size_bytes
    yield Limit(most, errno.ENOMEM, f"{format_bytes(size_bytes)} each in {percent} % of the available memory of "
                f"{(available or 0) >> 20} MiB", "fewer, or smaller --sizes")


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def room_for_descriptors(count: int) -> Iterator[None]:
    """Raise the soft RLIMIT_NOFILE for `count` more descriptors, as far as the hard one goes, for the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _open_descriptors() + count + _SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
