# SPDX-License-Identifier: MIT
"""What `drmbench lifecycle` reports."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import (
    AtLeastOne,
    Caveat,
    ClockInfo,
    Count,
    Duration,
    Environment,
    Parameters,
    Repetition,
    Size,
    TargetInfo,
)
from drmbench.model.fault_latency import Distribution

LIFE_OPERATIONS = ("create", "map_offset", "mmap", "munmap", "export", "import", "destroy")
"""A buffer's life in order; export and import are PRIME_HANDLE_TO_FD and PRIME_FD_TO_HANDLE into another open file."""


class OperationCost(msgspec.Struct, frozen=True):
    """One system call of a buffer's life: how often it was made, what it took, and its faults in all calls.

    `per_s` is the rate of calls made one after the other: `calls` over the sum of their times.
    """

    operation: str
    calls: Size
    faults: Count
    per_s: Duration
    latency_ns: Distribution


class LifecycleResult(msgspec.Struct, frozen=True):
    """Buffers of one size made, mapped and destroyed one by one, while `live_buffers` - 1 others are mapped.

    `cycles` is how many lives a run has; `vmas` how many mappings the process had meanwhile; `problems`: operations
    that there are none of here, and why.
    """

    target: TargetInfo
    size_bytes: Size
    live_buffers: Size
    runs: Size
    cycles: Size
    vmas: Count
    operations: Annotated[list[OperationCost], AtLeastOne]
    problems: dict[str, str]
    clock: ClockInfo


class LifecycleReport(msgspec.Struct, frozen=True, tag_field="command", tag="lifecycle"):
    """What `drmbench lifecycle` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: Annotated[list[LifecycleResult], AtLeastOne]
    caveats: list[Caveat]
    repetition: Repetition | None = None
