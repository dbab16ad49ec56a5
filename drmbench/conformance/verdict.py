# SPDX-License-Identifier: MIT
"""From what a function raised to a verdict that travels through a pipe, and back."""

from __future__ import annotations

import os
import signal
import traceback
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from drmbench.buffer import TooLargeError
from drmbench.conformance.calls import RefusedError
from drmbench.conformance.case import SUCCESS, Failed, Skipped
from drmbench.conformance.child import VANISHED
from drmbench.conformance.memory import SignalError
from drmbench.errors import DrmbenchError, errno_name, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.conformance.child import ForkedChild


class Judgement(msgspec.Struct, frozen=True):
    """How one function ended; `value` is what it returned, `observed` what a case saw that its rule leaves open."""

    verdict: Literal["pass", "fail", "skip", "broken"]
    what: str = ""
    expected: str | None = None
    actual: str | None = None
    reason: str = ""
    observed: str = ""
    value: Any = None
    too_large: bool = False


class BrokenError(Exception):
    """The harness itself failed; the text says how."""


def fail(what: str, expected: str, actual: str) -> Judgement:
    """The kernel did something else."""
    return Judgement("fail", one_line(what), one_line(expected), one_line(actual))


def judged(work: Callable[[], Any]) -> Judgement:
    """Run it and say how it ended; nothing but the end of the process escapes.

    A refusal by the kernel that the work did not expect is a failure of the kernel's promise, any other
    exception one of the harness.
    """
    try:
        return Judgement("pass", value=work())
    except BaseException as error:  # noqa: BLE001 (whatever it is, the parent must hear of it)
        return _judgement_of(error)


def _judgement_of(error: BaseException) -> Judgement:
    match error:
        case Failed():
            found = fail(error.what, error.expected, error.actual)
        case Skipped():
            found = Judgement("skip", reason=one_line(error.reason))
        case RefusedError():
            found = fail(error.call, SUCCESS, errno_name(error.errno or 0))
        case SignalError():
            found = fail("access to the mapping", "no signal", str(error))
        case DrmbenchError(errno=int()):
            found = Judgement(
                "fail", one_line(error.what), SUCCESS, errno_name(error.errno or 0), one_line(error.reason),
                too_large=isinstance(error, TooLargeError),
            )
        case BrokenError() | DrmbenchError():
            found = Judgement("broken", reason=one_line(str(error)))
        case _:
            found = Judgement("broken", reason=_where(error))
    return found


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return one_line(f"{type(error).__name__}: {error}{place}")


def signal_name(number: int) -> str:
    """11 -> "SIGSEGV"; a number without a name comes back as "signal 60"."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def verdict_of(child: ForkedChild) -> Judgement:
    """The judgement of a child that has ended: its own, or that it crashed."""
    status = child.status or 0
    if status == VANISHED:
        return fail("the process", "it exits", "it vanished: the kernel lost it while it exited")
    if os.WIFSIGNALED(status):
        return fail("the process", "it exits", f"it was killed by {signal_name(os.WTERMSIG(status))}")
    try:
        return msgspec.json.decode(child.message, type=Judgement)
    except msgspec.DecodeError as error:
        return Judgement("broken", reason=f"exit status {os.waitstatus_to_exitcode(status)}: {one_line(str(error))}")


def unpacked(child: ForkedChild, limit_s: float) -> Any:  # noqa: ANN401 (whatever JSON holds)
    """Wait for the child; its value, or raise what it ended with: Failed, Skipped or BrokenError."""
    if not child.wait(limit_s):
        raise Failed("the second process", f"it ends within {limit_s:.0f} s", f"still there, {child.where()}")
    judgement = verdict_of(child)
    if judgement.verdict == "fail":
        raise Failed(f"second process: {judgement.what}", judgement.expected or "", judgement.actual or "")
    if judgement.verdict == "skip":
        raise Skipped(judgement.reason)
    if judgement.verdict == "broken":
        raise BrokenError(f"second process: {judgement.reason}")
    return judgement.value
