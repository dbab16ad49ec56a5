# SPDX-License-Identifier: MIT
"""What `drmbench fleet run` reports: each board's own report, and what they say together."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.bandwidth import BandwidthReport
from drmbench.model.common import AtLeastOne, Caveat, Count, Duration, Environment
from drmbench.model.compare_populate import ComparePopulateReport
from drmbench.model.explain import ExplainReport
from drmbench.model.fault_latency import FaultLatencyReport
from drmbench.model.lifecycle import LifecycleReport
from drmbench.model.scale import ScaleReport
from drmbench.model.stress import StressReport
from drmbench.model.verify import VerifyReport

BoardReport = (
    FaultLatencyReport | ComparePopulateReport | ExplainReport | VerifyReport | StressReport | ScaleReport
    | BandwidthReport | LifecycleReport
)

BoardState = Literal["finished", "failed", "unsupported", "taken", "unreachable", "lost", "timed-out", "interrupted"]


class Board(msgspec.Struct, frozen=True):
    """One place of the lab: how its part ended, and the report that came back, if any.

    state       "finished" where a report came back, whatever `exit_status` came with it
    reason      one line where something is to be said of that
    output      the last lines that the board printed beside its report
    """

    place: str
    state: BoardState
    reason: str = ""
    tags: dict[str, str] = {}
    exit_status: int | None = None
    output: list[str] = []
    acquire_ns: Count = 0
    connect_ns: Count = 0
    deploy_ns: Count = 0
    run_ns: Count = 0
    date: str = ""
    report: BoardReport | None = None


class FleetValue(msgspec.Struct, frozen=True):
    """One board's numbers in a group; `outlier` says in what it stands out from the others."""

    place: str
    counts: dict[str, Count]
    times: dict[str, Duration]
    facts: dict[str, str] = {}
    outlier: list[str] = []


class FleetGroup(msgspec.Struct, frozen=True):
    """The boards on which the same thing was measured with the same driver on the same kernel.

    what     driver, buffer and how it was measured, in words
    counts   what was counted -> what most boards counted
    times    quantity -> the median over the boards, in `units` of it
    """

    what: str
    kernel: str
    boards: list[FleetValue]
    counts: dict[str, Count]
    times: dict[str, Duration]
    units: dict[str, str] = {}


class FleetDifference(msgspec.Struct, frozen=True):
    """Something counted differently on another kernel: kernel -> what most boards with it counted."""

    what: str
    quantity: str
    by_kernel: dict[str, Count]


class FleetParameters(msgspec.Struct, frozen=True):
    """What was asked for; `command` are drmbench's words on every board."""

    command: list[str]
    places: list[str]
    tags: list[str]
    jobs: Count
    remote: str = ""


class FleetReport(msgspec.Struct, frozen=True, tag_field="command", tag="fleet"):
    """What came of a fleet run; boards by name of their place.

    `environment` is that of the machine which led the run; a board's own is in its report.
    """

    schema_version: Literal[1]
    environment: Environment
    parameters: FleetParameters
    boards: Annotated[list[Board], AtLeastOne]
    groups: list[FleetGroup] = []
    differences: list[FleetDifference] = []
    caveats: list[Caveat] = []

    @property
    def results(self) -> list[msgspec.Struct]:
        """Those of all boards, one after the other."""
        return [result for board in self.boards if board.report is not None for result in board.report.results]
