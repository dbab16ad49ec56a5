# SPDX-License-Identifier: MIT
"""What `drmbench fault-latency` reports."""

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
    Order,
    Parameters,
    PerStage,
    Phase,
    Repetition,
    Size,
    Spread,
    TargetInfo,
)

ACCEPTED = "accepted"
"""What `private_mapping` says where mmap(MAP_PRIVATE) did not fail."""

QUANTILE_STEPS = (*(percent / 100 for percent in range(100)), *(tenth / 1000 for tenth in range(991, 1000)), 0.9999,
                  1.0)
"""Where `quantiles_ns` was taken."""


class Distribution(msgspec.Struct, frozen=True):
    """Latencies in ns of `n` touches over all runs; null where there was none."""

    n: Count
    min: Count | None
    p50: Count | None
    p90: Count | None
    p99: Count | None
    p999: Count | None
    max: Count | None


class HistogramBin(msgspec.Struct, frozen=True):
    """`count` touches took at least `from_ns` and less than `to_ns`; `faulted` of them faulted, null: not known."""

    from_ns: Count
    to_ns: Count
    count: Count
    faulted: Count | None = None


class FaultRun(msgspec.Struct, frozen=True):
    """So many pages in a row whose touch took so many faults each; 255 stands for 255 and more."""

    faults: Count
    pages: Size


class FaultGroup(msgspec.Struct, frozen=True):
    """These runs one after the other, so many times: with a window of 16 pages, one page with a fault, 15 without."""

    times: Size
    runs: list[FaultRun]


class PageLatency(msgspec.Struct, frozen=True):
    """Latency by page from the start of the buffer, so many neighbouring pages an entry, 1024 entries at most.

    `median_ns`: of the pages of an entry, then of the runs (the first 64); `max_ns`: of all pages and runs.
    """

    pages_per_group: Size
    median_ns: list[Count]
    max_ns: list[Count]


class TouchPass(msgspec.Struct, frozen=True):
    """One pass over all pages; read-then-write has two, the others one.

    `fault_map`: the faults of each page's touch, by page from the start of the buffer. It ends early where the
    pattern is too long to keep (256 groups).
    """

    access: Literal["write", "read"]
    faults: Count
    faults_per_page: Duration
    prefault_window_pages: Count | None
    ns: Count
    fault_map: list[FaultGroup] = []
    page_latency: PageLatency | None = None


class Mechanism(msgspec.Struct, frozen=True):
    """The known way of mapping that explains the counts, and where the kernel does it."""

    name: str
    source: str


class PerRun(msgspec.Struct, frozen=True):
    """The runs one by one, in the order of time: what a comparison tests. One entry a run in every list.

    `faults` and `stages_ns` by stage; `fault_ns` and `hit_ns` have "p50" and "p99" of the touches of each run that
    faulted or did not, and are empty where a run had none.
    """

    faults: dict[str, list[Count]] = {}
    stages_ns: dict[str, list[Count]] = {}
    fault_ns: dict[str, list[Count]] = {}
    hit_ns: dict[str, list[Count]] = {}


class FaultLatencyResult(msgspec.Struct, frozen=True):
    """The cost of touching one mapping: counted, timed, and split by stage.

    `prefault_window_pages` is how many pages a fault made present in a sequential pass, null where none
    faulted; `fault_ns` are the touches that faulted, `hit_ns` those that did not; `private_mapping` is "accepted"
    or the errno of mmap(MAP_PRIVATE), null where that was not asked;
    `address` is where the mapping began; `quantiles_ns` has the latency of all touches at each of QUANTILE_STEPS:
    0, 1 ... 99, 99.1 ... 99.9, 99.99 and 100 %; `spread` is that of ns_per_page.
    """

    target: TargetInfo
    size_bytes: Size
    pages: Size
    access: Access
    order: Order
    phase: Phase
    runs: Size
    faults: PerStage
    faults_per_page: Duration
    prefault_window_pages: Count | None
    stages_ns: PerStage
    ns_per_page: Duration
    fault_ns: Distribution
    hit_ns: Distribution
    vm_flags: list[str]
    clock: ClockInfo
    passes: list[TouchPass] = []
    histogram: list[HistogramBin] = []
    ns_per_page_runs: list[Duration] = []
    mechanism: Mechanism | None = None
    private_mapping: str | None = None
    address: Count | None = None
    per_run: PerRun | None = None
    quantiles_ns: list[Count] = []
    spread: Spread | None = None


class FaultLatencyReport(msgspec.Struct, frozen=True, tag_field="command", tag="fault-latency"):
    """What `drmbench fault-latency` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: Annotated[list[FaultLatencyResult], AtLeastOne]
    caveats: list[Caveat]
    repetition: Repetition | None = None
