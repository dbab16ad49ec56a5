# SPDX-License-Identifier: MIT
"""What the kernel says of one mapping in /proc/self/smaps (fs/proc/task_mmu.c), and what its flags mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.model import VmaInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+) *(.*)$")
_SMAPS = Path("/proc/self/smaps")
_PMD_FIELDS = ("AnonHugePages", "ShmemPmdMapped", "FilePmdMapped")

_MAPS_LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+ *(.*)$", re.MULTILINE)

PFNMAP = "pf"
IO = "io"

FLAG_WORDS: dict[str, tuple[str, str]] = {
    "rd": ("VM_READ", "may be read"),
    "wr": ("VM_WRITE", "may be written"),
    "ex": ("VM_EXEC", "may be executed"),
    "sh": ("VM_SHARED", "stores are seen by every other mapping"),
    "mr": ("VM_MAYREAD", "mprotect() may add reading"),
    "mw": ("VM_MAYWRITE", "mprotect() may add writing"),
    "me": ("VM_MAYEXEC", "mprotect() may add executing; gone on a noexec mount"),
    "ms": ("VM_MAYSHARE", "a shared mapping"),
    "gd": ("VM_GROWSDOWN", "a stack"),
    "pf": ("VM_PFNMAP", "bare page frames: populate, mlock and GUP pass it by"),
    "dw": ("VM_DENYWRITE", "the file may not be written meanwhile"),
    "lo": ("VM_LOCKED", "locked in memory"),
    "io": ("VM_IO", "treated as device memory: populate, mlock and GUP pass it by"),
    "sr": ("VM_SEQ_READ", "madvise(MADV_SEQUENTIAL)"),
    "rr": ("VM_RAND_READ", "madvise(MADV_RANDOM)"),
    "dc": ("VM_DONTCOPY", "a child gets none of it"),
    "de": ("VM_DONTEXPAND", "mremap() may not make it longer"),
    "ac": ("VM_ACCOUNT", "counts as committed memory"),
    "nr": ("VM_NORESERVE", "no swap is set aside"),
    "ht": ("VM_HUGETLB", "huge pages of hugetlbfs"),
    "sf": ("VM_SYNC", "page faults are synchronous (DAX)"),
    "ar": ("VM_ARCH_1", "the processor's own flag; on x86 the range has a PAT entry (VM_PAT)"),
    "wf": ("VM_WIPEONFORK", "a child finds it zeroed"),
    "dd": ("VM_DONTDUMP", "left out of core dumps"),
    "sd": ("VM_SOFTDIRTY", "soft-dirty tracking counts it as written"),
    "mm": ("VM_MIXEDMAP", "may hold both struct pages and bare page frames"),
    "hg": ("VM_HUGEPAGE", "madvise(MADV_HUGEPAGE)"),
    "nh": ("VM_NOHUGEPAGE", "madvise(MADV_NOHUGEPAGE)"),
    "mg": ("VM_MERGEABLE", "madvise(MADV_MERGEABLE)"),
    "um": ("VM_UFFD_MISSING", "userfaultfd sees missing pages"),
    "uw": ("VM_UFFD_WP", "userfaultfd sees stores"),
    "sl": ("VM_SEALED", "sealed by mseal()"),
    "dp": ("VM_DROPPABLE", "may be dropped under memory pressure"),
}
"""VmFlags code -> (the kernel's name, what it means here); include/linux/mm.h and show_smap_vma_flags()."""


def _smaps_of(address: int) -> tuple[re.Match[str] | None, dict[str, str]]:
    """The header of the VMA that contains `address` and its fields; (None, {}) where there is none."""
    with _SMAPS.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            header = _HEADER.match(line)
            if header is not None and int(header[1], 16) <= address < int(header[2], 16):
                return header, dict(_fields(lines))
    return None, {}


def _fields(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if _HEADER.match(line):
            return
        name, _, value = line.partition(":")
        yield name, value.strip()


def vm_flags(address: int) -> list[str]:
    """The two-letter VmFlags of the VMA that contains `address`, [] where the kernel shows none.

    A VMA is found by address alone: etnaviv's cached buffers, for one, show another file's name.
    """
    return _smaps_of(address)[1].get("VmFlags", "").split()


def vma_info(address: int) -> VmaInfo | None:
    """The VMA that contains `address`, None where there is none; sizes in bytes."""
    header, fields = _smaps_of(address)
    if header is None:
        return None

    def size(name: str) -> int:
        number, _, unit = fields.get(name, "0 kB").partition(" ")
        return int(number) * 1024 if unit == "kB" and number.isdecimal() else 0

    return VmaInfo(
        start=int(header[1], 16), end=int(header[2], 16), permissions=header[3], offset_bytes=int(header[4], 16),
        device=header[5], inode=int(header[6]), backing=one_line(header[7]), vm_flags=fields.get("VmFlags", "").split(),
        rss_bytes=size("Rss"), pmd_mapped_bytes=sum(map(size, _PMD_FIELDS)), kernel_page_bytes=size("KernelPageSize"),
    )


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
    text = Path("/proc/self/maps").read_bytes().decode("utf-8", "replace")
    found = []
    for line in _MAPS_LINE.finditer(text):
        start, end = int(line[1], 16), int(line[2], 16)
        if start >= last:
            break
        if end > first:
            found.append(Vma(start, end, line[3], int(line[4], 16), line[5]))
    return found


def vma_count() -> int:
    """How many VMAs this process has."""
    return Path("/proc/self/maps").read_bytes().count(b"\n")


def describe_skip(flags: list[str]) -> str | None:
    """Why mm_populate() passes such a VMA by, or None where nothing makes it (mm/gup.c)."""
    names = [name for flag, name in ((PFNMAP, "VM_PFNMAP"), (IO, "VM_IO")) if flag in flags]
    return "|".join(names) or None
