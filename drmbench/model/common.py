# SPDX-License-Identifier: MIT
"""What every report shares: units, where it ran, what was asked for, what could mislead."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

SCHEMA_VERSION: Literal[1] = 1

STAGES = ("create", "map_offset", "mmap", "touch", "munmap", "destroy")

Access = Literal["write", "read", "read-then-write"]
Order = str  # sequential, reverse, random or stride:N
Phase = Literal["cold", "warm"]

Count = Annotated[int, msgspec.Meta(ge=0)]
Size = Annotated[int, msgspec.Meta(gt=0)]
Duration = Annotated[float, msgspec.Meta(ge=0)]
AtLeastOne = msgspec.Meta(min_length=1)  # for a list; a report without any result is never saved


class Caveat(msgspec.Struct, frozen=True):
    """Something that could mislead the reader, and what to do about it."""

    id: str
    message: str
    remedy: str


class TargetInfo(msgspec.Struct, frozen=True):
    """What was measured; `driver` of a baseline is its own name, `node` of a file its path."""

    kind: Literal["drm", "baseline"]
    node: str | None
    driver: str
    description: str
    buffer: str


class PerStage(msgspec.Struct, frozen=True):
    """One number for each stage of a buffer's life, per run (median): faults, or ns less the clock's overhead."""

    create: Count
    map_offset: Count
    mmap: Count
    touch: Count
    munmap: Count
    destroy: Count


class RunOutlier(msgspec.Struct, frozen=True):
    """A run outside Tukey's fences, kept: its number in the order of time (from 1), and what it took."""

    run: Size
    value: float
    grade: Literal["mild", "severe"]


class Spread(msgspec.Struct, frozen=True):
    """How well the median of the runs is known: its 95 % bootstrap interval, how far that reaches, and outliers."""

    low: Duration
    high: Duration
    reach_percent: Duration | None
    outliers: list[RunOutlier] = []


class Repetition(msgspec.Struct, frozen=True):
    """How often everything was measured, after `warm_up` discarded runs, in random order, and why no more.

    `precision_percent` and `time_budget_s` are null where the number of runs was fixed.
    """

    warm_up: Count
    runs: Count
    stopped: Literal["runs", "precision", "time-budget", "most-runs", "interrupted"]
    elapsed_s: Duration
    precision_percent: Duration | None = None
    time_budget_s: Duration | None = None


class ClockInfo(msgspec.Struct, frozen=True):
    """The clock; its overhead is already taken off every duration in this document."""

    source: str
    overhead_ns: Count
    resolution_ns: Count


class Environment(msgspec.Struct, frozen=True):
    """The machine, as far as it changes what the numbers mean."""

    kernel: str
    arch: str
    cpu_model: str
    page_size_bytes: Size
    virtualization: str
    emulated: bool
    thp: str
    thp_shmem: str
    governor: str
    cpus: Size
    memory_bytes: Count
    drmbench: str
    date: str
    kernel_build: str = ""
    lab_kernel: str | None = None


class Parameters(msgspec.Struct, frozen=True):
    """What was asked for, so that a run can be repeated."""

    devices: list[str]
    buffer: str | None
    size_bytes: Size
    access: list[Access]
    order: Order
    runs: Size
    seed: int
    cpu: int | None
    phases: list[Phase] = []
    strategies: list[str] = []
    layouts: list[str] = []
    threads: list[int] = []
    processes: list[int] = []
    size_sweep: list[int] = []
    operations: list[str] = []
    sizes: list[Size] = []
    live_buffers: list[Size] = []
    cycles: Size | None = None
