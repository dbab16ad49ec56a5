# SPDX-License-Identifier: MIT
"""What `drmbench bandwidth` reports."""

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

SWEEPS = ("read", "write", "fill", "copy-to", "copy-from")
"""What is done to a mapping: all of it loaded, stored to, filled with a byte, copied to or from other memory."""
SWEEP_ACCESSES = ("scalar", "vector16", "vector32", "nontemporal", "libc")
"""How: words of 8 bytes, vectors of 16 or 32 bytes, instructions that bypass the cache, memcpy() and memset()."""

SweepName = Literal["read", "write", "fill", "copy-to", "copy-from"]
SweepAccess = Literal["scalar", "vector16", "vector32", "nontemporal", "libc"]
CachingMode = Literal["WB", "WC", "UC"]


class BandwidthPass(msgspec.Struct, frozen=True):
    """One operation by one way of access, in bytes a second: the median, least and most of the runs, and each run.

    `bytes` are those of the mapping that a run moves, counted once for a copy; `times` how often it sweeps over
    them; `faults` the sum over all runs, which is 0 in a steady state.
    """

    operation: SweepName
    access: SweepAccess
    instructions: str
    bytes: Size
    times: Size
    faults: Count
    bytes_per_s: Duration
    bytes_per_s_min: Duration
    bytes_per_s_max: Duration
    bytes_per_s_runs: list[Duration]


class StreamLimits(msgspec.Struct, frozen=True):
    """What one thread gets from private anonymous memory, as STREAM counts it: bytes loaded and stored a second."""

    array_bytes: Size
    copy_bytes_per_s: Duration
    triad_bytes_per_s: Duration
    wrong_elements: Count


class Caching(msgspec.Struct, frozen=True):
    """How the CPU caches the mapping, as far as its speed tells: write-back, write-combining, uncached; null: unknown.

    `evidence` are the ratios that decided; `text` says what follows from them, or why nothing does.
    """

    mode: CachingMode | None
    text: str
    evidence: list[str]


class BandwidthResult(msgspec.Struct, frozen=True):
    """How fast the CPU moves bytes through one mapping whose pages are all present.

    `checked_bytes` of the mapping were compared after an untimed sweep of each pass; `problems`: passes that were
    left out, by "OPERATION ACCESS"; `cache_bytes` is the last-level cache; `stream` belongs to anon.
    """

    target: TargetInfo
    size_bytes: Size
    pages: Size
    runs: Size
    checked_bytes: Count
    passes: Annotated[list[BandwidthPass], AtLeastOne]
    problems: dict[str, str]
    vm_flags: list[str]
    cache_bytes: Count | None
    clock: ClockInfo
    caching: Caching
    stream: StreamLimits | None = None


class BandwidthReport(msgspec.Struct, frozen=True, tag_field="command", tag="bandwidth"):
    """What `drmbench bandwidth` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: Parameters
    results: Annotated[list[BandwidthResult], AtLeastOne]
    caveats: list[Caveat]
    repetition: Repetition | None = None
