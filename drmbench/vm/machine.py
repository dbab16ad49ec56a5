# SPDX-License-Identifier: MIT
"""One virtual machine from start to end: watch it, stream the command's output, explain its death."""

from __future__ import annotations

import contextlib
import errno as errno_table
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.console import Console
from drmbench.vm.processes import group
from drmbench.vm.stream import Follower
from drmbench.vm.vng import harmless_virtme

if TYPE_CHECKING:
    from pathlib import Path

_POLL_S = 0.05
_STAGES = {"": "before the guest's init ran", "booted": "while the guest set up its mounts",
           "drivers": "while the drivers loaded", "running": "while the command ran"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the command ended: its exit status, the guest's kernel log, the console's last lines."""

    status: int
    kernel_log: str
    console: list[str]


class LabError(DrmbenchError):
    """The virtual machine was lost or never got as far as the command; `console` explains it."""

    def __init__(self, what: str, *, errno: int | None = None, reason: str, remedy: str = "",
                 console: list[str] | None = None) -> None:
        super().__init__("vm", what, errno=errno, reason=reason, remedy=remedy)
        self.console = console or []


def boot(command: list[str], exchange: Path, scratch: Path, timeout_s: float) -> Outcome:
    """Run vng's `command` until the guest has written its status into `exchange`.

    Raises LabError where the guest panics, gives up, ends without a status or takes longer than
    `timeout_s` seconds. No process of the machine is left on any way out.
    """
    console = Console()
    sys.stdout.flush()
    sys.stderr.flush()
    # A configuration file of the user's virtme-ng could change the machine; its HOME is ours instead.
    # vng looks for its own virtme-run on PATH, where a .venv that is not activated does not lie.
    path = f"{os.path.dirname(command[0])}:{os.environ.get('PATH', os.defpath)}"
    variables = {**os.environ, "HOME": str(scratch), "TMPDIR": str(scratch), "PATH": path,
                 **harmless_virtme(scratch)}
    with (
        Follower(exchange / "stdout", sys.stdout.fileno()) as out,
        Follower(exchange / "stderr", sys.stderr.fileno()) as err,
        group(command, scratch, variables) as process,
    ):
        ended = _watch(process, console, exchange, (out, err), time.monotonic() + timeout_s)
        out.pump()
        err.pump()
        console.finish()
        _explain(ended, console, exchange, process, timeout_s)
        return Outcome(_status(exchange), _text(exchange / "kmsg"), console.tail())


def _watch(process: subprocess.Popen[bytes], console: Console, exchange: Path,
           followers: tuple[Follower, ...], deadline: float) -> str:
    """Wait for "status", "failure", "ended" (vng is gone) or "timeout"."""
    if process.stdout is None:
        raise LabError("vng", reason="started without a console")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if report := _report(exchange):
                return report
            for follower in followers:
                follower.pump()
            if selector.get_map() and selector.select(_POLL_S):
                piece = os.read(process.stdout.fileno(), 1 << 16)
                console.feed(piece)
                if not piece:
                    selector.unregister(process.stdout)
            elif process.poll() is not None:
                return _report(exchange) or "ended"
            elif not selector.get_map():
                time.sleep(_POLL_S)
    return "timeout"


def _report(exchange: Path) -> str:
    return next((name for name in ("status", "failure") if (exchange / name).exists()), "")


def _explain(ended: str, console: Console, exchange: Path, process: subprocess.Popen[bytes],
             timeout_s: float) -> None:
    when = _STAGES.get(_text(exchange / "stage").strip(), "")
    tail = console.tail()
    if ended == "failure":
        what, _newline, reason = _text(exchange / "failure").strip().partition("\n")
        raise LabError(what, reason=reason or "failed in the guest", console=_log_tail(exchange) or tail,
                       remedy="see the kernel's messages above, or try another --kernel or --device")
    if ended == "timeout":
        raise LabError("guest", errno=errno_table.ETIMEDOUT, console=tail,
                       reason=f"not finished after {timeout_s:g} s, {when}",
                       remedy="raise --timeout, or see the console above")
    if ended == "ended":
        if console.panic is not None:
            raise LabError("guest", reason=f"kernel panic {when}: {console.panic}", console=tail,
                           remedy="see the console above")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        raise LabError("guest", reason=f"the machine ended {when} (vng exit status {process.returncode})",
                       console=tail, remedy="see the console above")


def _status(exchange: Path) -> int:
    text = _text(exchange / "status").strip()
    if not text.isdigit():
        raise LabError("guest", reason=f"the exit status arrived as {text!r}",
                       remedy="is the disk that holds the temporary directory full?")
    return int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _log_tail(exchange: Path) -> list[str]:
    return _text(exchange / "kmsg").splitlines()
