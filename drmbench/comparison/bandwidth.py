# SPDX-License-Identifier: MIT
"""What can be compared of bandwidth: the rate of each operation by each way of access, and the caching that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.comparison.subject import Counted, Sampled, Subject
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from drmbench.model import BandwidthReport


def subjects(report: BandwidthReport) -> list[Subject]:
    """One for each pass of each result."""
    return [
        Subject(
            target=result.target,
            size_bytes=result.size_bytes,
            variant={"operation": part.operation, "access": part.access, "size": format_bytes(result.size_bytes)},
            counts=[Counted("faults", (part.faults,))],
            times=[Sampled("bandwidth", tuple(part.bytes_per_s_runs), "B/s", more_is_better=True)],
            facts={"caching": result.caching.mode or "unknown", "VmFlags": " ".join(result.vm_flags) or "not shown"},
        )
        for result in report.results for part in result.passes if part.bytes_per_s_runs
    ]
