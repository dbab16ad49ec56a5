# SPDX-License-Identifier: MIT
"""A cache entry made in full beside its place, then put there: a reader never sees half of one."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.cache import make_directory

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new directory that takes the place of `folder` where the block ends well, and is removed where it does not.

    The caller holds the entry's lock. Raises DrmbenchError where the disk fails.
    """
    make_directory(folder.parent)
    for leftover in folder.parent.glob(f".{folder.name}-*"):  # of a fetch that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent,
                                         ignore_cleanup_errors=True) as text:
            fresh = Path(text) / "new"
            fresh.mkdir()
            yield fresh
            if folder.exists():
                folder.rename(Path(text) / "old")
            fresh.rename(folder)
    except OSError as error:
        raise DrmbenchError("vm", f"fetch {folder.name}", errno=error.errno,
                            remedy="free some space, or set XDG_CACHE_HOME to another disk") from error
