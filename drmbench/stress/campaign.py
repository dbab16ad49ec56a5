# SPDX-License-Identifier: MIT
"""Rounds on one buffer kind until the time is over or something fails: random programs, or a replay again and again."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from drmbench.caveats import memory_grown
from drmbench.conformance.left_behind import grown, machine_memory
from drmbench.model import StressFailure, StressResult, TargetInfo
from drmbench.stress.inquest import investigate
from drmbench.stress.neighbours import alone, in_company
from drmbench.stress.program import Round
from drmbench.stress.steps import describe
from drmbench.stress.trial import LEAST_LEAK_BYTES, Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.measurement import Progress
    from drmbench.model import Caveat
    from drmbench.stress.inquest import Finding
    from drmbench.stress.program import Program
    from drmbench.stress.trial import Lab, Trial

STEPS_OF_A_ROUND = 250
_LOOK_AT_MEMORY_EVERY_S = 30.0
_LEAKS_TO_BELIEVE = 2
_TRIES_TO_LEAK = 5
_COUNTS = ("pages_checked", "pages_written", "signals", "faults")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run: `program` instead of random ones where there is one, once where `seconds` is 0."""

    seed: int
    threads: int
    seconds: float
    program: Program | None = None


class Clock:
    """Tells the progress of each second that has passed."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._label = label
        self._started = time.monotonic()
        self._told = 0

    def now(self, text: str) -> None:
        """What happens."""
        while self._told < time.monotonic() - self._started:
            self._told += 1
            self._progress.advance()
        self._progress.now(f"{self._label}: {text}")


@dataclass(slots=True)
class Campaign:
    """The rounds on one site. `interrupted` once Ctrl-C ended them."""

    lab: Lab
    wanted: Wanted
    clock: Clock
    save: Callable[[Finding], str]
    rounds: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    peak_live_bytes: int = 0
    longest: tuple[int, list[int]] = (0, [])
    failure: StressFailure | None = None
    notes: list[Caveat] = field(default_factory=list)
    interrupted: bool = False

    def run(self) -> StressResult:
        """All rounds; the first failure ends them."""
        started = time.monotonic_ns()
        try:
            self._rounds()
        except KeyboardInterrupt:
            self.interrupted = True
        lost = self.lab.attach()
        if lost is not None and self.failure is None:
            self.failure = StressFailure(lost.category, lost.what, lost.expected, lost.actual, self.rounds,
                                         kernel_log=lost.kernel_log)
        target = self.lab.site.target
        return StressResult(
            target=TargetInfo(target.kind, target.node, target.driver, target.description, self.lab.site.kind),
            rounds=self.rounds, steps=dict(self.steps.most_common()), peak_live_bytes=self.peak_live_bytes,
            duration_ns=time.monotonic_ns() - started, failure=self.failure,
            **{name: self.totals[name] for name in _COUNTS},
        )

    def _rounds(self) -> None:
        end_s = time.monotonic() + self.wanted.seconds
        with alone():
            memory = machine_memory()
        looked_s = time.monotonic()
        while self.failure is None and (self.rounds == 0 or time.monotonic() < end_s):
            self.clock.now(f"round {self.rounds}, {self.steps.total()} steps")
            with in_company():
                trial = self._trial(end_s)
            self._count(trial)
            if trial.failed is not None:
                self._fail(trial.failed, self.rounds, trial.taken)
            elif time.monotonic() >= min(looked_s + _LOOK_AT_MEMORY_EVERY_S, end_s):
                memory = self._look_at_memory(memory)
                looked_s = time.monotonic()
            self.rounds += 1

    def _round(self, number: int) -> Round:
        return Round(self.wanted.seed, number, self.wanted.threads, STEPS_OF_A_ROUND)

    def _trial(self, end_s: float) -> Trial:
        if self.wanted.program is not None:  # always whole: a replay has an end of its own
            return self.lab.replay(self.wanted.program, time.monotonic() + 1000 * self.lab.time_factor)
        this = self._round(self.rounds)
        return self.lab.run(this.sources(), this.shared(self.lab.site.limits), end_s)

    def _count(self, trial: Trial) -> None:
        self.steps.update(trial.counts.get("steps", {}))
        for name in _COUNTS:
            self.totals[name] += trial.counts.get(name, 0)
        if sum(trial.taken) >= sum(self.longest[1]):
            self.longest = (self.rounds, trial.taken)
        self.peak_live_bytes = max(self.peak_live_bytes, trial.counts.get("peak_live_bytes", 0))

    def _program(self, number: int, taken: list[int]) -> Program:
        """What was run, as far as it was run."""
        if self.wanted.program is not None:
            return self.wanted.program
        return self._round(number).program(self.lab.site.traits, self.lab.site.limits, taken)

    def _look_at_memory(self, before: dict[str, int]) -> dict[str, int]:
        """Fail where memory is missing and each repetition of a round takes more; returns what is used now."""
        with alone():
            kept = grown(before, LEAST_LEAK_BYTES)
            now = machine_memory()
        if kept:
            program = self._program(*self.longest)
            failed = self._leak(program)
            if failed is not None:
                self._fail(failed, *self.longest)
            else:
                self.notes.append(memory_grown(self.lab.site.target.label, kept))
        return now

    def _leak(self, program: Program) -> Failed | None:
        """What the program takes each time, None where it takes nothing, or another amount each time.

        Others on a busy machine take and give back as well, but hardly the same amount twice.
        """
        seen: Counter[str] = Counter()
        for _try in range(_TRIES_TO_LEAK):
            found = self.lab.leak(program, time.monotonic() + 1000 * self.lab.time_factor)
            if found is None:
                continue
            seen[found.actual] += 1
            if found.category != "memory" or seen[found.actual] == _LEAKS_TO_BELIEVE:
                return found
        return None

    def _fail(self, failed: Failed, number: int, taken: list[int]) -> None:
        program = self._program(number, taken)
        self.failure = StressFailure(  # should Ctrl-C end the inquest
            failed.category, failed.what, failed.expected, failed.actual, number, failed.thread, failed.step,
            failed.kernel_log, shared=program.shared, program=_listed(program),
        )
        finding = investigate(self.lab, program, failed, self.clock.now)
        # What is told is the first failure: the smaller program's may be about other pages.
        self.failure = msgspec.structs.replace(
            self.failure, reproduced=finding.reproduced, replay=self.save(finding), shared=finding.program.shared,
            program=_listed(finding.program),
        )


def _listed(program: Program) -> list[list[str]]:
    return [[describe(step) for step in steps] for steps in program.threads]
