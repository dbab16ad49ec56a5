# SPDX-License-Identifier: MIT
"""What the kernel complained of while a case ran: /dev/kmsg where it may be read, the taint flags everywhere.

The record format is that of Documentation/ABI/testing/dev-kmsg.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path
from typing import Self

from drmbench.errors import errno_name, one_line

KMSG = "/dev/kmsg"
TAINTED = "/proc/sys/kernel/tainted"
_RECORD_BYTES = 8192
_MOST_LINES = 60
_LINES_AFTER = 40

_COMPLAINT = re.compile(
    r"\bBUG:|\bWARNING: |\bkernel BUG at |\bOops\b|\bUBSAN: |\bKASAN: |\bKMSAN: |\bKCSAN: |\bKFENCE: "
    r"|general protection fault|Unable to handle kernel |\[ cut here \]|\bINFO: task .* blocked for more than"
    r"|possible (circular|recursive) locking|possible irq lock inversion|inconsistent lock state"
    r"|suspicious RCU usage|\brcu: INFO: |soft lockup|hard LOCKUP|\brefcount_t: |list_(add|del) corruption"
    r"|Bad page (state|map)|unreferenced object|sleeping function called|scheduling while atomic"
    r"|DEBUG_LOCKS_WARN_ON|Kernel panic|Memory manager not clean",
)
_END_OF_TRACE = re.compile(r"---\[ end trace|</TASK>.*$")

# include/linux/panic.h: those that a misbehaving driver sets, once until the next boot.
_TAINTS = {5: "B (bad page)", 7: "D (oops)", 9: "W (warning)", 14: "L (soft lockup)"}


class KernelLog:
    """The kernel's log from now on; `problem` says why it cannot be read, "" where it can."""

    def __init__(self, path: str | None = None, tainted: str = TAINTED) -> None:
        self.fd = -1
        self.problem = ""
        self._tainted = tainted
        self._taint = self._taint_now()
        try:
            self.fd = os.open(path or KMSG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self.fd, 0, os.SEEK_END)
        except OSError as error:
            self.problem = errno_name(error.errno or errno.EIO)
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Read no more."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def complaints(self) -> list[str]:
        """What was logged since the last call and is an oops, a warning or the like, each with its trace."""
        found = complaints_in(self._new_lines())
        taint = self._taint_now()
        names = [name for bit, name in _TAINTS.items() if (taint & ~self._taint) >> bit & 1]
        self._taint = taint
        if names and not found:
            found = [f"the kernel is now tainted: {', '.join(names)}"]
        return found

    def _taint_now(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int(Path(self._tainted).read_text(encoding="ascii"))
        return 0

    def _new_lines(self) -> list[str]:
        lines: list[str] = []
        while self.fd >= 0:
            try:
                record = os.read(self.fd, _RECORD_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten before we came; the next read goes on behind the gap
                    continue
                break
            if not record:
                break
            lines += _messages(record)
        return lines


def _messages(record: bytes) -> list[str]:
    """The text of a record: "4,1234,5678,-;text", then lines of key=value pairs that start with a space."""
    lines = record.decode("utf-8", "replace").splitlines()
    return [one_line(line.partition(";")[2]) for line in lines if ";" in line and not line.startswith(" ")]


def complaints_in(lines: list[str]) -> list[str]:
    """The lines that are a complaint, with the trace that follows each; at most 60."""
    kept: list[str] = []
    following = 0
    for line in lines:
        if _COMPLAINT.search(line):
            following = _LINES_AFTER
            kept.append(line)
        elif following:
            following = 0 if _END_OF_TRACE.search(line) else following - 1
            kept.append(line)
    if len(kept) > _MOST_LINES:
        kept = [*kept[:_MOST_LINES], f"... and {len(kept) - _MOST_LINES} more lines"]
    return kept
