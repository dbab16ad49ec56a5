# SPDX-License-Identifier: MIT
"""What a case must give back: descriptors, mappings, GEM handles, and the machine's memory."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from drmbench.units import format_bytes
from drmbench.vma import Vma, vmas

_SETTLE_S = 1.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this process holds: descriptors with what they lead to, and its shared or device mappings."""

    descriptors: dict[int, str]
    mappings: frozenset[Vma]


def holdings() -> Holdings:
    """As it is now."""
    descriptors = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that listed the folder is gone
            descriptors[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return Holdings(descriptors, frozenset(vma for vma in vmas() if vma.shared or _of_a_device(vma)))


def _of_a_device(vma: Vma) -> bool:
    return vma.path.startswith(("/dev/", "/drm", "/dmabuf", "anon_inode:"))


def differences(before: Holdings, after: Holdings) -> list[str]:
    """What is there now and was not before, in words."""
    opened = {fd: path for fd, path in after.descriptors.items() if before.descriptors.get(fd) != path}
    closed = sorted(set(before.descriptors) - set(after.descriptors))
    mapped = sorted(after.mappings - before.mappings, key=lambda vma: vma.first)
    return [
        *(f"descriptor {fd} -> {path}" for fd, path in sorted(opened.items())),
        *(f"descriptor {fd} of the harness was closed" for fd in closed),
        *(f"{format_bytes(vma.last - vma.first)} mapped {vma.permissions} from {vma.path or 'nothing'}"
          for vma in mapped),
    ]


def machine_memory() -> dict[str, int]:
    """Bytes that buffers of dead processes could still hold: shared memory, and the CMA area where there is one."""
    text = Path("/proc/meminfo").read_text(encoding="utf-8", errors="replace")
    found = {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    used = {"shared memory": found.get("Shmem", 0)}
    if found.get("CmaTotal"):
        used["CMA memory"] = found["CmaTotal"] - found.get("CmaFree", 0)
    return used


def grown(before: dict[str, int], least_bytes: int) -> str:
    """What grew by at least so much and stays so, in words, "" where nothing did.

    Drivers free late (TTM's delayed destroy, RCU), so it is given a second.
    """
    deadline = time.monotonic() + _SETTLE_S
    while True:
        more = {name: used - before[name] for name, used in machine_memory().items() if name in before}
        kept = [f"{format_bytes(n)} of {name}" for name, n in more.items() if n >= least_bytes]
        if not kept or time.monotonic() >= deadline:
            return ", ".join(kept)
        time.sleep(_LOOK_EVERY_S)
