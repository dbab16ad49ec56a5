# SPDX-License-Identifier: MIT
"""The report: one typed document a run collects and every table, file and comparison reads.

Durations are ns, sizes bytes, faults are minor and major together. Fields are only ever added; a reader
ignores those it does not know. `null` stands where there is nothing to measure.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

SCHEMA_VERSION: Literal[1] = 1

STAGES = ("create", "map_offset", "mmap", "touch", "munmap", "destroy")

Access = Literal["write", "read", "read-then-write"]
Order = str  # sequential, reverse, random or stride:N
Phase = Literal["cold", "warm"]
Verdict = Literal["real", "no-op", "refused", "moot"]

Count = Annotated[int, msgspec.Meta(ge=0)]
Size = Annotated[int, msgspec.Meta(gt=0)]
Duration = Annotated[float, msgspec.Meta(ge=0)]


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
    """`count` touches took at least `from_ns` and less than `to_ns`."""

    from_ns: Count
    to_ns: Count
    count: Count


class TouchPass(msgspec.Struct, frozen=True):
    """One pass over all pages; read-then-write has two, the others one."""

    access: Literal["write", "read"]
    faults: Count
    faults_per_page: Duration
    prefault_window_pages: Count | None
    ns: Count


class Mechanism(msgspec.Struct, frozen=True):
    """The known way of mapping that explains the counts, and where the kernel does it."""

    name: str
    source: str


class ClockInfo(msgspec.Struct, frozen=True):
    """The clock; its overhead is already taken off every duration in this document."""

    source: str
    overhead_ns: Count
    resolution_ns: Count


class FaultLatencyResult(msgspec.Struct, frozen=True):
    """The cost of touching one mapping: counted, timed, and split by stage.

    `prefault_window_pages` is how many pages a fault made present in a sequential pass, null where none
    faulted; `fault_ns` are the touches that faulted, `hit_ns` those that did not.
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


class StrategyFaults(msgspec.Struct, frozen=True):
    """Faults per run (median) of mmap(), of the populate step and of the touch pass after it."""

    mmap: Count
    populate: Count
    touch: Count


class StrategyResult(msgspec.Struct, frozen=True):
    """One way to populate: what the kernel did, by count, and what it cost against lazy.

    The times are those of the run with the median total and add up to it; the ratio is the median of the
    ratios taken run by run.
    """

    verdict: Verdict
    reason: str
    errno: str | None
    faults: StrategyFaults
    mmap_ns: Count
    populate_ns: Count
    touch_ns: Count
    total_ns: Count
    ratio_to_lazy: Duration | None
    ratio_to_lazy_min: Duration | None = None
    ratio_to_lazy_max: Duration | None = None


class ComparePopulateResult(msgspec.Struct, frozen=True):
    """All strategies on one buffer kind, runs interleaved."""

    target: TargetInfo
    size_bytes: Size
    pages: Size
    access: Access
    vm_flags: list[str]
    strategies: dict[str, StrategyResult]
    order: Order = "sequential"
    runs: Size = 1
    clock: ClockInfo | None = None


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


class FaultLatencyReport(msgspec.Struct, frozen=True, tag_field="command", tag="fault-latency"):
    """What `drmbench fault-latency` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: list[FaultLatencyResult]
    caveats: list[Caveat]


class ComparePopulateReport(msgspec.Struct, frozen=True, tag_field="command", tag="compare-populate"):
    """What `drmbench compare-populate` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: list[ComparePopulateResult]
    caveats: list[Caveat]


Report = FaultLatencyReport | ComparePopulateReport


class DeviceEntry(msgspec.Struct, frozen=True):
    """One DRM device as `drmbench devices` shows it."""

    primary: str | None
    render: str | None
    driver: str | None
    description: str | None
    version: str | None
    bus: str
    bus_id: str
    pci_id: str | None
    sysfs: str
    dumb_buffers: bool | None
    backends: dict[str, list[str]]
    problem: str | None
    capabilities: dict[str, int] = {}


class DeviceList(msgspec.Struct, frozen=True, tag_field="command", tag="devices"):
    """What `drmbench devices --json` prints."""

    schema_version: Literal[1]
    devices: list[DeviceEntry]
    baselines: list[str]
