# SPDX-License-Identifier: MIT
"""What an IGT test binary prints, as igt_runner reads it: a subtest for a case, a dynamic subtest for a target.

IGT has no word for a known breach: it is SUCCESS, and the caller says why on stderr, which
igt_runner turns into "warn".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drmbench.errors import UnsupportedError, one_line
from drmbench.render.outcomes import details, message, overall, problems, slug
from drmbench.render.verify import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.errors import DrmbenchError
    from drmbench.model import CaseVerdict, Environment, VerifyReport, VerifyResult
    from drmbench.render.lines import Plan

STARTING = "Starting subtest: "
STARTING_DYNAMIC = "Starting dynamic subtest: "
SENTINELS = (STARTING, STARTING_DYNAMIC, "Subtest ", "Dynamic subtest ")

_RESULTS: dict[CaseVerdict, str] = {
    "pass": "SUCCESS", "known": "SUCCESS", "skip": "SKIP", "fail": "FAIL", "broken": "FAIL",
}

_WILDCARDS = {"*": ".*", "?": "."}


def subtest_name(case: str) -> str:
    """The case as IGT allows a subtest to be called: "fake-offset/interior" -> "fake-offset_interior"."""
    return case.replace("/", "_")


def matches(pattern: str, name: str) -> bool:
    """Whether --run-subtest PATTERN means the name.

    Wildcards are separated by commas, one after "!" takes away, and the last that fits counts. The rules
    are those of uwildmat(), lib/uwildmat/uwildmat.c of IGT.
    """
    chosen = False
    for tokens in _alternatives(pattern):
        negated = tokens[:1] == ["!"]
        if re.fullmatch("".join(map(_regex, tokens[negated:])), name, re.DOTALL):
            chosen = not negated
    return chosen


def _alternatives(pattern: str) -> Iterator[list[str]]:
    """What stands between the commas, each as a list of characters, of those with a backslash and of [classes]."""
    tokens: list[str] = []
    for part in re.findall(r"\\.|\[\^?+\]?+[^]]*\]|\[.*|.", pattern, re.DOTALL):
        if part == ",":
            yield tokens
            tokens = []
        else:
            tokens.append(part)
    yield tokens


def _regex(token: str) -> str:
    if token in _WILDCARDS:
        return _WILDCARDS[token]
    if not token.startswith("["):
        return re.escape(token[-1])
    if not token.endswith("]") or token in {"[]", "[^]"}:
        return "(?!)"  # nothing closes it, so it fits nothing
    unwanted = token.startswith("[^")
    members = "|".join(re.escape(character) for character in _members(token[2 if unwanted else 1:-1])) or "(?!)"
    return f"(?:(?!{members}).)" if unwanted else f"(?:{members})"


def _members(inside: str) -> set[str]:
    """The characters of a class: "a-cx" -> {a, b, c, x}; a range that runs backwards has none."""
    found = re.findall(r"(.)-(.)|(.)", inside, re.DOTALL)
    return {chr(n) for first, last, _c in found if first for n in range(ord(first), ord(last) + 1)} | {
        c for _first, _last, c in found if c}


class IgtLog:
    """A LineFormat. `subtests` are the names that a refusal is reported for."""

    by_case = True

    def __init__(self, subtests: Sequence[str] = ()) -> None:
        self._subtests = subtests
        self._missing: list[str] = []
        self._left: dict[str, int] = {}
        self._verdicts: list[CaseVerdict] = []
        self._spent_ns = 0
        self._dynamic = ""

    def planned(self, environment: Environment, plan: Plan, missing: Sequence[str]) -> Iterator[str]:
        """igt_runner copies the line with the version into its results."""
        self._missing = [one_line(text) for text in missing]
        for case, _target in plan:
            self._left[case] = self._left.get(case, 0) + 1
        kernel = one_line(f"{environment.arch}) (Linux: {environment.kernel} {environment.arch}")
        yield f"IGT-Version: drmbench-{one_line(environment.drmbench)} ({kernel})"

    def started(self, case: str, target: str) -> Iterator[str]:
        """The first target of a case opens the subtest."""
        if not self._verdicts:
            yield f"{STARTING}{subtest_name(case)}"
        self._dynamic = slug(target)
        yield f"{STARTING_DYNAMIC}{self._dynamic}"

    def ended(self, result: VerifyResult) -> Iterator[str]:
        """The last target of a case closes the subtest; a target that could not be used fails every subtest."""
        if result.verdict != "pass":
            yield f"  {result.verdict} on {label(result.target)}: {message(result)}"
        for line in details(result):
            yield f"  {line}"
        yield f"Dynamic subtest {self._dynamic}: {_ended(result.verdict, result.duration_ns)}"
        self._verdicts.append(result.verdict)
        self._spent_ns += result.duration_ns
        self._left[result.case] -= 1
        if not self._left[result.case]:
            yield from self._close(result.case)

    def _close(self, case: str) -> Iterator[str]:
        for number, why in enumerate(self._missing, 1):
            yield f"{STARTING_DYNAMIC}missing-{number}"
            yield f"  {why}"
            yield f"Dynamic subtest missing-{number}: {_ended('fail', 0)}"
        verdict = "fail" if self._missing else overall(self._verdicts)
        yield f"Subtest {subtest_name(case)}: {_ended(verdict, self._spent_ns)}"
        self._verdicts = []
        self._spent_ns = 0

    def finished(self, report: VerifyReport) -> Iterator[str]:
        """A subtest without a result is "incomplete" for igt_runner."""
        for problem in problems(report):
            yield f"  {problem}"

    def refused(self, error: DrmbenchError) -> Iterator[str]:
        """What IGT does where an igt_fixture skips or fails: every subtest has that result, if none had begun."""
        yield f"  {error}"
        if self._left:
            return
        verdict: CaseVerdict = "skip" if isinstance(error, UnsupportedError) else "fail"
        for name in self._subtests:
            yield f"{STARTING}{name}"
            yield f"Subtest {name}: {_ended(verdict, 0)}"


def _ended(verdict: CaseVerdict, duration_ns: int) -> str:
    return f"{_RESULTS[verdict]} ({duration_ns / 1e9:.3f}s)"
