# SPDX-License-Identifier: MIT
"""KVM or software emulation: decided by starting the very kernel under KVM, not by looking at /dev/kvm."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from drmbench.vm.names import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.errors import UsageError

VARIABLE = "DRMBENCH_VM_ACCEL"
CHOICES = ("kvm", "tcg")
_LIMIT_S = 5.0


def choose(qemu: str, image: Path) -> str:
    """Decide on "kvm", where `image` starts under it within 5 s, or "tcg"; $DRMBENCH_VM_ACCEL overrides.

    A nested or restricted KVM often creates a vCPU and then aborts on an MSR, or runs firmware and
    hangs in the kernel, so only the kernel's own first line proves that it works. Nothing is cached.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted in CHOICES:
        return wanted
    if wanted:
        raise _unknown(wanted)
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    return "kvm" if starts(image, [qemu, "-machine", "accel=kvm", "-cpu", "host,topoext=on"]) else "tcg"


def _unknown(wanted: str) -> UsageError:
    return nearest(VARIABLE, wanted, list(CHOICES), "leave it unset to have it probed")


def starts(image: Path, qemu: list[str], limit_s: float = _LIMIT_S) -> bool:
    """Whether `qemu` gets `image` as far as its first line on the serial port within `limit_s` seconds.

    The options are those that virtme-ng gives for x86: a fault that it would meet shows here.
    """
    command = [*qemu, "-m", "512M", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
               "-kernel", str(image), "-append", "earlyprintk=serial,ttyS0,115200 console=ttyS0 panic=-1"]
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
    except OSError:
        return False
    try:
        return _says_version(process, limit_s)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def _says_version(process: subprocess.Popen[bytes], limit_s: float) -> bool:
    if process.stdout is None:
        return False
    deadline = time.monotonic() + limit_s
    seen = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(timeout=max(0.0, deadline - time.monotonic())):
                return False
            piece = os.read(process.stdout.fileno(), 65536)
            seen += piece
            if b"Linux version" in seen:
                return True
            if not piece:
                return False
    return False
