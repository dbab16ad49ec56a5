# SPDX-License-Identifier: MIT
"""Host directories that the guest needs but would not see, or could not write."""

from __future__ import annotations

import errno
import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from drmbench.errors import UsageError

# virtme-ng's init puts a tmpfs on each of these, so what the host keeps there is hidden in the guest.
_HIDDEN = (
    "/run", "/dev", "/var/run", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/private",
    "/var/lib/machines", "/var/lib/portables", "/var/tmp",  # noqa: S108 (a name, nothing is made there)
)
# An overlay does not show file systems that are mounted below its lower directory.
_OVERLAID = ("/etc", "/lib", "/home", "/opt", "/srv", "/usr", "/var", "/tmp")  # noqa: S108 (names, none is made)
# Options whose value is a file that the command writes.
_OUTPUT_OPTIONS = ("--json", "--html", "--svg", "--csv", "--junitxml", "--output", "--save")


@dataclass(frozen=True, slots=True)
class Share:
    """One host directory that the guest gets at the same path; if `layered`, the guest writes to a copy."""

    path: Path
    writable: bool
    layered: bool = False


def is_hidden(path: Path) -> bool:
    """Whether the guest's own mounts cover `path`, an absolute path without symbolic links."""
    text = f"{path}/"
    if any(text.startswith(f"{top}/") for top in _HIDDEN):
        return True
    over = next((top for top in _OVERLAID if text.startswith(f"{top}/")), None)
    if over is None:
        return False
    between = [path, *path.parents][: len(path.parts) - len(Path(over).parts)]
    return any(folder.is_mount() for folder in between)


# Prefixes that other software shares: of these only the standard library is Python's own.
_COMMON_PREFIXES = (Path("/"), Path("/usr"), Path("/usr/local"))


def _resolved(path: str | Path) -> Path:
    return Path(os.path.realpath(path))


def needed(kernel_tree: Path, working: Path) -> list[Path]:
    """Directories that the guest cannot do without: modules, this Python, this package, where we are."""
    package = Path(__file__).parents[2]
    paths = [kernel_tree, working, package, Path(sys.prefix), Path(sys.base_prefix),
             Path(sys.executable).parent]
    paths += [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(":") if entry]
    return [_resolved(path) for path in paths if path.is_dir()]


def read_by_python() -> list[Path]:
    """Directories that every start of Python in the guest reads hundreds of files of: environment, library, package.

    On the guest's root each of these reads goes to the host; on a share of their own they are cached.
    """
    prefixes = [_resolved(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    paths = [path for path in prefixes if path not in _COMMON_PREFIXES]
    return [*paths, _resolved(sysconfig.get_path("stdlib")), _resolved(Path(__file__).parents[1])]


def output_directories(command: tuple[str, ...], working: Path) -> list[Path]:
    """Existing directories of the files that `command` says it will write (--json FILE, --json=FILE, ...)."""
    files = []
    for position, word in enumerate(command):
        option, equals, value = word.partition("=")
        if option not in _OUTPUT_OPTIONS:
            continue
        if not equals:
            value = command[position + 1] if position + 1 < len(command) else ""
        if value and value != "-":
            files.append(value)
    folders = [_resolved(working / file).parent for file in files]
    return [folder for folder in folders if folder.is_dir()]


def plan(command: tuple[str, ...], kernel_tree: Path, working: Path, extra: tuple[Path, ...]) -> list[Share]:
    """Everything to hand in, outer directories first, writable ones before read-only ones of the same path.

    Raises UsageError for a --share that is no directory, or a writable root directory.
    """
    writable = dict.fromkeys(output_directories(command, working))
    for path in extra:
        if not path.is_dir():
            raise UsageError("vm", f"share {path}", errno=errno.ENOTDIR if path.exists() else errno.ENOENT,
                             remedy="give an existing directory")
        writable[_resolved(path)] = None
    if Path("/") in writable:
        raise UsageError("vm", "share /", reason="the root directory cannot be handed into the guest",
                         remedy="write to a directory below it")
    shares = [Share(path, writable=True) for path in writable]
    covered = list(writable)
    hidden = [path for path in needed(kernel_tree, working) if is_hidden(path)]
    for path in sorted(dict.fromkeys([*hidden, *read_by_python()])):
        if not any(path.is_relative_to(other) for other in covered):
            shares.append(Share(path, writable=False))
            covered.append(path)
    return sorted(shares, key=lambda share: len(share.path.parts))
