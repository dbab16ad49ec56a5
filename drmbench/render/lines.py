# SPDX-License-Identifier: MIT
"""Formats of verify that are printed line by line, while the cases end or from a saved report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from drmbench.render.verify import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.errors import DrmbenchError
    from drmbench.model import Environment, TargetInfo, VerifyReport, VerifyResult

Plan = list[tuple[str, str]]
"""What will be run, in order: (case, label of the target)."""


class LineFormat(Protocol):
    """Lines without their newline, for each step of a run. `by_case`: the targets of one case follow each other."""

    by_case: bool

    def planned(self, environment: Environment, plan: Plan, missing: Sequence[str]) -> Iterator[str]:
        """Before the first case; `missing` says why targets that the user named are not in the plan."""

    def started(self, case: str, target: str) -> Iterator[str]:
        """Before a case."""

    def ended(self, result: VerifyResult) -> Iterator[str]:
        """After it."""

    def finished(self, report: VerifyReport) -> Iterator[str]:
        """After the last case that was run, be it the last of the plan or not."""

    def refused(self, error: DrmbenchError) -> Iterator[str]:
        """Where nothing could be run: instead of all that, or after started() where the first case was cut short."""


def labelled(plan: Sequence[tuple[str, TargetInfo]]) -> Plan:
    """The plan with labels for the targets."""
    return [(case, label(target)) for case, target in plan]


def by_target(results: Sequence[VerifyResult]) -> list[tuple[str, list[VerifyResult]]]:
    """(label, results) for each target, in the order in which they first appear."""
    found: dict[str, list[VerifyResult]] = {}
    for result in results:
        found.setdefault(label(result.target), []).append(result)
    return list(found.items())


def _by_case(results: Sequence[VerifyResult]) -> list[VerifyResult]:
    names = list(dict.fromkeys(result.case for result in results))
    return sorted(results, key=lambda result: names.index(result.case))


def replay(lines: LineFormat, report: VerifyReport) -> str:
    """The text that the run of this report would have printed."""
    targets = [result for _target, results in by_target(report.results) for result in results]
    ordered = _by_case(report.results) if lines.by_case else targets
    plan = [(result.case, label(result.target)) for result in ordered]
    text = [*lines.planned(report.environment, plan, report.missing)]
    for result in ordered:
        text += [*lines.started(result.case, label(result.target)), *lines.ended(result)]
    text += lines.finished(report)
    return "".join(f"{line}\n" for line in text)
