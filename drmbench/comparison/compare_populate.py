# SPDX-License-Identifier: MIT
"""What can be compared of compare-populate: for each strategy its faults, its times and its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.comparison.subject import Counted, Sampled, Subject
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from drmbench.model import ComparePopulateReport, ComparePopulateResult

_STAGES = ("mmap", "populate", "touch")


def subjects(report: ComparePopulateReport) -> list[Subject]:
    """One for each strategy of each result."""
    return [found for result in report.results for found in of_strategies(result)]


def of_strategies(result: ComparePopulateResult) -> list[Subject]:
    """The comparable side of each strategy, of explain's populate too."""
    found = []
    for name, strategy in result.strategies.items():
        totals = tuple(strategy.total_ns_runs) or (strategy.total_ns,)
        found.append(Subject(
            target=result.target,
            size_bytes=result.size_bytes,
            variant={"strategy": name, "access": result.access, "order": result.order,
                     "size": format_bytes(result.size_bytes)},
            counts=[Counted("faults" if stage == "touch" else f"faults.{stage}", (getattr(strategy.faults, stage),))
                    for stage in reversed(_STAGES)],
            times=[Sampled("total", totals),
                   *(Sampled(stage, tuple(strategy.stages_ns_runs.get(stage, ())) or
                             (getattr(strategy, f"{stage}_ns"),)) for stage in _STAGES)],
            facts={"verdict": strategy.verdict, "errno": strategy.errno or "none"},
        ))
    return found
