# SPDX-License-Identifier: MIT
"""What `drmbench stress` reports."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from drmbench.model.common import AtLeastOne, Caveat, Count, Environment, Size, TargetInfo

FailureCategory = Literal["errno", "signal", "content", "handle", "offset", "left behind", "memory", "kernel log",
                          "crash", "hang", "harness"]


class StressFailure(msgspec.Struct, frozen=True):
    """The first step that did not do what it must.

    thread, step  where, None where it is not known: a crash, or something left behind
    reproduced    whether a replay of the steps failed the same way: each time, sometimes or never
    replay        file with the steps, "" where none was written
    program       the smallest steps found, of each thread; `shared` are the pages of each buffer that they share
    """

    category: FailureCategory
    what: str
    expected: str
    actual: str
    round: Count
    thread: int | None = None
    step: str = ""
    kernel_log: list[str] = []
    reproduced: Literal["yes", "sometimes", "no", "not tried"] = "not tried"
    replay: str = ""
    program: list[list[str]] = []
    shared: list[Size] = []


class StressResult(msgspec.Struct, frozen=True):
    """All rounds on one buffer kind of one target; every round is a program in a process of its own.

    steps            how many of each kind
    pages_checked    pages of which every byte was compared with what must be there
    signals          accesses that ended in SIGSEGV or SIGBUS, as they must
    faults           of all accesses, minor and major, children's included
    peak_live_bytes  buffers alive at once
    """

    target: TargetInfo
    rounds: Count
    steps: dict[str, int]
    pages_checked: Count
    pages_written: Count
    signals: Count
    faults: Count
    peak_live_bytes: Count
    duration_ns: Count
    failure: StressFailure | None = None


class StressParameters(msgspec.Struct, frozen=True):
    """What was asked for. The same seed, threads and size give the same programs on the same device.

    live_limit_bytes  buffers of all threads together never exceed it
    replay            the file that was replayed, None for random programs
    """

    devices: list[str]
    buffer: str | None
    size_bytes: Size
    seconds: float
    threads: Size
    seed: int
    live_limit_bytes: Size
    replay: str | None = None
    unbind: bool = False


class StressReport(msgspec.Struct, frozen=True, tag_field="command", tag="stress"):
    """What `drmbench stress` found."""

    schema_version: Literal[1]
    environment: Environment
    parameters: StressParameters
    results: Annotated[list[StressResult], AtLeastOne]
    caveats: list[Caveat]
