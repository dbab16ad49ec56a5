# SPDX-License-Identifier: MIT
"""Several stress runs on one machine: their rounds run side by side, but one waits for the others to look at memory.

Two device files serve as locks: they are there for everyone, and nothing is left of a lock when its holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_GATE = "/dev/full"
_ROOM = "/dev/zero"


@contextlib.contextmanager
def in_company() -> Iterator[None]:
    """For a round: nobody looks at memory meanwhile."""
    with contextlib.ExitStack() as stack:
        with _held(_GATE, fcntl.LOCK_EX):
            stack.enter_context(_held(_ROOM, fcntl.LOCK_SH))
        yield


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """To look at memory: waits until no round of another run is on, and lets none begin."""
    with _held(_GATE, fcntl.LOCK_EX), _held(_ROOM, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def _held(path: str, how: int) -> Iterator[None]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)  # a child may have the same open file
        os.close(fd)
