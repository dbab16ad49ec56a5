# SPDX-License-Identifier: MIT
"""How often it was measured, how well medians are known, and which runs are outliers: in tables and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.render.document import Column
from drmbench.units import format_ns

if TYPE_CHECKING:
    from drmbench.model import Repetition, Spread

SPREAD_COLUMNS = (
    Column("per page", number=True), Column("95 % interval", number=True), Column("+-", number=True),
    Column("outlying runs, kept", grows=True),
)


def repetition_line(repetition: Repetition | None) -> list[str]:
    """One line, or none for a report from before it was kept."""
    if repetition is None:
        return []
    discarded = f"{repetition.warm_up} warm-up run{'' if repetition.warm_up == 1 else 's'} discarded"
    if repetition.stopped == "runs":
        return [f"{discarded}, random order, the number of runs was fixed"]
    if repetition.stopped == "interrupted":
        return [f"{discarded}, random order, interrupted"]
    known = f"every median was known to {repetition.precision_percent or 0:g} %"
    if repetition.stopped == "precision":
        return [f"{discarded}, random order, until {known}"]
    when = f"{repetition.elapsed_s:.3g} s" if repetition.stopped == "time-budget" else "the most runs allowed"
    return [f"{discarded}, random order, ended after {when}, before {known}"]


def reach(spread: Spread | None) -> str:
    """How far the interval reaches, for a cell: "1.3 %"."""
    if spread is None or spread.reach_percent is None:
        return "-"
    return f"{spread.reach_percent:.2g} %" if spread.reach_percent < 99.5 else f"{spread.reach_percent:.0f} %"


def spread_cells(middle_ns: float, spread: Spread | None, runs: int) -> list[str]:
    """The cells under SPREAD_COLUMNS."""
    if spread is None:
        return [format_ns(middle_ns), "-", "-", "-"]
    interval = f"{format_ns(spread.low)} - {format_ns(spread.high)}"
    return [format_ns(middle_ns), interval, reach(spread), _outlying(spread, middle_ns, runs)]


def _outlying(spread: Spread, middle_ns: float, runs: int) -> str:
    if not spread.outliers:
        return "-"
    farthest = max(spread.outliers, key=lambda outlier: abs(outlier.value - middle_ns))
    return f"{len(spread.outliers)} of {runs}; run {farthest.run}: {format_ns(farthest.value)}"
