# SPDX-License-Identifier: MIT
"""LAVA's test-case signals on stdout, and the file with four columns that LAVA's test definitions send from.

Signals are read by lava_dispatcher/actions/test/shell.py, the file by automated/utils/send-to-lava.sh of
Linaro's test-definitions, which passes on pass, fail and skip and drops any other word. So a known breach is "skip" and
a broken case "fail", both with a line of text that says so.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from drmbench.errors import UnsupportedError
from drmbench.render.lava_measures import text_line as _text
from drmbench.render.lines import by_target
from drmbench.render.outcomes import RUN, details, message, problems, slug
from drmbench.render.verify import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.errors import DrmbenchError
    from drmbench.model import CaseVerdict, Environment, VerifyReport, VerifyResult
    from drmbench.render.lines import Plan

_RESULTS: dict[CaseVerdict, str] = {"pass": "pass", "fail": "fail", "broken": "fail", "skip": "skip", "known": "skip"}


def _case_id(case: str) -> str:
    # lava_results_app/urls.py takes letters, digits and any of -_.+ in the address of a result
    return case.replace("/", ".")


def _ms(result: VerifyResult) -> str:
    return f"{result.duration_ns / 1e6:.3f}"


class LavaSignals:
    """A LineFormat: a test set for a target, a signal for a case, its duration as measurement."""

    by_case = False

    def __init__(self) -> None:
        self._sets: list[int] = []
        self._open = False

    def planned(self, environment: Environment, plan: Plan, missing: Sequence[str]) -> Iterator[str]:
        """Nothing is said of the plan: LAVA has no such thing."""
        del missing
        self._sets = [len(list(cases)) for _target, cases in groupby(plan, key=lambda turn: turn[1])]
        yield _text(f"drmbench verify {environment.drmbench}")

    def started(self, case: str, target: str) -> Iterator[str]:  # noqa: ARG002 (LineFormat's signature)
        """The first case of a target opens its test set."""
        if not self._open:
            self._open = True
            yield f"<LAVA_SIGNAL_TESTSET START {slug(target)}>"

    def ended(self, result: VerifyResult) -> Iterator[str]:
        """What did not pass is explained before the signal."""
        if result.verdict != "pass":
            yield _text(f"{result.verdict} {result.case} on {label(result.target)}: {message(result)}")
        for line in details(result):
            yield _text(f"  {line}")
        yield (f"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={_case_id(result.case)} RESULT={_RESULTS[result.verdict]} "
               f"MEASUREMENT={_ms(result)} UNITS=ms>")
        self._sets[0] -= 1
        if not self._sets[0]:
            yield from self._close()

    def _close(self) -> Iterator[str]:
        self._sets.pop(0)
        self._open = False
        yield "<LAVA_SIGNAL_TESTSET STOP>"

    def finished(self, report: VerifyReport) -> Iterator[str]:
        """What went wrong beside the cases fails as a case outside the test sets."""
        if self._open:
            yield from self._close()
        for problem in problems(report):
            yield _text(problem)
        if problems(report):
            yield f"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={RUN} RESULT=fail>"

    def refused(self, error: DrmbenchError) -> Iterator[str]:
        """One case, skipped where nothing here supports what was asked for."""
        if self._open:
            yield from self._close()
        yield _text(str(error))
        yield f"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={RUN} RESULT={_refusal(error)}>"


def render_lava_results_refused(error: DrmbenchError) -> str:
    """The same file where nothing could be run."""
    return f"{RUN} {_refusal(error)}\n"


def _refusal(error: DrmbenchError) -> str:
    return "skip" if isinstance(error, UnsupportedError) else "fail"


def render_lava_results(report: VerifyReport) -> str:
    """Lines "NAME RESULT MEASUREMENT UNITS", between lines that start and stop a test set for each target."""
    lines = []
    for target, results in by_target(report.results):
        lines.append(f"lava-test-set start {slug(target)}")
        lines += [f"{_case_id(r.case)} {_RESULTS[r.verdict]} {_ms(r)} ms" for r in results]
        lines.append(f"lava-test-set stop {slug(target)}")
    if problems(report):
        lines.append(f"{RUN} fail")
    return "".join(f"{line}\n" for line in lines)
