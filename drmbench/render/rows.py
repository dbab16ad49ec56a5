# SPDX-License-Identifier: MIT
"""Report -> flat rows of raw numbers, which CSV and OpenMetrics print. OWN_ROWS is where a new kind may enter its own.

A kind that is not there has a row for each of its results, with every field under its dotted name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from drmbench.errors import printable
from drmbench.model import (
    BandwidthReport,
    ComparePopulateReport,
    CompareReport,
    FleetReport,
    LifecycleReport,
    ScaleReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drmbench.model import Report

Row = dict[str, object]
"""Dotted name -> str, int, float, bool or None. The first column is the kernel."""

_LEFT_OUT = frozenset({"histogram", "passes", "ns_per_page_runs", "strategies", "touches", "populate", "clues",
                       "problems", "quantiles_ns", "points", "sizes", "faults_per_s_runs", "total_ns_runs", "counts",
                       "times", "facts", "base_outliers", "new_outliers", "per_run", "stages_ns_runs",
                       "bytes_per_s_runs", "operations"})

_KEPT = frozenset({"faults.populate"})  # a number, where explain's populate is a list


def flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """(dotted name, value) for all that is in a result; a list is its items with blanks between them."""
    for name, part in value.items():
        if name in _LEFT_OUT and prefix + name not in _KEPT:
            continue
        if isinstance(part, dict):
            yield from flat(part, f"{prefix}{name}.")
        elif isinstance(part, list):
            yield f"{prefix}{name}", " ".join(str(item["name"] if isinstance(item, dict) and "name" in item else item)
                                              for item in part)
        else:
            yield f"{prefix}{name}", printable(part) if isinstance(part, str) else part


def _row_a_result(report: Report) -> Iterator[Row]:
    for result in report.results:
        yield {"kernel": report.environment.kernel, **dict(flat(msgspec.to_builtins(result)))}


def _row_a_strategy(report: Report) -> Iterator[Row]:
    for row, result in zip(_row_a_result(report), report.results, strict=True):
        for name, strategy in msgspec.to_builtins(result)["strategies"].items():
            yield {**row, "strategy": name, **dict(flat(strategy))}


def _row_a_point(report: Report) -> Iterator[Row]:
    """A row for each number of workers, or each size, of a curve."""
    for row, result in zip(_row_a_result(report), report.results, strict=True):
        tree = msgspec.to_builtins(result)
        for point in [*tree.get("points", []), *tree.get("sizes", [])]:
            yield {**row, **dict(flat(point))}


def _row_a_quantity(report: Report) -> Iterator[Row]:
    for shared, result in zip(_row_a_result(report), report.results, strict=True):
        tree = msgspec.to_builtins(result)
        # The last part of a name is an OpenMetrics label, of which there is one.
        row = {name.replace("new_target.", "new_"): value for name, value in shared.items()}
        for part in (*tree["counts"], *tree["times"]):
            yield {**row, **dict(flat(part))}


def _row_a_pass(report: Report) -> Iterator[Row]:
    for row, result in zip(_row_a_result(report), report.results, strict=True):
        for each in msgspec.to_builtins(result)["passes"]:
            yield {**row, **dict(flat(each))}


def _row_an_operation(report: Report) -> Iterator[Row]:
    for row, result in zip(_row_a_result(report), report.results, strict=True):
        for each in msgspec.to_builtins(result)["operations"]:
            yield {**row, **dict(flat(each))}


def _row_a_board_s_result(report: FleetReport) -> Iterator[Row]:
    for board in report.boards:
        if board.report is not None:
            yield from ({"place": board.place, **row} for row in rows_of(board.report))


OWN_ROWS: dict[type, Callable[[Any], Iterator[Row]]] = {
    ComparePopulateReport: _row_a_strategy,
    ScaleReport: _row_a_point,
    CompareReport: _row_a_quantity,
    BandwidthReport: _row_a_pass,
    LifecycleReport: _row_an_operation,
    FleetReport: _row_a_board_s_result,
}


def rows_of(report: Report) -> list[Row]:
    """All rows, in the order of the report. They may differ in their columns: a part that is null has none."""
    return list(OWN_ROWS.get(type(report), _row_a_result)(report))
