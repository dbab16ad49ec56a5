# SPDX-License-Identifier: MIT
"""One case in one process: what it says, or how it crashed, hung, or left something behind."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from drmbench.conformance.case import Skipped
from drmbench.conformance.child import ForkedChild
from drmbench.conformance.left_behind import differences, grown, holdings, machine_memory
from drmbench.conformance.subject import Subject, open_file
from drmbench.conformance.verdict import Judgement, fail, judged, verdict_of
from drmbench.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drmbench.conformance.case import Case
    from drmbench.conformance.kernel_log import KernelLog
    from drmbench.targets import Target

LEFT_BEHIND = "left behind"
NOTHING = "nothing"
_DIES_WITHIN_S = 3.0
_LEAKS_TO_BELIEVE = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case runs: target, buffer kind, buffer size, and how much slower than usual this machine may be.

    needs   what was found out before: the name of a need -> "" or why it is not met here
    """

    target: Target
    kind: str
    size_bytes: int
    time_factor: float = 1.0
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a case ended, what the kernel logged meanwhile, and how long its process lived."""

    judgement: Judgement
    kernel_log: list[str]
    duration_ns: int


def run_case(case: Case, place: Place, log: KernelLog) -> Ended:
    """Run the case in a process of its own. Memory that the machine is missing afterwards counts where it repeats.

    A need that is known not to be met skips the case without one.
    """
    reason = next(filter(None, (place.needs.get(need.name) for need in case.needs)), None)
    if reason is not None:
        return Ended(Judgement("skip", reason=one_line(reason)), [], 0)
    for run in range(1, _LEAKS_TO_BELIEVE + 1):
        before = machine_memory()
        ended = run_apart(lambda: work_through(case, place), case.time_limit_s * place.time_factor, log)
        kept = grown(before, place.size_bytes) if ended.judgement.verdict == "pass" else ""
        if not kept:
            break
        if run == _LEAKS_TO_BELIEVE:
            ended = replace(ended, judgement=fail(LEFT_BEHIND, NOTHING, f"{kept}, {run} times in a row"))
    return ended


def run_apart(work: Callable[[], Judgement], limit_s: float, log: KernelLog) -> Ended:
    """Run `work` in a process of its own, and kill it, and what it forked, after the time limit."""
    started = time.monotonic_ns()
    close = (log.fd,) if log.fd >= 0 else ()
    try:
        child = ForkedChild(lambda: msgspec.json.encode(work()), own_group=True, close=close)
    except OSError as error:
        return Ended(Judgement("broken", reason=f"fork: {error}"), [], 0)
    try:
        judgement = _ended(child, limit_s)
    finally:
        child.kill()
        child.close()
    return Ended(judgement, log.complaints(), time.monotonic_ns() - started)


def _ended(child: ForkedChild, limit_s: float) -> Judgement:
    limit = f"it ends within {limit_s:.3g} s"
    if child.wait(limit_s):
        judgement = verdict_of(child)
        if judgement.verdict == "pass" and child.group_is_alive():
            return fail(LEFT_BEHIND, NOTHING, "a process that it forked")
        return judgement
    where = child.where()
    child.kill()
    if child.wait(_DIES_WITHIN_S):
        return fail("the process", limit, f"it had to be killed ({where})")
    return fail("the process", limit, f"SIGKILL does not end it ({child.where()}); process {child.pid} stays behind")


def work_through(case: Case, place: Place) -> Judgement:
    """In the case's own process: open the target, check the needs, run the case, and look what it left."""
    before = holdings()
    handles: list[int] = []

    def opened() -> Judgement:
        with open_file(place.target) as file:
            subject = Subject(place.target, place.kind, place.size_bytes, file, place.time_factor)
            judgement = judged(lambda: _run(case, subject, place.needs))
            handles.extend(file.handles_left())
        return judgement

    whole = judged(opened)
    judgement = whole.value if whole.verdict == "pass" else whole
    if judgement.verdict != "pass":
        return msgspec.structs.replace(judgement, value=None)
    observed = one_line(judgement.value) if isinstance(judgement.value, str) else ""
    left = differences(before, holdings())
    if handles:
        left.append(f"GEM handles {', '.join(map(str, handles))}")
    return fail(LEFT_BEHIND, NOTHING, "; ".join(left)) if left else Judgement("pass", observed=observed)


def _run(case: Case, subject: Subject, known: Mapping[str, str]) -> str | None:
    for need in case.needs:
        reason = known[need.name] if need.name in known else need.missing(subject)
        if reason:
            raise Skipped(reason)
    return case.run(subject)
