# SPDX-License-Identifier: MIT
"""A small process that puts tracing back however the process that changed it ends, SIGKILL included.

It reads an undo journal from a pipe. Every change is written there before it is made; when the pipe is closed,
by us or by our death, the keeper undoes the journal from its end to its start.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Literal, NamedTuple

from drmbench.errors import DrmbenchError
from drmbench.trace.tracefs import write_control

_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)
_RMDIR_TRIES = 50
_RMDIR_PAUSE_S = 0.1


class Undo(NamedTuple):
    """Write `words` to `path` as write_control() does, or remove the instance `path`."""

    kind: Literal["write", "rmdir"]
    path: str
    words: list[str]


def undo_all(journal: list[Undo]) -> list[str]:
    """Undo the last entry first; returns what could not be undone, each in a line."""
    failures = []
    for entry in reversed(journal):
        try:
            if entry.kind == "rmdir":
                _remove_instance(entry.path)
            else:
                write_control(Path(entry.path), entry.words)
        except DrmbenchError as error:
            failures.append(str(error))
    return failures


def _remove_instance(path: str) -> None:
    """An instance is busy while somebody holds a file of it, such as a process that is about to die."""
    for attempt in range(_RMDIR_TRIES):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or attempt == _RMDIR_TRIES - 1:
                raise DrmbenchError(path, "rmdir", errno=error.errno or errno.EIO) from None
            time.sleep(_RMDIR_PAUSE_S)
        else:
            return


class Keeper:
    """The journal, and the process that undoes it. Fork it before anything is changed or opened."""

    def __init__(self) -> None:
        self._journal: list[Undo] = []
        journal_read, self._journal_fd = os.pipe()
        self._answer_fd, answer_write = os.pipe()
        try:
            self.pid = os.fork()
        except OSError as error:
            for fd in (journal_read, self._journal_fd, self._answer_fd, answer_write):
                os.close(fd)
            raise DrmbenchError("trace", "fork", errno=error.errno or errno.EIO) from None
        if self.pid == 0:
            _keep(journal_read, answer_write)
        os.close(journal_read)
        os.close(answer_write)

    def will_change(self, entry: Undo) -> None:
        """Note how a change is undone; call it before the change."""
        self._journal.append(entry)
        with contextlib.suppress(BrokenPipeError):  # then the keeper is gone, and undo() is left to us
            os.write(self._journal_fd, json.dumps(entry).encode() + b"\n")

    def undo(self) -> list[str]:
        """Have everything put back, once; returns what could not be, each in a line."""
        os.close(self._journal_fd)
        with os.fdopen(self._answer_fd, "rb") as answers:
            answer = answers.read()
        _pid, status = os.waitpid(self.pid, 0)
        if status == 0:
            return answer.decode("utf-8", "replace").splitlines()
        return undo_all(self._journal)


def _keep(journal_fd: int, answer_fd: int) -> None:
    """The keeper's whole life."""
    status = 1
    try:
        os.setsid()
        for number in _DEAF_TO:
            signal.signal(number, signal.SIG_IGN)
        _close_all_but({journal_fd, answer_fd})
        with os.fdopen(journal_fd, "rb") as lines:
            journal = [Undo(*json.loads(line)) for line in lines if line.endswith(b"\n")]
        failures = undo_all(journal)
        with contextlib.suppress(OSError):  # where nobody is left to hear it
            os.write(answer_fd, "\n".join(failures).encode())
        status = 0
    finally:
        os._exit(status)


def _close_all_but(kept: set[int]) -> None:
    """Nothing of ours may stay open: a pipe on stdout, a DRM node, the lock that says who measures."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd not in kept:
            with contextlib.suppress(OSError):
                os.close(fd)
