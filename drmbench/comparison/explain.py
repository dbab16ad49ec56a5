# SPDX-License-Identifier: MIT
"""What can be compared of explain: its touches, its populate strategies, and what it concluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.comparison import compare_populate, fault_latency

if TYPE_CHECKING:
    from drmbench.comparison.subject import Subject
    from drmbench.model import ExplainReport


def subjects(report: ExplainReport) -> list[Subject]:
    """One for each touch pass and each strategy of each result."""
    found: list[Subject] = []
    for result in report.results:
        found += [fault_latency.subject(touch) for touch in result.touches]
        found += compare_populate.of_strategies(result.populate)
    return found
