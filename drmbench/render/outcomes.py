# SPDX-License-Identifier: MIT
"""A VerifyResult in the words that KTAP, JUnit, LAVA and IGT share: one message, some lines of detail, plain names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drmbench.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drmbench.model import CaseVerdict, VerifyReport, VerifyResult

RUN = "verify"
"""The name under which these formats report what belongs to no case."""


def message(result: VerifyResult) -> str:
    """Why it did not pass, in one line; "" where it did."""
    if result.verdict in {"skip", "broken"}:
        return one_line(result.reason)
    if result.known is not None:
        known = result.known
        return one_line(f"{known.what}: {known.actual}: {known.why} ({known.source})")
    if result.verdict == "fail":
        return one_line(f"{result.what}: expected {result.expected or '-'}, got {result.actual or '-'}")
    return ""


def details(result: VerifyResult) -> list[str]:
    """The rule and what the kernel logged, a line each; what the kernel chose where the rule lets it."""
    if result.verdict in {"pass", "skip"}:
        return [one_line(f"the kernel's choice: {result.observed}")] if result.observed else []
    return [
        one_line(f"rule: {result.rule} ({result.source})"),
        *(one_line(f"kernel: {line}") for line in result.kernel_log),
    ]


def was_interrupted(report: VerifyReport) -> bool:
    """Whether Ctrl-C or SIGTERM cut the run short."""
    return any(caveat.id == "interrupted" for caveat in report.caveats)


def problems(report: VerifyReport) -> list[str]:
    """What went wrong beside the cases: targets that could not be used, and an interruption."""
    cut = [one_line(caveat.message) for caveat in report.caveats if caveat.id == "interrupted"]
    return [*(one_line(text) for text in report.missing), *cut]


def overall(verdicts: Iterable[CaseVerdict]) -> CaseVerdict:
    """The verdict of several cases together: fail where one failed or broke, skip where all were skipped."""
    seen = set(verdicts)
    if seen & {"fail", "broken"}:
        return "fail"
    return "skip" if seen <= {"skip"} else "pass"


def slug(text: str) -> str:
    """Letters, digits and dashes only, as subtest names of IGT and test sets of LAVA are: "vkms-card0-gem-vram"."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "unnamed"
