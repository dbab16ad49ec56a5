# SPDX-License-Identifier: MIT
"""What others do on this machine: the time of each CPU, and who has a DRM node open.

/proc/stat is fs/proc/stat.c; drm-* lines of fdinfo are Documentation/gpu/drm-usage-stats.rst.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.kernel_files import Unreadable

if TYPE_CHECKING:
    from drmbench.kernel_files import KernelFiles

_NODES = "/dev/dri/"
_CPU_LINE = re.compile(r"^cpu(\d{1,6})((?: \d{1,20}){4,})", re.MULTILINE)
_IDLE = (3, 4)  # idle, iowait
_OWN_TIME = 8   # guest times after these are in user already


@dataclass(frozen=True, slots=True)
class OpenNode:
    """An open file of another process on a DRM node.

    `client` is its drm-client-id, "" where the driver shows none; `engine_ns` what its jobs took on all engines.
    """

    pid: int
    name: str
    node: str
    client: str = ""
    engine_ns: int = 0


@dataclass(frozen=True, slots=True)
class Activity:
    """One look: busy and all clock ticks of each CPU, the open nodes, and how many processes may not be looked at."""

    ticks: dict[int, tuple[int, int]] = field(default_factory=dict)
    users: list[OpenNode] = field(default_factory=list)
    hidden: int = 0

    def busy_since(self, earlier: Activity) -> dict[int, float]:
        """The share of its time that each CPU was busy; those whose time went on."""
        shares = {}
        for cpu, (busy, total) in self.ticks.items():
            busy_before, total_before = earlier.ticks.get(cpu, (busy, total))
            if total > total_before:
                shares[cpu] = min(1.0, max(0.0, (busy - busy_before) / (total - total_before)))
        return shares

    def engine_ns_since(self, earlier: Activity, user: OpenNode) -> int:
        """How much engine time this client has taken more than it had at the earlier look."""
        before = [other.engine_ns for other in earlier.users
                  if (other.pid, other.node, other.client) == (user.pid, user.node, user.client)]
        return user.engine_ns - before[0] if before else 0


def look(files: KernelFiles) -> Activity:
    """One look at everybody but this process."""
    users, hidden = _users(files)
    return Activity(_ticks(files), users, hidden)


def _ticks(files: KernelFiles) -> dict[int, tuple[int, int]]:
    try:
        text = files.text("/proc/stat")
    except Unreadable:
        return {}
    found = {}
    for cpu, numbers in _CPU_LINE.findall(text):
        ticks = [int(number) for number in numbers.split()][:_OWN_TIME]
        total = sum(ticks)
        found[int(cpu)] = (total - sum(ticks[at] for at in _IDLE if at < len(ticks)), total)
    return found


def _users(files: KernelFiles) -> tuple[list[OpenNode], int]:
    users: dict[tuple[int, str, str], OpenNode] = {}
    hidden = 0
    try:
        pids = [int(name) for name in files.names("/proc") if name.isdecimal()]
    except Unreadable:
        return [], 0
    for pid in sorted(pids):
        if pid == os.getpid():
            continue
        try:
            descriptors = files.names(f"/proc/{pid}/fd")
        except Unreadable as reason:
            hidden += "EACCES" in str(reason) or "EPERM" in str(reason)
            continue
        for fd in descriptors:
            user = _user(files, pid, fd)
            if user is not None:
                users.setdefault((pid, user.node, user.client), user)
    return list(users.values()), hidden


def _user(files: KernelFiles, pid: int, fd: str) -> OpenNode | None:
    try:
        node = files.link(f"/proc/{pid}/fd/{fd}")
        if not node.startswith(_NODES):
            return None
        name = files.line(f"/proc/{pid}/comm")
    except Unreadable:
        return None
    try:
        info = files.text(f"/proc/{pid}/fdinfo/{fd}")
    except Unreadable:
        info = ""
    client = re.search(r"^drm-client-id:\s*(\d{1,20})\s*$", info, re.MULTILINE)
    engines = re.findall(r"^drm-engine-(?!capacity-)[^:\n]+:\s*(\d{1,20}) ns\s*$", info, re.MULTILINE)
    return OpenNode(pid, name, one_line(node), client[1] if client else "", sum(int(ns) for ns in engines))
