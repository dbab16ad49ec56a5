# SPDX-License-Identifier: MIT
"""All that an arm64 guest is made of, brought into the cache: kernel, root, drmbench's extension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.vm.arm64_kernel import COMPILER, ensure_kernel
from drmbench.vm.arm64_native import ensure_extension
from drmbench.vm.arm64_root import ensure_root
from drmbench.vm.cache import directory_bytes
from drmbench.vm.programs import require
from drmbench.vm.progress import Progress, megabytes

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.vm.image import BootKernel


@dataclass(frozen=True, slots=True)
class Parts:
    """What lies in the cache: the kernel with its modules, the root directory, the extension module."""

    kernel: BootKernel
    root: Path
    extension: Path


def ensure_parts(kernel: str, *, again: bool = False) -> Parts:
    """Make what of an arm64 guest with `kernel` is missing or out of date, all of it with `again`.

    Raises UsageError for an unknown kernel, UnsupportedError where this system has no Debian archive,
    DrmbenchError where a program is missing, the mirror or PyPI fails, or the disk is full.
    """
    with Progress() as progress:
        boot = ensure_kernel(kernel, progress, again=again)
        root = ensure_root(progress, again=again)
        return Parts(boot, root, ensure_extension(root, progress))


def fetch_arm64(kernel: str, *, again: bool = False) -> str:
    """Make the parts and return one line about them; raises as `ensure_parts` does."""
    require("dpkg-deb", "depmod", "make", COMPILER)
    parts = ensure_parts(kernel, again=again)
    return (f"arm64: {parts.kernel.label}, {megabytes(directory_bytes(parts.kernel.tree))} in {parts.kernel.tree}; "
            f"root, {megabytes(directory_bytes(parts.root))} in {parts.root}")
