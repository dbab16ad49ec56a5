# SPDX-License-Identifier: MIT
"""Errors that a user, a kernel or a file can cause: who, what, errno name, way out, in one line."""

from __future__ import annotations

import errno as errno_table
import os

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_REGRESSION = 3
EXIT_UNSUPPORTED = 77
EXIT_CANNOT_TEST = 125
"""What `git bisect run` takes for "skip this one"."""


# Where two symbols share a number, the one that kernel source uses.
_KERNEL_NAMES = {errno_table.EOPNOTSUPP: "EOPNOTSUPP", errno_table.EAGAIN: "EAGAIN", errno_table.EDEADLK: "EDEADLK"}


def errno_name(number: int) -> str:
    """The symbol of an errno: 22 -> "EINVAL"; an unknown number comes back as "errno 4095"."""
    return _KERNEL_NAMES.get(number) or errno_table.errorcode.get(number, f"errno {number}")


class DrmbenchError(Exception):
    """One line for a person: `who: what: ERRNO: reason: way out`; the parts left empty are left out.

    who     the thing that refused: a driver, a node, a file, a sub-command
    what    the operation: "CREATE_DUMB", "mmap", "open"
    errno   positive errno number, or None where no system call was involved
    reason  what it means here; None takes the C library's text for the errno
    remedy  what the reader can do next
    story   the line without its remedy
    """

    exit_code = EXIT_ERROR

    def __init__(
        self,
        who: str,
        what: str,
        *,
        errno: int | None = None,
        reason: str | None = None,
        remedy: str = "",
    ) -> None:
        self.who = who
        self.what = what
        self.errno = errno
        self.remedy = remedy
        self.reason = os.strerror(errno) if reason is None and errno is not None else (reason or "")
        symbol = "" if errno is None else errno_name(errno)
        self.story = _joined(who, what, symbol, self.reason)
        super().__init__(_joined(self.story, remedy))


def _joined(*parts: str) -> str:
    return one_line(": ".join(part for part in parts if part))


class UsageError(DrmbenchError):
    """The command line asks for something that makes no sense; exit status 2."""

    exit_code = EXIT_USAGE


class UnsupportedError(DrmbenchError):
    """Nothing here can do what was asked for; exit status 77, the automake and IGT word for "skipped"."""

    exit_code = EXIT_UNSUPPORTED


def printable(text: str) -> str:
    """`text` with a blank for each control or invisible character: no file and no driver drives the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def one_line(text: str) -> str:
    """The same without blanks around it."""
    return printable(text).strip()
