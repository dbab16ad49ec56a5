# SPDX-License-Identifier: MIT
"""After a failure: does it happen again, and with how few steps?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drmbench.stress.reduce import OutOfTimeError, Reduction

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.stress.program import Program
    from drmbench.stress.trial import Failed, Lab

_TRIES = 4
_LONGEST_TRIAL_S = 30.0
_BUDGET_S = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The smallest program that fails the same way, or the whole one where it does not."""

    program: Program
    reproduced: Literal["yes", "sometimes", "no"]
    failed: Failed


def investigate(lab: Lab, program: Program, failed: Failed, now: Callable[[str], None]) -> Finding:
    """Repeat the program, and make it smaller as long as it fails the same way and there is time.

    A machine whose CPU is emulated gets more of it. `now` is told what is going on.
    """
    inquest = _Inquest(lab, failed, time.monotonic() + _BUDGET_S * lab.time_factor, now)
    now("does it happen again?")
    hits = sum(inquest.fails_now(program) for _try in range(_TRIES))
    if hits == 0:
        return Finding(program, "no", failed)
    inquest.tries = 1 if hits == _TRIES else _TRIES
    smallest = Reduction(program, inquest.fails).run(failed.thread)
    return Finding(smallest, "yes" if hits == _TRIES else "sometimes", inquest.last)


@dataclass(slots=True)
class _Inquest:
    lab: Lab
    failed: Failed
    deadline_s: float
    now: Callable[[str], None]
    tries: int = 1
    last: Failed = None  # type: ignore[assignment] # set below

    def __post_init__(self) -> None:
        self.last = self.failed

    def fails(self, program: Program) -> bool:
        """Whether the smaller program fails the same way, within so many tries. Raises OutOfTimeError."""
        if time.monotonic() >= self.deadline_s:
            raise OutOfTimeError
        self.now(f"making the replay smaller: {program.length} steps")
        return any(self.fails_now(program) for _try in range(self.tries))

    def fails_now(self, program: Program) -> bool:
        """Whether it fails the same way, this time."""
        limit_s = time.monotonic() + _LONGEST_TRIAL_S * self.lab.time_factor
        if self.failed.category == "memory":
            found = self.lab.leak(program, limit_s)
        else:
            found = self.lab.replay(program, limit_s).failed
        if found is None or not self.failed.resembles(found):
            return False
        self.last = found
        return True
