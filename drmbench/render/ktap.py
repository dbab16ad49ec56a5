# SPDX-License-Identifier: MIT
"""KTAP version 1, as Documentation/dev-tools/ktap.rst of the kernel has it: a test for a target, a subtest for a case.

A known breach is "ok ... # XFAIL", as kselftest prints it, a broken case "not ok ... # ERROR".
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from drmbench.errors import UnsupportedError, one_line
from drmbench.render.common import machine
from drmbench.render.outcomes import RUN, details, message, overall, problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.errors import DrmbenchError
    from drmbench.model import CaseVerdict, Environment, VerifyReport, VerifyResult
    from drmbench.render.lines import Plan

_VERSION = "KTAP version 1"
_DIRECTIVES: dict[CaseVerdict, str] = {"skip": "SKIP", "known": "XFAIL", "broken": "ERROR"}


class Ktap:
    """A LineFormat."""

    by_case = False

    def __init__(self) -> None:
        self._suites: list[tuple[str, int]] = []
        self._done = 0
        self._open = False
        self._verdicts: list[CaseVerdict] = []

    def planned(self, environment: Environment, plan: Plan, missing: Sequence[str]) -> Iterator[str]:
        """The plan is the number of targets."""
        self._suites = [(target, len(list(cases))) for target, cases in groupby(plan, key=lambda turn: turn[1])]
        yield _VERSION
        yield f"1..{len(self._suites) + len(missing)}"
        yield f"# drmbench verify {environment.drmbench}: {one_line(machine(environment))}"

    def started(self, case: str, target: str) -> Iterator[str]:  # noqa: ARG002 (LineFormat's signature)
        """The first case of a target opens its list."""
        if not self._open:
            self._open = True
            yield f"  {_VERSION}"
            yield f"  # Subtest: {_name(target)}"
            yield f"  1..{self._suites[self._done][1]}"

    def ended(self, result: VerifyResult) -> Iterator[str]:
        """Details come before the result line that they belong to; the last case closes its target."""
        self._verdicts.append(result.verdict)
        if result.verdict == "fail":
            yield f"  # {result.case}: {message(result)}"
        for line in details(result):
            yield f"  # {result.case}: {line}"
        said = "" if result.verdict == "fail" else message(result)
        yield f"  {_result(len(self._verdicts), result.case, result.verdict, said)}"
        if len(self._verdicts) == self._suites[self._done][1]:
            yield from self._close(overall(self._verdicts), "every case was skipped")

    def _close(self, verdict: CaseVerdict, why: str) -> Iterator[str]:
        name = self._suites[self._done][0]
        self._done += 1
        self._open = False
        self._verdicts = []
        yield _result(self._done, name, verdict, why if verdict in _DIRECTIVES else "")

    def finished(self, report: VerifyReport) -> Iterator[str]:
        """What went wrong beside the cases fails as a test of its own; caveats are diagnostic lines."""
        if self._open:
            yield from self._close("broken", "interrupted")
        for number, problem in enumerate(problems(report), self._done + 1):
            yield _result(number, RUN, "broken", problem)
        for caveat in report.caveats:
            yield one_line(f"# {caveat.id}: {caveat.message} -> {caveat.remedy}")

    def refused(self, error: DrmbenchError) -> Iterator[str]:
        """A plan of nothing that is skipped, as kselftest prints it, or one test that failed."""
        if self._open:
            yield from self._close("broken", str(error))
            return
        yield _VERSION
        if isinstance(error, UnsupportedError):
            yield f"1..0 # SKIP {error}"
        else:
            yield "1..1"
            yield _result(1, RUN, "broken", str(error))


def _name(text: str) -> str:
    return text.replace("#", "_")


def _result(number: int, name: str, verdict: CaseVerdict, said: str) -> str:
    ok = "not ok" if verdict in {"fail", "broken"} else "ok"
    directive = f" # {_DIRECTIVES[verdict]} {said}".rstrip() if verdict in _DIRECTIVES else ""
    return f"{ok} {number} {_name(name)}{directive}"
