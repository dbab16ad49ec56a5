# SPDX-License-Identifier: MIT
"""What the guest's kernel said: its console as it dies, its log after it lived."""

from __future__ import annotations

import re
from collections import deque

_KEPT_LINES = 400
_TAIL_LINES = 25
_BEFORE_PANIC_LINES = 8
_PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
_TROUBLE = re.compile(r"\b(?:WARNING: (?:CPU|possible|inconsistent|suspicious)|BUG: |Oops: |kernel BUG at|"
                      r"general protection fault|UBSAN: |INFO: task )")
_STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[[^\]]*\])? ?")
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")


class Console:
    """The last lines of a serial console, fed as bytes arrive."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rest = b""
        self.panic: str | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes, of any length."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for raw in whole:
            self._add(raw)

    def finish(self) -> None:
        """Take a last line that has no newline."""
        if self._rest:
            self._add(self._rest)
            self._rest = b""

    def _add(self, raw: bytes) -> None:
        line = _ESCAPE.sub("", raw.decode("utf-8", "replace")).rstrip()
        found = _PANIC.search(line)
        if found and self.panic is None:
            self.panic = found[1].strip()
        if line:
            self._lines.append(line)

    def tail(self, limit: int = _TAIL_LINES) -> list[str]:
        """At most `limit` lines: the last ones, or those around a panic, control sequences removed."""
        lines = list(self._lines)
        panics = [number for number, line in enumerate(lines) if _PANIC.search(line)]
        if panics:
            start = max(0, panics[0] - _BEFORE_PANIC_LINES)
            return lines[start:start + limit]
        return lines[-limit:]


def first_trouble(log: str, mark: str) -> str | None:
    """The first oops, BUG or WARNING that dmesg's text `log` shows after the line `mark`, without its time stamp."""
    _before, found, after = log.rpartition(mark)
    for line in (after if found else log).splitlines():
        if _TROUBLE.search(line):
            return _STAMP.sub("", line).strip()
    return None
