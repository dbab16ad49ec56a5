# SPDX-License-Identifier: MIT
"""Two traces against each other: functions gained, lost, renamed, or called a different number of times."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from drmbench.model import FunctionChange, TraceComparison
from drmbench.trace.notes import note_of, plain
from drmbench.trace.tree import each_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.model import TraceReport, TraceResult, TraceStep


def compare_traces(report: TraceReport, other: TraceReport) -> list[TraceComparison]:
    """Each result of `report` against one of `other`: of the same driver and buffer, else its only one, else its first.

    Only steps that both have and that are complete are compared; how long they took is not.
    """
    return [_compared(result, _counterpart(result, other), other) for result in report.results]


def _counterpart(result: TraceResult, other: TraceReport) -> TraceResult:
    def likeness(candidate: TraceResult) -> tuple[bool, bool]:
        same_driver = candidate.target.driver == result.target.driver
        return same_driver, same_driver and candidate.target.buffer == result.target.buffer

    return max(other.results, key=likeness)


def _compared(result: TraceResult, theirs: TraceResult, other: TraceReport) -> TraceComparison:
    there = {step.name: step for step in theirs.steps if step.complete}
    both = [step for step in result.steps if step.complete and step.name in there]
    changes: list[FunctionChange] = []
    same = 0
    for step in both:
        theirs_too = _counts(there[step.name])
        same += sum(theirs_too[function] == count for function, count in _counts(step).items())
        changes += _renamed(list(_differences(step, there[step.name])))
    return TraceComparison(result.target, theirs.target, other.environment.kernel, [step.name for step in both],
                           changes, same)


def _counts(step: TraceStep) -> Counter[str]:
    counts: Counter[str] = Counter()
    for call in each_call(step.calls):
        counts[plain(call.function)] += call.calls
    return counts


def _differences(step: TraceStep, theirs: TraceStep) -> Iterator[FunctionChange]:
    before, after = _counts(theirs), _counts(step)
    # A function that moved to another module is still the same.
    modules = {plain(call.function): call.module for each in (theirs, step) for call in each_call(each.calls)}
    for name in dict.fromkeys([*after, *before]):
        if before[name] != after[name]:
            yield FunctionChange(step.name, name, modules[name], before[name], after[name])


def _renamed(changes: list[FunctionChange]) -> list[FunctionChange]:
    """The same with a function that was lost and the one that was gained in its place as one change.

    They are one where a note knows both names and nothing else of that note changed.
    """
    found: list[FunctionChange] = []
    for change in changes:
        note = note_of(change.function)
        akin = [c for c in changes if note is not None and note_of(c.function) is note]
        gained = [c for c in akin if not c.before]
        lost = [c for c in akin if not c.after]
        if len(akin) != 2 or len(gained) != 1 or len(lost) != 1:
            found.append(change)
        elif change is gained[0]:
            found.append(FunctionChange(change.step, change.function, change.module, lost[0].before, change.after,
                                        lost[0].function))
    return found
