# SPDX-License-Identifier: MIT
"""What a check looks at, and how what it saw becomes a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.kernel_files import Unreadable
from drmbench.model import Caveat, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from drmbench.device import DrmDevice
    from drmbench.doctor.activity import Activity
    from drmbench.kernel_files import KernelFiles
    from drmbench.model import Environment
    from drmbench.model.doctor import Severity
    from drmbench.native import Clock


@dataclass(frozen=True, slots=True)
class Machine:
    """What checks may look at.

    cpu           the CPU that is measured on, None where the thread is not pinned
    before, after  what others did at two moments, None where nobody waited in between
    """

    files: KernelFiles
    environment: Environment
    clock: Clock
    cpu: int | None = None
    devices: Sequence[DrmDevice] = ()
    before: Activity | None = None
    after: Activity | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check saw; `target` names the device where it is about one."""

    severity: Severity
    found: str
    remedy: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of finding. `look` may raise Unreadable, which makes the finding unknown.

    `in_results`: as a warning it also is a caveat of what is measured here.
    """

    id: str
    affects: tuple[str, ...]
    effect: str
    look: Callable[[Machine], Seen | Iterable[Seen]]
    in_results: bool = False

    def findings(self, machine: Machine) -> Iterator[Finding]:
        """What this check has to say here; nothing where it does not apply."""
        try:
            seen = self.look(machine)
            each = [seen] if isinstance(seen, Seen) else list(seen)
        except Unreadable as reason:
            each = [Seen("unknown", str(reason))]
        for one in each:
            yield Finding(self.id, one.severity, one_line(one.found), list(self.affects), self.effect,
                          one_line(one.remedy), one_line(one.target))


def caveat_of(finding: Finding) -> Caveat:
    """The same as a caveat of a report."""
    target = f"{finding.target}: " if finding.target else ""
    return Caveat(finding.id, f"{target}{finding.found}: {finding.effect}", finding.remedy)
