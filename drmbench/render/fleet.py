# SPDX-License-Identifier: MIT
"""FleetReport -> Document: what became of each board, then the same measurement side by side."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from drmbench.errors import one_line
from drmbench.render.common import caveat_section
from drmbench.render.document import Column, Document, Section
from drmbench.units import format_ns

if TYPE_CHECKING:
    from drmbench.model import Board, FleetGroup, FleetReport

_BOARDS = (
    Column("place"), Column("state"), Column("kernel"), Column("took", number=True), Column("remarks", grows=True),
)
_OUTPUT_LINES = 3
_PLACES_SHOWN = 40


def fleet_document(report: FleetReport) -> Document:
    """Boards, groups with the kernels one below the other, what differs between kernels, caveats."""
    states = Counter(board.state for board in report.boards)
    summary = ", ".join(f"{count} {state}" for state, count in states.most_common())
    command = one_line(" ".join(report.parameters.command))
    head = Section("Fleet", lines=[f"drmbench {command}", f"{len(report.boards)} boards: {summary}"])
    boards = Section("Boards", _BOARDS, [_board_row(board) for board in report.boards], list(_last_words(report)))
    return Document([head, boards, *_measured(report), *_differences(report), *caveat_section(report.caveats)])


def _board_row(board: Board) -> list[str]:
    kernel = "-" if board.report is None else one_line(board.report.environment.kernel)
    remarks = board.reason or ("" if not board.exit_status else f"exit status {board.exit_status}")
    took = board.connect_ns + board.deploy_ns + board.run_ns
    return [one_line(board.place), board.state, kernel, format_ns(took or None), one_line(remarks)]


def _last_words(report: FleetReport) -> list[str]:
    """The end of what a board printed that did not finish."""
    return [
        f"{one_line(board.place)}: {one_line(line)}" for board in report.boards
        if board.state in {"failed", "lost", "timed-out"} for line in board.output[-_OUTPUT_LINES:]
    ]


def _measured(report: FleetReport) -> list[Section]:
    """A table for each thing that was measured; a row a board, or a kernel where there are too many boards."""
    by_what: dict[str, list[FleetGroup]] = {}
    for group in report.groups:
        by_what.setdefault(group.what, []).append(group)
    return [_table(one_line(what), groups) for what, groups in by_what.items()]


def _table(what: str, groups: list[FleetGroup]) -> Section:
    times = list(dict.fromkeys(name for group in groups for name in group.times))[:3]
    counts = list(dict.fromkeys(name for group in groups for name in group.counts))[:1]
    columns = (Column("kernel"), Column("boards" if _many(groups) else "place", grows=True),
               *(Column(name, number=True) for name in (*counts, *times)))
    rows = []
    lines = []
    for group in groups:
        if _many(groups):
            rows.append(_row(group, f"{len(group.boards)}, medians", group.counts, group.times, counts, times))
        else:
            rows += [_row(group, value.place, value.counts, value.times, counts, times) for value in group.boards]
        lines += [f"{one_line(value.place)} stands out: {one_line('; '.join(value.outlier))}"
                  for value in group.boards if value.outlier]
    return Section(what, columns, rows, lines)


def _many(groups: list[FleetGroup]) -> bool:
    return sum(len(group.boards) for group in groups) > _PLACES_SHOWN


def _row(
    group: FleetGroup, who: str, counted: dict[str, int], timed: dict[str, float], counts: list[str], times: list[str],
) -> list[str]:
    return [
        one_line(group.kernel), one_line(who), *(str(counted.get(name, "-")) for name in counts),
        *(_amount(timed.get(name), group.units.get(name, "ns")) for name in times),
    ]


def _amount(value: float | None, unit: str) -> str:
    if unit == "ns" or value is None:
        return format_ns(value)
    return f"{value:.4g} {one_line(unit)}"


def _differences(report: FleetReport) -> list[Section]:
    lines = [
        f"! {one_line(each.what)}: {one_line(each.quantity)} "
        + ", ".join(f"{number} on {one_line(kernel)}" for kernel, number in each.by_kernel.items())
        for each in report.differences
    ]
    return [Section("Counted differently on different kernels", lines=lines)] if lines else []
