# SPDX-License-Identifier: MIT
"""A forked process that does one thing and sends one message back; it may crash, hang or never die."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from drmbench.conformance import calls
from drmbench.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

VANISHED = -1
"""In the place of a wait status: the process ended and left none. So end those that oops while they exit."""

_BROKEN_STATUS = 70
_CHUNK_BYTES = 1 << 16


class ForkedChild:
    """`work` in a forked process: its bytes are `message`, its wait status (or VANISHED) is `status` once it ended.

    own_group   lead a process group, so that kill() reaches what it forked
    close       descriptors that it must not inherit
    Raises OSError where fork() is refused.
    """

    def __init__(self, work: Callable[[], bytes], *, own_group: bool = False, close: Iterable[int] = ()) -> None:
        self.message = b""
        self.status: int | None = None
        self._own_group = own_group
        self._reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        parent = os.getpid()
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _live(work, writing, parent, own_group=own_group, close=(*close, self._reading))
        except OSError:
            os.close(self._reading)
            raise
        finally:
            os.close(writing)
        if own_group:
            with contextlib.suppress(OSError):  # it may have done so itself, or be gone
                os.setpgid(self.pid, self.pid)
        self._pidfd = os.pidfd_open(self.pid)

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within the time; collects what it sends meanwhile."""
        deadline = time.monotonic() + timeout_s
        poller = select.poll()
        poller.register(self._reading, select.POLLIN)
        poller.register(self._pidfd, select.POLLIN)
        while self.status is None:
            left_ms = max(0, int((deadline - time.monotonic()) * 1000))
            ready = {fd for fd, _events in poller.poll(left_ms)}
            if self._reading in ready and not self._collect():
                poller.unregister(self._reading)
            if self._pidfd in ready:
                while self._collect():
                    pass
                self.status = _reap(self.pid)
            elif not ready and time.monotonic() >= deadline:
                return False
        return True

    def _collect(self) -> bool:
        """Take what lies in the pipe; False where there is nothing, now or ever."""
        try:
            chunk = os.read(self._reading, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        self.message += chunk
        return bool(chunk)

    def kill(self) -> None:
        """SIGKILL for it, and for its group where it leads one."""
        with contextlib.suppress(OSError):
            if self._own_group:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)

    def group_is_alive(self) -> bool:
        """Whether a process that it forked is still there after its own end."""
        try:
            os.killpg(self.pid, 0)
        except OSError:
            return False
        return True

    def where(self) -> str:
        """What /proc knows of it: "state D in drm_gem_mmap", as far as this user may look."""
        parts = []
        stat = _proc(self.pid, "stat").rpartition(")")[2].split()
        if stat:
            parts.append(f"state {stat[0]}")
        channel = _proc(self.pid, "wchan")
        if channel not in {"", "0"}:
            parts.append(f"in {channel}")
        call = _proc(self.pid, "syscall").split()
        if call and call[0].isdigit():
            parts.append(f"system call {call[0]}")
        return ", ".join(parts)

    def close(self) -> None:
        """Forget it: it is neither waited for nor killed."""
        os.close(self._reading)
        os.close(self._pidfd)


def _reap(pid: int) -> int:
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return VANISHED


def _proc(pid: int, name: str) -> str:
    try:
        return one_line(Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def _live(
    work: Callable[[], bytes], writing: int, parent: int, *, own_group: bool, close: Iterable[int],
) -> NoReturn:
    """The child's whole life; nothing of the parent's runs on: no handler, no finally, no buffered output."""
    status = _BROKEN_STATUS
    try:
        faulthandler.disable()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if own_group:
            os.setpgid(0, 0)
        calls.die_with_parent()
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(_BROKEN_STATUS)
        for fd in close:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        message = work()
        os.set_blocking(writing, True)
        while message:
            message = message[os.write(writing, message):]
        status = 0
    finally:
        os._exit(status)
