# SPDX-License-Identifier: MIT
"""A process group that never outlives us: QEMU and all between, ended on every way out."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GRACE_S = 2.0
# Reads until the pipe from us closes, which the kernel sees to even if we are killed.
_GUARD = """\
read -r _
kill -s TERM -- "-$1"
sleep 2
kill -s KILL -- "-$1"
rm -rf -- "$2"
"""


@contextlib.contextmanager
def group(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in a session of its own, its output in a pipe, and end the whole session on exit.

    A guard process ends it and removes `folder` even where we are killed with SIGKILL.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=environment, cwd="/", start_new_session=True)
    guard = None
    try:
        guard = subprocess.Popen(["/bin/sh", "-c", _GUARD, "sh", str(process.pid), str(folder)],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 cwd="/", start_new_session=True)
        yield process
    finally:
        end_group(process)
        if guard is not None:
            guard.kill()
            guard.communicate()


def run_whole(command: list[str], *, environment: dict[str, str] | None = None,
              timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end and return its output; where it is cut short, its children end with it.

    Those of dpkg-deb and make would go on writing into a directory that is being removed. Raises
    DrmbenchError (ETIMEDOUT) after `timeout_s` seconds.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment, text=True, errors="replace", start_new_session=True)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except BaseException as error:
        _signal(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise DrmbenchError("vm", " ".join(command[:2]), errno=errno.ETIMEDOUT,
                                reason=f"not finished after {timeout_s:g} s", remedy="try again") from error
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Terminate, then kill, every process in the group that `process` leads, and reap it."""
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_GRACE_S)
    _signal(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def _signal(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
