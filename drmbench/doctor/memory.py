# SPDX-License-Identifier: MIT
"""Checks of memory: huge pages, where mappings go, how much there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drmbench.doctor.check import Check, Seen
from drmbench.kernel_files import Unreadable
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from drmbench.doctor.check import Machine

SHMEM_THP = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
THP_REMEDY = f"echo never | sudo tee {SHMEM_THP}"
THP_ON = frozenset({"always", "within_size", "force"})
_DEFAULT_BYTES = 64 << 20
_IPC_LOCK = 1 << 14


def _thp(machine: Machine) -> Seen:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    chosen = machine.files.choice(path)
    if chosen == "always":
        return Seen("note", "huge pages for private memory: always", f"echo madvise | sudo tee {path}")
    return Seen("ok", f"huge pages for private memory: {chosen}")


def shmem_thp(chosen: str) -> Seen:
    """What the setting of huge pages for shared memory means for the baselines."""
    if chosen in THP_ON:
        return Seen("warning", f"shmem huge pages are set to {chosen}", THP_REMEDY)
    if chosen == "unavailable":
        return Seen("unknown", f"{SHMEM_THP} cannot be read")
    return Seen("ok", f"shmem huge pages are set to {chosen}")


def _aslr(machine: Machine) -> Seen:
    if machine.files.number("/proc/sys/kernel/randomize_va_space"):
        return Seen("note", "address space layout is random", "setarch -R drmbench ...")
    return Seen("ok", "address space layout is not random")


def _meminfo(machine: Machine) -> dict[str, int]:
    text = machine.files.text("/proc/meminfo")
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d{1,15}) kB$", text, re.MULTILINE)}


def _of_meminfo(machine: Machine, *names: str) -> list[int]:
    found = _meminfo(machine)
    for name in names:
        if name not in found:
            raise Unreadable("/proc/meminfo", f"it has no {name}")
    return [found[name] for name in names]


def _available(machine: Machine) -> Seen:
    available, total = _of_meminfo(machine, "MemAvailable", "MemTotal")
    found = f"{available >> 20} MiB of {total >> 20} MiB are available"
    if available < max(2 * _DEFAULT_BYTES, total // 20):
        return Seen("warning", found, f"close other programs, or --size less than {format_bytes(_DEFAULT_BYTES)}")
    return Seen("ok", found)


def _swap(machine: Machine) -> Seen:
    total, free = _of_meminfo(machine, "SwapTotal", "SwapFree")
    if total == 0:
        return Seen("ok", "there is no swap")
    used = (total - free) >> 20
    return Seen("note", f"swap: {used} MiB of {total >> 20} MiB used", "sudo swapoff -a")


def _memlock(machine: Machine) -> Seen:
    limits, status = "/proc/self/limits", "/proc/self/status"
    match = re.search(r"^Max locked memory\s+(\d{1,20}|unlimited)\s", machine.files.text(limits), re.MULTILINE)
    if match is None:
        raise Unreadable(limits, "it has no line for locked memory")
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]{1,16})$", machine.files.text(status), re.MULTILINE)
    if match[1] == "unlimited" or (capabilities is not None and int(capabilities[1], 16) & _IPC_LOCK):
        return Seen("ok", "memory may be locked without a limit")
    limit = int(match[1])
    found = f"{format_bytes(limit)} of memory may be locked"
    if limit >= _DEFAULT_BYTES:
        return Seen("ok", found)
    return Seen("note", found, "ulimit -l unlimited, or a larger memlock in /etc/security/limits.conf")


CHECKS = (
    Check("thp", ("faults of private mappings",), "2 MiB at a fault; drmbench's own buffers and baselines are shared "
          "and follow thp-on-baseline", _thp),
    Check("thp-on-baseline", ("faults and fault_ns of memfd and anon", "vs floor"), "the floor faults less than any "
          "GEM buffer could", lambda machine: shmem_thp(machine.environment.thp_shmem)),
    Check("aslr", ("prefault_window_pages", "fault_ns.max"), "a mapping's place, and with it which pages share a "
          "window or page table, differs from one start of drmbench to the next", _aslr),
    Check("memory-available", ("stages_ns", "fault_ns.p99"), "allocations reclaim memory first", _available,
          in_results=True),
    Check("swap", ("faults.touch", "fault_ns.max"), "under pressure pages of a buffer are swapped out and fault again",
          _swap),
    Check("memlock", ("the mlock strategy of compare-populate",), "larger buffers are refused with ENOMEM or EAGAIN",
          _memlock),
)
