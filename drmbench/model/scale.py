# SPDX-License-Identifier: MIT
"""What `drmbench scale` reports: faults by several workers at once, and the cost of buffers of growing size."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import (
    Access,
    AtLeastOne,
    Caveat,
    ClockInfo,
    Count,
    Duration,
    Environment,
    Parameters,
    PerStage,
    Phase,
    Repetition,
    Size,
    TargetInfo,
)
from drmbench.model.fault_latency import Distribution

WorkerKind = Literal["threads", "processes"]
Layout = Literal["shared-vma-split", "shared-vma-same", "own-vma", "own-buffer", "own-file"]


class CrewPoint(msgspec.Struct, frozen=True):
    """So many workers at once; medians of the runs.

    `faults` are those of all workers in the run with the median count, `faults_per_worker` its shares;
    `expected_min` and `_max` follow from the faults of one worker on the whole buffer and from its prefault
    window. `wall_ns` is from the first touch of the first worker to the last touch of the last one; no touch
    is timed in it. `efficiency` is faults_per_s divided by `workers` times that of one worker. `fault_ns` and
    `hit_ns` are of a pass of its own, in which each touch is timed.
    """

    workers: Size
    oversubscribed: bool
    cpus: list[Count]
    touches: Count
    faults: Count
    expected_min: Count
    expected_max: Count
    faults_per_worker: list[Count]
    wall_ns: Count
    faults_per_s: Duration
    touches_per_s: Duration
    efficiency: Duration | None
    fault_ns: Distribution
    hit_ns: Distribution
    faults_per_s_runs: list[Duration] = []


class CrewCurve(msgspec.Struct, frozen=True, tag_field="curve", tag="workers"):
    """One layout of buffers and mappings, by number of workers; the first point is one worker."""

    target: TargetInfo
    size_bytes: Size
    pages: Size
    access: Access
    phase: Phase
    layout: Layout
    worker_kind: WorkerKind
    runs: Size
    clock: ClockInfo
    points: Annotated[list[CrewPoint], AtLeastOne]


class SizePoint(msgspec.Struct, frozen=True):
    """One size: medians of the runs, per page and per stage; `errno` and `reason` where it does not fit.

    `ratio_to_line` is its total, run by run, over what the line through the smaller sizes says: median, min, max.
    """

    size_bytes: Size
    pages: Size
    errno: str | None
    reason: str
    repeats: Count
    faults_per_page: Duration | None
    touch_ns_per_page: Duration | None
    total_ns_per_page: Duration | None
    stages_ns: PerStage | None
    faults: PerStage | None
    total_ns_runs: list[Duration] = []
    ratio_to_line: Duration | None = None
    ratio_min: Duration | None = None
    ratio_max: Duration | None = None


class SizeSweep(msgspec.Struct, frozen=True, tag_field="curve", tag="sizes"):
    """Cost by buffer size. The line is fixed_ns + ns_per_page * pages, through the sizes below the knee.

    The knee is the first size from which on, the next one among them, every run is more than `tolerance` off the
    line through the smaller sizes; None: none was found.
    """

    target: TargetInfo
    access: Access
    phase: Phase
    runs: Size
    clock: ClockInfo
    tolerance: Duration
    fixed_ns: float | None
    ns_per_page: float | None
    knee_bytes: Size | None
    sizes: Annotated[list[SizePoint], AtLeastOne]


class ScaleReport(msgspec.Struct, frozen=True, tag_field="command", tag="scale"):
    """What `drmbench scale` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: Annotated[list[CrewCurve | SizeSweep], AtLeastOne]
    caveats: list[Caveat]
    repetition: Repetition | None = None
