# SPDX-License-Identifier: MIT
"""A memory cgroup (version 2) for one block: made, limited, and taken away again."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.conformance.case import Need, Skipped
from drmbench.errors import errno_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drmbench.conformance.subject import Subject

ROOT = "/sys/fs/cgroup"
_GONE_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class MemoryCgroup:
    """A cgroup by its folder."""

    folder: Path

    def enter(self) -> None:
        """Move this process there. Raises OSError."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    @property
    def killed(self) -> int:
        """How many of its processes the kernel killed for want of memory."""
        events = dict(line.split() for line in (self.folder / "memory.events").read_text(encoding="ascii").splitlines())
        return int(events.get("oom_kill", 0))


@contextlib.contextmanager
def memory_cgroup(limit_bytes: int, root: str = ROOT) -> Iterator[MemoryCgroup]:
    """A cgroup below the root whose processes may use so much memory, and no swap. Raises Skipped."""
    folder, control = Path(root, f"drmbench-{secrets.token_hex(4)}"), Path(root, "cgroup.subtree_control")
    try:
        enabled = "memory" in control.read_text(encoding="ascii").split()
        if not enabled:
            control.write_text("+memory", encoding="ascii")
        folder.mkdir()
    except OSError as error:
        raise Skipped(f"no memory cgroup can be made: {errno_name(error.errno or 0)}") from None
    try:
        (folder / "memory.max").write_text(str(limit_bytes), encoding="ascii")
        with contextlib.suppress(OSError):  # a kernel without swap accounting has no such file
            (folder / "memory.swap.max").write_text("0", encoding="ascii")
        yield MemoryCgroup(folder)
    finally:
        _remove(folder)
        if not enabled:
            control.write_text("-memory", encoding="ascii")


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _GONE_WITHIN_S
    while True:
        try:
            folder.rmdir()
        except OSError:  # a process of it is still on its way out
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_EVERY_S)
        else:
            return


def _missing(_subject: Subject) -> str:
    if os.geteuid() != 0:
        return "needs root"
    try:
        controllers = Path(ROOT, "cgroup.controllers").read_text(encoding="ascii").split()
    except OSError:
        return f"no cgroup2 at {ROOT}"
    return "" if "memory" in controllers else "no memory controller for cgroup2"


MEMORY_CGROUP = Need("memory-cgroup", _missing)
