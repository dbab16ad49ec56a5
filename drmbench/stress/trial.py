# SPDX-License-Identifier: MIT
"""One program in a process of its own: what it did, and how it failed."""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

from msgspec import structs

from drmbench.conformance.isolation import Ended, run_apart
from drmbench.conformance.left_behind import grown, machine_memory
from drmbench.conformance.verdict import Judgement, fail
from drmbench.errors import errno_name
from drmbench.model import FailureCategory
from drmbench.stress.neighbours import alone
from drmbench.stress.port import BACK_WITHIN_S
from drmbench.stress.program import Listed
from drmbench.stress.worker import Job, work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drmbench.conformance.kernel_log import KernelLog
    from drmbench.stress.port import Port
    from drmbench.stress.program import Program, Source
    from drmbench.stress.worker import Site

_HANGS_AFTER_S = 30.0
LEAST_LEAK_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Failed:
    """How a program failed; `kind` is that of the step."""

    category: FailureCategory
    what: str
    expected: str
    actual: str
    thread: int | None = None
    step: str = ""
    kind: str = ""
    kernel_log: list[str] = field(default_factory=list)

    def resembles(self, other: Failed | None) -> bool:
        """Whether it is the same failure again, as far as one can tell: pages and slots may differ."""
        if other is None or self.category != other.category:
            return False
        if self.category == "errno":
            return (self.kind, self.expected, self.actual) == (other.kind, other.expected, other.actual)
        return self.category != "signal" or (self.expected, self.actual) == (other.expected, other.actual)


@dataclass(frozen=True, slots=True)
class Trial:
    """The end of a program: its counts, the steps that each thread had taken, and what went wrong."""

    counts: dict[str, Any]
    taken: list[int]
    failed: Failed | None


@dataclass(frozen=True, slots=True)
class Lab:
    """Where trials are made, and how patient one is: `time_factor` for a slow machine."""

    site: Site
    log: KernelLog
    time_factor: float

    def run(self, sources: Sequence[Source], shared: Sequence[int], deadline_s: float) -> Trial:
        """A program whose steps come from the sources, until a moment of the monotonic clock."""
        lost = self.attach()
        if lost is not None:
            return Trial({}, [0] * len(sources), lost)
        size = 8 * len(sources)
        with mmap.mmap(-1, size) as memory, memoryview(memory).cast("Q") as marks:
            limit_s = max(0.0, deadline_s - time.monotonic()) + _HANGS_AFTER_S * self.time_factor
            job = Job(self.site, sources, shared, deadline_s, marks)
            ended = run_apart(lambda: work(job), limit_s, self.log)
            taken = list(marks)
        value = ended.judgement.value or {}
        return Trial(value.get("counts", {}), taken, _failure(ended, value.get("failure") or {}))

    def attach(self) -> Failed | None:
        """Give the device its driver back where a round was killed between taking and giving.

        In a process of its own, which may hang as that round did.
        """
        port = self.site.port
        if port is None or port.node is not None:
            return None
        ended = run_apart(lambda: _bind(port), 2 * BACK_WITHIN_S * self.time_factor, self.log)
        return _failure(ended, ended.judgement.value or {})

    def replay(self, program: Program, deadline_s: float) -> Trial:
        """A program whose steps are known."""
        return self.run([Listed(steps) for steps in program.threads], program.shared, deadline_s)

    def leak(self, program: Program, deadline_s: float) -> Failed | None:
        """What the machine is missing after the program, when no other stress run is on."""
        with alone():
            before = machine_memory()
            trial = self.replay(program, deadline_s)
            kept = grown(before, LEAST_LEAK_BYTES)
        if trial.failed is not None or not kept:
            return trial.failed
        return Failed("memory", "the machine's memory", "as before", f"{kept} more")


def _bind(port: Port) -> Judgement:
    try:
        port.bind()
    except OSError as error:
        refused = fail("bind", "success", errno_name(error.errno or 0))
        return structs.replace(refused, value={"category": "errno", "kind": "bind"})
    return Judgement("pass")


def _failure(ended: Ended, found: dict[str, Any]) -> Failed | None:
    judgement = ended.judgement
    if judgement.verdict == "pass":
        if not ended.kernel_log:
            return None
        return Failed("kernel log", "kernel log", "no complaint", ended.kernel_log[0], kernel_log=ended.kernel_log)
    if judgement.verdict == "broken":
        return Failed("harness", "drmbench itself", "it works", judgement.reason, kernel_log=ended.kernel_log)
    expected, actual = judgement.expected or "", judgement.actual or ""
    category = found.get("category") or ("hang" if expected.startswith("it ends within") else "crash")
    if category not in get_args(FailureCategory):
        category = "harness"
    return Failed(cast("FailureCategory", category), judgement.what, expected, actual, found.get("thread"),
                  found.get("step", ""), found.get("kind", ""), ended.kernel_log)
