# SPDX-License-Identifier: MIT
"""What can be compared of lifecycle: faults and latency of each operation, of which only percentiles are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.comparison.subject import Counted, Sampled, Subject
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from drmbench.model import LifecycleReport


def subjects(report: LifecycleReport) -> list[Subject]:
    """One for each operation of each result; its times are single numbers, which prove nothing."""
    return [
        Subject(
            target=result.target,
            size_bytes=result.size_bytes,
            variant={"operation": part.operation, "size": format_bytes(result.size_bytes),
                     "live": f"{result.live_buffers} live"},
            counts=[Counted("faults", (part.faults // result.runs,))],
            times=[Sampled(name, (value,)) for name, value in
                   (("p50", part.latency_ns.p50), ("p99", part.latency_ns.p99)) if value is not None],
        )
        for result in report.results for part in result.operations
    ]
