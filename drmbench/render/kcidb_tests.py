# SPDX-License-Identifier: MIT
"""The tests of a KCIDB submission: path, status, number and text of each, still without ids.

Times are seconds with a metric prefix, as KCIDB scales them for display. A number has status DONE, "completed, and
not a word about the tested code". A breach that drmbench's list knows is a FAIL like any other, with an issue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drmbench.errors import one_line
from drmbench.model import VerifyReport
from drmbench.render.measures import measures_of, target_names, word
from drmbench.render.outcomes import message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import CaseVerdict, KnownBehaviour, Report, VerifyResult
    from drmbench.render.measures import Measure

_STATUS: dict[CaseVerdict, str] = {"pass": "PASS", "fail": "FAIL", "known": "FAIL", "broken": "ERROR", "skip": "SKIP"}
_POPULATED = {"real": "PASS", "no-op": "DONE", "refused": "SKIP", "moot": "SKIP"}
_NS = 1e9
_MOST_LOG = 16_000  # KCIDB takes 16384 characters


@dataclass(frozen=True, slots=True)
class KcidbTest:
    """`path` has dots between its words; `known` describes the issue of a known breach."""

    path: str
    fields: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Any] | None = None


def tests_of(report: Report) -> Iterator[KcidbTest]:
    """A test for each case of verify, else for each number and verdict. Raises UsageError for other kinds."""
    if isinstance(report, VerifyReport):
        yield from _cases(report)
        return
    command = str(report.__struct_config__.tag)
    for measure in measures_of(report, "kcidb"):
        yield KcidbTest(".".join(("drmbench", command, *measure.names)), _fields(measure))


def _fields(measure: Measure) -> dict[str, Any]:
    if measure.value is None:
        return {"status": _POPULATED.get(measure.verdict, "DONE"),
                "comment": one_line(f"{measure.verdict}: {measure.reason}"), "misc": {"verdict": measure.verdict}}
    return {"status": "DONE", "number": _number(measure.value, measure.unit)}


def _number(value: float, unit: str) -> dict[str, Any]:
    if unit.startswith("ns"):
        return {"value": value / _NS, "unit": unit[1:], "prefix": "metric"}
    if unit.startswith("B"):
        return {"value": value, "unit": unit, "prefix": "binary"}
    return {"value": value, "unit": unit} if unit else {"value": value}


def _cases(report: VerifyReport) -> Iterator[KcidbTest]:
    names = target_names(result.target for result in report.results)
    seen: set[str] = set()
    for result in report.results:
        words = [word(part) for part in result.case.split("/")]
        path = ".".join(("drmbench", "verify", *names[result.target], *words))
        while path in seen:  # only in a report edited by hand
            path += "-again"
        seen.add(path)
        yield KcidbTest(path, _case(result), None if result.known is None else _issue(result.known))


def _case(result: VerifyResult) -> dict[str, Any]:
    texts = {"rule": result.rule, "source": result.source, "observed": result.observed, "verdict": result.verdict}
    fields: dict[str, Any] = {"status": _STATUS[result.verdict], "duration": result.duration_ns / _NS,
                              "misc": {name: text for name, text in texts.items() if text}}
    if comment := message(result):
        fields["comment"] = comment
    if result.kernel_log:
        fields["log_excerpt"] = "\n".join(one_line(line) for line in result.kernel_log)[-_MOST_LOG:]
    return fields


def _issue(known: KnownBehaviour) -> dict[str, Any]:
    return {"report_subject": one_line(f"{known.case} on {known.driver}: {known.what}"),
            "comment": one_line(f"{known.actual}: {known.why}"), "misc": {"source": known.source}}
