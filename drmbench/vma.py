# SPDX-License-Identifier: MIT
"""What the kernel says of one mapping: its VmFlags in /proc/self/smaps (fs/proc/task_mmu.c)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_RANGE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) ")

PFNMAP = "pf"
IO = "io"


def vm_flags(address: int) -> list[str]:
    """The two-letter VmFlags of the VMA that contains `address`, [] where the kernel shows none.

    A VMA is found by address alone: etnaviv's cached buffers, for one, show another file's name.
    """
    inside = False
    with Path("/proc/self/smaps").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            bounds = _RANGE.match(line)
            if bounds is not None:
                inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
            elif inside and line.startswith("VmFlags:"):
                return line.split()[1:]
    return []


@dataclass(frozen=True, slots=True)
class Vma:
    """One line of /proc/self/maps: first <= address < last, "rw-s", file offset in bytes, path or ""."""

    first: int
    last: int
    permissions: str
    offset: int
    path: str

    @property
    def shared(self) -> bool:
        """Whether it was mapped MAP_SHARED, as every DRM mapping is that a driver does not let be private."""
        return self.permissions.endswith("s")


def vmas(first: int = 0, last: int = 1 << 64) -> list[Vma]:
    """The VMAs that overlap first <= address < last, in order; all of the process without arguments."""
    found = []
    with Path("/proc/self/maps").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            bounds, permissions, offset, _device, _inode, *path = line.rstrip("\n").split(maxsplit=5)
            start, end = (int(part, 16) for part in bounds.split("-"))
            if start < last and end > first:
                found.append(Vma(start, end, permissions, int(offset, 16), path[0] if path else ""))
    return found


def describe_skip(flags: list[str]) -> str | None:
    """Why mm_populate() passes such a VMA by, or None where nothing makes it (mm/gup.c)."""
    names = [name for flag, name in ((PFNMAP, "VM_PFNMAP"), (IO, "VM_IO")) if flag in flags]
    return "|".join(names) or None
