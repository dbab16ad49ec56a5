# SPDX-License-Identifier: MIT
"""What a case is, how it says what it found, and what it expects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from drmbench.conformance.memory import SignalError
from drmbench.errors import DrmbenchError, errno_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from drmbench.conformance.subject import Subject

T = TypeVar("T")

DEFAULT_TIME_LIMIT_S = 20.0
SUCCESS = "success"

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*")


class Failed(Exception):  # noqa: N818 (a verdict)
    """The kernel did something else: `what` was done, what was `expected` of it, what it `actual`ly did."""

    def __init__(self, what: str, expected: str, actual: str) -> None:
        super().__init__(f"{what}: expected {expected}, got {actual}")
        self.what = what
        self.expected = expected
        self.actual = actual


class Skipped(Exception):  # noqa: N818 (a verdict)
    """The case cannot be run here, for `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Need:
    """Something a case cannot do without. `missing` looks at the running system: "" or why it is not there."""

    name: str
    missing: Callable[[Subject], str]


@dataclass(frozen=True, slots=True)
class Case:
    """One rule of the kernel and the function that checks it.

    name    "group/case"; the group is the name of its module
    rule    what the kernel promises, in one sentence
    source  the kernel file and function, or the man page, that says so
    needs   what it takes
    per     "buffer": run for every buffer kind that was asked for; "device": once a device
    last    it takes the device from its driver for a while, so it runs when all others have, once a device
    run     returns where the rule holds, and raises Failed or Skipped otherwise; where the rule leaves a choice,
            it returns what the kernel chose, in words
    """

    name: str
    rule: str
    source: str
    needs: tuple[Need, ...]
    time_limit_s: float
    per: Literal["buffer", "device"]
    run: Callable[[Subject], str | None]
    last: bool = False


def case(
    name: str, *, rule: str, source: str, needs: tuple[Need, ...] = (), time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    per: Literal["buffer", "device"] = "buffer", last: bool = False,
) -> Callable[[Callable[[Subject], str | None]], Case]:
    """Make a Case of the function below it; the time limit is longer where the CPU is emulated."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no case name: group/case, of a-z, 0-9 and -")

    def decorate(run: Callable[[Subject], str | None]) -> Case:
        return Case(name, rule, source, needs, time_limit_s, per, run, last)

    return decorate


def expect(what: str, expected: object, actual: object) -> None:
    """Fail unless both are equal; text stands as it is, anything else as repr()."""
    if expected != actual:
        raise Failed(what, _text(expected), _text(actual))


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def expect_errno(what: str, allowed: int | Collection[int], call: Callable[[], object]) -> int:
    """Fail unless `call` raises an OSError with one of the errnos; returns the one it was.

    What `call` gets where it succeeds is the case's to give back: a leak is found and reported as well.
    """
    numbers = (allowed,) if isinstance(allowed, int) else tuple(allowed)
    expected = " or ".join(errno_name(number) for number in numbers)
    number = errno_of(call)
    if number is None or number not in numbers:
        raise Failed(what, expected, SUCCESS if number is None else errno_name(number))
    return number


def errno_of(call: Callable[[], object]) -> int | None:
    """The errno of the OSError (or DrmbenchError) that `call` raises, None where it succeeds."""
    try:
        call()
    except OSError as error:
        return error.errno
    except DrmbenchError as error:
        if error.errno is None:
            raise
        return error.errno
    return None


def outcome_of(call: Callable[[], object]) -> str:
    """The same as text: "success" or the errno's symbol."""
    number = errno_of(call)
    return SUCCESS if number is None else errno_name(number)


def expect_signal(what: str, allowed: int | Collection[int], access: Callable[[], object]) -> int:
    """Fail unless `access` (drmbench.conformance.memory) ends in one of the signals; returns the one it was."""
    import signal  # noqa: PLC0415 (only failing accesses need the names)

    numbers = (allowed,) if isinstance(allowed, int) else tuple(allowed)
    expected = " or ".join(signal.Signals(number).name for number in numbers)
    try:
        access()
    except SignalError as ended:
        if ended.signal_number in numbers:
            return ended.signal_number
        raise Failed(what, expected, ended.name) from None
    raise Failed(what, expected, "no signal")
