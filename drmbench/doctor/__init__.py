# SPDX-License-Identifier: MIT
"""What of this machine changes which number: read, never set. `drmbench doctor` shows it all, a result its warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.doctor import cpu, kernel, memory, nodes
from drmbench.doctor.check import Machine, caveat_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import Caveat, Finding

CHECKS = (*cpu.CHECKS, *memory.CHECKS, *kernel.CHECKS, *nodes.CHECKS)
"""In the order in which they are shown; a new check is one more line of its file's CHECKS."""

_ORDER = ("warning", "note", "unknown", "ok")


def examine(machine: Machine) -> list[Finding]:
    """Every finding, what matters most first; at least one."""
    found = [finding for check in CHECKS for finding in check.findings(machine)]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def warnings(machine: Machine) -> Iterator[Caveat]:
    """The warnings that belong beside numbers which were measured on this machine."""
    for check in CHECKS:
        if check.in_results:
            yield from (caveat_of(f) for f in check.findings(machine) if f.severity == "warning")
