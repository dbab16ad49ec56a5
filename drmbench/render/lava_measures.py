# SPDX-License-Identifier: MIT
"""Numbers and verdicts as LAVA's test-case signals: a test set for a target, a case with measurement and units each.

A number passes, since it says nothing about right and wrong. A strategy of compare-populate that populated passes,
and one that did not is skipped with the reason before it: the kernel broke no rule.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import machine
from drmbench.render.measures import measures_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import Report
    from drmbench.render.measures import Measure

_DECIMALS = 10
"""What LAVA's database keeps of a measurement."""


def text_line(line: str) -> str:
    """A line that can be no signal, whatever a driver calls itself."""
    return one_line(line).replace("<LAVA", "LAVA")


def render_lava_measures(report: Report) -> str:
    """Signals, after lines that name the machine and what could mislead. Raises UsageError for other kinds."""
    command = str(report.__struct_config__.tag)
    measures = measures_of(report, "lava")
    lines = [text_line(f"drmbench {command} {report.environment.drmbench}: {machine(report.environment)}")]
    lines += [text_line(f"note: {caveat.message}") for caveat in report.caveats]
    for target, group in groupby(sorted(measures, key=lambda measure: measure.target), lambda each: each.target):
        lines.append(f"<LAVA_SIGNAL_TESTSET START {'-'.join(target)}>")
        for measure in group:
            lines += _signal(command, measure)
        lines.append("<LAVA_SIGNAL_TESTSET STOP>")
    return "".join(f"{line}\n" for line in lines)


def _signal(command: str, measure: Measure) -> Iterator[str]:
    case = ".".join((command, *measure.parameters, *measure.quantity))
    if measure.value is None:
        result = "pass" if measure.verdict == "real" else "skip"
        if result == "skip":
            yield text_line(f"{measure.verdict} {case}: {measure.reason}")
        yield f"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={case} RESULT={result}>"
        return
    units = f" UNITS={measure.unit}" if measure.unit else ""
    yield f"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={case} RESULT=pass MEASUREMENT={_decimal(measure.value)}{units}>"


def _decimal(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    exact = f"{Decimal(repr(value)):.{_DECIMALS}f}"
    return exact.rstrip("0").rstrip(".")
