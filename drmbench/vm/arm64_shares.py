# SPDX-License-Identifier: MIT
"""What an arm64 guest, whose root is not this machine's, gets of our files: the current directory and outputs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drmbench.vm.shares import Share, plan

if TYPE_CHECKING:
    from pathlib import Path

# Directories of the guest's own kernel, and one where we mount below.
_KERNELS_OWN = ("/dev", "/proc", "/sys")
_OURS = ("/", "/run", "/run/drmbench")


def plan_for_root(command: tuple[str, ...], root: Path, working: Path, extra: tuple[Path, ...]) -> list[Share]:
    """The writable shares of `plan`, and `working` with a layer of the guest's own on it, unless it has that directory.

    Where the guest's `root` has files in a directory called `working` (/usr), those are what it sees.
    """
    writable = [share for share in plan(command, root, working, extra) if share.writable]
    real = os.path.realpath(working)
    if any(share.path == working for share in writable) or not _is_ours(real, root):
        return writable
    shares = [Share(working, writable=False, layered=True), *writable]
    return sorted(shares, key=lambda share: len(share.path.parts))


def _is_ours(working: str, root: Path) -> bool:
    if working in _OURS or any(f"{working}/".startswith(f"{top}/") for top in _KERNELS_OWN):
        return False
    there = root / working.lstrip("/")
    return not (there.is_dir() and any(there.iterdir()))
