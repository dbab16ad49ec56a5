# SPDX-License-Identifier: MIT
"""TraceComparison -> Section: functions that one of two traces has, or calls more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import label_of
from drmbench.render.document import Column, Section

if TYPE_CHECKING:
    from drmbench.model import FunctionChange, TraceComparison

_COLUMNS = (Column("step"), Column("", width=7), Column("function", grows=True), Column("there", number=True),
            Column("here", number=True))


def comparison_section(comparison: TraceComparison) -> Section:
    """One row for each function that differs, in the order of the trees."""
    there = f"{label_of(comparison.other_target)} on Linux {one_line(comparison.other_kernel)}"
    lines = [f"{comparison.same} function{'' if comparison.same == 1 else 's'} called equally often by both"]
    if not comparison.steps:
        lines = ["no step was traced in both"]
    return Section(f"{label_of(comparison.target)} against {there}", _COLUMNS,
                   [_row(change) for change in comparison.changes], lines)


def _row(change: FunctionChange) -> list[str]:
    module = f" [{one_line(change.module)}]" if change.module else ""
    formerly = f"{one_line(change.formerly)} -> " if change.formerly else ""
    return [change.step, _kind(change), f"{formerly}{one_line(change.function)}{module}", str(change.before),
            str(change.after)]


def _kind(change: FunctionChange) -> str:
    if change.formerly:
        return "renamed"
    return "gained" if not change.before else "lost" if not change.after else "changed"
