# SPDX-License-Identifier: MIT
"""How often to measure: exactly so often, or until medians are known well enough or time is up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from drmbench.inference.intervals import median_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Stopped = Literal["runs", "precision", "time-budget", "most-runs", "interrupted"]

DEFAULT_RUNS = 5
"""Where the number is fixed: on an emulated CPU, whose times more runs do not make true."""

FEWEST_RUNS = 10
"""Where it is not: `compare` needs 6, and tests much better with 10."""

MOST_RUNS = 1000
DEFAULT_PRECISION_PERCENT = 2.0
DEFAULT_TIME_BUDGET_S = 10.0
DEFAULT_WARM_UP = 1
_LOOK_AGAIN = 1.2  # a look costs time and, being one of many, certainty: only after a fifth more runs


@runtime_checkable
class Repeated(Protocol):
    """A series whose runs may be discarded, and whose spread says when there are enough of them."""

    def forget(self) -> None:
        """Discard the runs that were made so far: the warm-up."""

    def decisive_ns(self) -> Iterable[Sequence[float]]:
        """Times that matter, each run by run; their medians are to be known precisely."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for; None is the default."""

    runs: int | None = None
    precision_percent: float | None = None
    time_budget_s: float | None = None
    warm_up: int = DEFAULT_WARM_UP


@dataclass(frozen=True, slots=True)
class Plan:
    """At least `fewest` runs after `warm_up` discarded ones; exactly so many where `precision_percent` is None.

    Else more, until every decisive median is known to that precision, or `time_budget_s` after the warm-up.
    """

    fewest: int
    precision_percent: float | None = None
    time_budget_s: float = DEFAULT_TIME_BUDGET_S
    warm_up: int = 0

    def enough(self, series: Iterable[object], runs: int, elapsed_s: float) -> Stopped | None:
        """Why to stop after so many runs of each series and so many seconds, None to go on."""
        if runs < self.fewest:
            return None
        if self.precision_percent is None:
            return "runs"
        if elapsed_s >= self.time_budget_s:
            return "time-budget"
        if runs >= MOST_RUNS:
            return "most-runs"
        if self._looks(runs) and all(_precise(one, self.precision_percent) for one in series):
            return "precision"
        return None

    def _looks(self, runs: int) -> bool:
        at = self.fewest
        while at < runs:
            at = max(at + 1, int(at * _LOOK_AGAIN))
        return at == runs


def forget(series: object) -> None:
    """Discard its runs, where it has any that may be."""
    if isinstance(series, Repeated):
        series.forget()


def reaches_percent(series: object) -> Iterator[float]:
    """How far the interval of each decisive median reaches, in percent of it; nothing where there are none."""
    if isinstance(series, Repeated):
        intervals = map(median_interval, series.decisive_ns())
        reaches = (None if interval is None else interval.reach_percent for interval in intervals)
        yield from (reach for reach in reaches if reach is not None)


def _precise(series: object, percent: float) -> bool:
    """Whether all that decides is known so well; what has no decisive times is."""
    return all(reach <= percent for reach in reaches_percent(series))


def plan(asked: Asked, *, emulated: bool) -> Plan:
    """What to do: --runs alone is exact, and a minimum beside --precision or --time-budget.

    By default medians are sought to 2 % for 10 s, but on an emulated CPU there are 5 runs: its times stay untrue.
    """
    sought = asked.precision_percent is not None or asked.time_budget_s is not None
    budget = DEFAULT_TIME_BUDGET_S if asked.time_budget_s is None else asked.time_budget_s
    precision = DEFAULT_PRECISION_PERCENT if asked.precision_percent is None else asked.precision_percent
    if sought or (asked.runs is None and not emulated):
        return Plan(asked.runs or FEWEST_RUNS, precision, budget, asked.warm_up)
    return Plan(asked.runs or DEFAULT_RUNS, warm_up=asked.warm_up)
