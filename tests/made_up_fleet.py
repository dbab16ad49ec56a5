# SPDX-License-Identifier: MIT
"""Fleet reports of boards that a test chooses, for what only reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from made_up_runs import machine, report, result
from msgspec import structs

from drmbench.fleet.summary import Summary, differences
from drmbench.model import SCHEMA_VERSION, Board, FleetParameters, FleetReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drmbench.model import FaultLatencyResult


def board(place: str, *results: FaultLatencyResult, kernel: str = "6.1.0") -> Board:
    """A board that finished with these results."""
    return Board(place, "finished", exit_status=0, run_ns=2_000_000_000, report=report(*results, kernel=kernel))


def fleet(boards: Iterable[Board], **changes: Any) -> FleetReport:
    """Their report, summed up as `fleet run` does."""
    summary = Summary()
    known = list(boards)
    for each in known:
        summary.add(each)
    made = FleetReport(SCHEMA_VERSION, machine(), FleetParameters(["fault-latency"], [], [], 8), known,
                       summary.groups(), differences(summary.groups()))
    return structs.replace(made, **changes)


def a_fleet() -> FleetReport:
    """A fleet with something of everything in it."""
    runs = [1000.0, 1010.0, 1020.0]
    return fleet([
        *(board(f"b{number}", result(runs)) for number in range(5)),
        board("slow", result([9 * value for value in runs])),
        board("new", result(runs, faults=[2048]), kernel="7.3.0"),
        Board("gone", "lost", "the board went away", {"soc": "imx8"}, 255, ["last words"]),
    ])
