# SPDX-License-Identifier: MIT
"""The cache of unpacked kernels: one folder each, taken for complete only when its kernel.json says so."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from drmbench.errors import DrmbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Raise it whenever the record, or what a fetch keeps of the packages, changes: older entries are fetched anew.
SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class CachedKernel:
    """What kernel.json records about one fetched kernel; paths are relative to its folder.

    release    `uname -r` of it
    packages   package -> full version, all that went into it
    image      the kernel that QEMU boots
    headers    the tree that modules are built against
    compiler   the gcc package that the kernel was built with
    libraries  packages of the libraries that its build programs are linked with
    """

    name: str
    release: str
    version: str
    image: str
    headers: str
    packages: dict[str, str]
    compiler: str
    libraries: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The kernel in `folder`, or None where a fetch has not finished or something is missing."""
        try:
            record = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
            if record.pop("schema_version", None) != SCHEMA_VERSION:
                return None
            record["libraries"] = tuple(record["libraries"])
            kernel = cls(**record)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        present = (folder / kernel.image).is_file() and kernel.modules_dep(folder).is_file()
        return kernel if present else None

    def modules_dep(self, folder: Path) -> Path:
        """The table of depmod(8), without which modprobe in the guest finds nothing."""
        return folder / "lib/modules" / self.release / "modules.dep"

    def write(self, folder: Path) -> None:
        """Record that `folder` is complete; the last step of a fetch."""
        record = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        (folder / "kernel.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def cache_root() -> Path:
    """$XDG_CACHE_HOME/drmbench or ~/.cache/drmbench; a relative $XDG_CACHE_HOME counts as unset (XDG says so)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if named.startswith("/"):
        return Path(named) / "drmbench"
    home = os.environ.get("HOME", "")
    if not home.startswith("/"):
        raise DrmbenchError("vm", "cache", reason="neither HOME nor XDG_CACHE_HOME names a directory",
                            remedy="set XDG_CACHE_HOME")
    return Path(home) / ".cache/drmbench"


def kernel_folder(name: str) -> Path:
    """Where the kernel called `name` is, or will be."""
    return cache_root() / "kernels" / name


def directory_bytes(folder: Path) -> int:
    """The size of all files below `folder`."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _failure_note(name: str) -> Path:
    return cache_root() / "kernels" / f"{name}.failed"


def record_failure(name: str, reason: str) -> None:
    """Remember for `vm list` why the kernel called `name` could not be fetched."""
    with contextlib.suppress(OSError):
        _failure_note(name).write_text(f"{reason}\n", encoding="utf-8")


def forget_failure(name: str) -> None:
    """The kernel called `name` is there now."""
    with contextlib.suppress(OSError):
        _failure_note(name).unlink()


def last_failure(name: str) -> str:
    """Why the last fetch of the kernel called `name` failed, or ""."""
    try:
        return _failure_note(name).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def make_directory(path: Path) -> Path:
    """`path`, created with its parents; raises DrmbenchError where that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DrmbenchError("vm", f"cache {path}", errno=error.errno,
                            remedy="set XDG_CACHE_HOME to a directory that you can write") from error
    return path


@contextlib.contextmanager
def locked(name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of one cache entry; calls `waiting` once where another process has it."""
    folder = make_directory(cache_root())
    with (folder / f"{name}.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
