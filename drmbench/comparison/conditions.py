# SPDX-License-Identifier: MIT
"""--fail-if: a quantity, how far it may move, and whether it did.

    QUANTITY > +NUMBER[%|ns|us|ms|s]     p99>+10%   faults>+0   mmap>+1ms   bandwidth<-10%

The number is the change from base to new. `median` is the main quantity of each kind of report.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.comparison.judge import FEWEST_RUNS
from drmbench.errors import DrmbenchError, UsageError
from drmbench.model import CompareCondition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import CompareResult, ConditionVerdict, CountComparison, TimeComparison

_SYNTAX = re.compile(
    r"\s*(?P<name>[A-Za-z][A-Za-z0-9_.-]*)\s*(?P<sign>>=|<=|>|<)\s*(?P<change>[+-][0-9]+(?:\.[0-9]+)?)\s*"
    r"(?P<unit>%|ns|us|ms|s)?\s*",
)
_IN_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
MAIN = "median"


@dataclass(frozen=True, slots=True)
class Condition:
    """One parsed --fail-if: fail where the change of `name` lies beyond `change`, in `unit` ("" is a plain number)."""

    text: str
    name: str
    upwards: bool
    inclusive: bool
    change: float
    unit: str

    def reached(self, base: float, new: float) -> bool:
        """Whether the change from base to new lies beyond; in percent it is one of base, and from 0 any is beyond."""
        difference = new - base
        if difference == 0:
            return False
        limit = base * self.change / 100 if self.unit == "%" else self.change * _IN_NS.get(self.unit, 1.0)
        if self.inclusive:
            return difference >= limit if self.upwards else difference <= limit
        return difference > limit if self.upwards else difference < limit


def parse(text: str) -> Condition:
    """Raises UsageError, which says how to write one."""
    found = _SYNTAX.fullmatch(text)
    if found is None:
        raise UsageError("--fail-if", text, reason="not of the form QUANTITY>+NUMBER, QUANTITY>+NUMBER% or with <-",
                         remedy="write 'p99>+10%', 'faults>+0' or 'mmap>+1ms', in quotes")
    upwards = found["sign"][0] == ">"
    change = float(found["change"])
    inclusive = found["sign"].endswith("=")
    if upwards != found["change"].startswith("+") or (inclusive and change == 0):
        raise UsageError("--fail-if", text, reason="this would fail without any change",
                         remedy="> goes with +, < with -")
    return Condition(text.strip(), found["name"], upwards, inclusive, change, found["unit"] or "")


def evaluate(condition: Condition, results: Sequence[CompareResult], labels: Sequence[str]) -> CompareCondition:
    """Whether it is met; `labels` name the results.

    Raises DrmbenchError where no result has the quantity, and where none has the runs to judge it: a gate that
    cannot fail must not look green.
    """
    met: list[str] = []
    undecided: list[str] = []
    too_few = seen = 0
    for result, label in zip(results, labels, strict=True):
        for name, beyond, decided, few, what in _looked_up(condition, result):
            seen += 1
            too_few += few
            if beyond:
                (met if decided else undecided).append(f"{label}: {name} {what}")
    if not seen:
        raise _absent(condition, results)
    if too_few == seen:
        raise DrmbenchError("--fail-if", condition.text, reason="no result can tell: it has too few runs, or its CPU "
                            "is emulated", remedy=f"at least {FEWEST_RUNS} --runs a side, or 'faults>+0'")
    verdict: ConditionVerdict = "met" if met else "undecided" if undecided else "not met"
    return CompareCondition(condition.text, verdict, met or undecided)


def _looked_up(condition: Condition, result: CompareResult) -> Iterator[tuple[str, bool, bool, bool, str]]:
    """(name, beyond the limit, decided, too few runs to decide, in words) of each quantity that is meant."""
    for index, time in enumerate(result.times):
        if _is_meant(condition, time.name, main=index == 0):
            _check_unit(condition, time.unit)
            changed = time.verdict in {"faster", "slower"}
            unable = time.verdict == "cannot tell" and time.p is None
            yield (time.name, condition.reached(time.base, time.new), changed, unable or _distrusted(time),
                   _in_words(time))
    for count in result.counts:
        if _is_meant(condition, count.name, main=False):
            _check_unit(condition, "")
            yield (count.name, condition.reached(count.base, count.new), count.verdict != "cannot tell", False,
                   _counts_in_words(count))


def _distrusted(time: TimeComparison) -> bool:
    return time.verdict == "cannot tell" and "emulated" in time.reason


def _is_meant(condition: Condition, name: str, *, main: bool) -> bool:
    return condition.name == name.partition(" ")[0] or (main and condition.name == MAIN)


def _check_unit(condition: Condition, unit: str) -> None:
    if condition.unit in _IN_NS and unit != "ns":
        raise UsageError("--fail-if", condition.text, reason=f"{condition.name} is no time",
                         remedy="give a plain number or a percentage")
    if condition.unit == "" and unit == "ns":
        raise UsageError("--fail-if", condition.text, reason=f"{condition.name} is a time",
                         remedy="give a percentage, ns, us, ms or s")


def _in_words(time: TimeComparison) -> str:
    return f"{time.ratio:.3g}x ({time.verdict})" if time.ratio is not None else time.verdict


def _counts_in_words(count: CountComparison) -> str:
    return f"{count.base} -> {count.new}"


def _absent(condition: Condition, results: Sequence[CompareResult]) -> DrmbenchError:
    known = [name for result in results for name in (*(c.name for c in result.counts), *(t.name for t in result.times))]
    names = dict.fromkeys([MAIN, *(name.partition(" ")[0] for name in known)])
    return DrmbenchError("--fail-if", condition.text, reason=f"no result that both have knows {condition.name}",
                         remedy=f"there are {', '.join(names)}")
