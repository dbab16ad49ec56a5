# SPDX-License-Identifier: MIT
"""What the kernel says in /proc, /sys and /boot, read below a root that a test can choose; nothing is ever written."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from dataclasses import dataclass

from drmbench.errors import errno_name, one_line


class Unreadable(Exception):  # noqa: N818 (what it says of a file, never an error of the program)
    """A file that is missing, may not be read or holds something else; its text is the reason, in a line."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(one_line(f"{path}: {reason}"))


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """Readers of absolute paths below `root`; each raises Unreadable, and nothing else, for what is not there."""

    root: str = ""

    def text(self, path: str) -> str:
        """The whole file; a .gz is unpacked."""
        try:
            with open(self.root + path, "rb") as file:
                data = file.read()
            return (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8", "replace")
        except OSError as error:
            raise Unreadable(path, errno_name(error.errno) if error.errno else "it is no gzip file") from None
        except (EOFError, zlib.error):
            raise Unreadable(path, "it is cut short") from None

    def line(self, path: str) -> str:
        """The file as one clean line, without blanks around it."""
        return one_line(self.text(path))

    def number(self, path: str) -> int:
        """A file that holds one decimal number."""
        line = self.line(path)
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", line):
            raise Unreadable(path, f"{line[:40]!r} is no number")
        return int(line)

    def choice(self, path: str) -> str:
        """The bracketed word of a sysfs choice: "always [madvise] never" -> "madvise"."""
        line = self.line(path)
        match = re.search(r"\[(\w+)\]", line)
        if match is None:
            raise Unreadable(path, f"{line[:40]!r} has no choice in it")
        return match[1]

    def names(self, path: str) -> list[str]:
        """What is in a directory, sorted."""
        try:
            return sorted(os.listdir(self.root + path))
        except OSError as error:
            raise Unreadable(path, errno_name(error.errno or 0)) from None

    def link(self, path: str) -> str:
        """Where a symbolic link points, as it says itself."""
        try:
            return os.readlink(self.root + path)
        except OSError as error:
            raise Unreadable(path, errno_name(error.errno or 0)) from None

    def has(self, path: str) -> bool:
        """Whether something is there that we may know of."""
        return os.path.exists(self.root + path)


THIS_MACHINE = KernelFiles()


def cpu_list(text: str) -> set[int]:
    """The kernel's list of CPUs: "0-2,5" -> {0, 1, 2, 5}; what it is not is left out, and so are absurd ranges."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*", part)
        if match is not None:
            first = int(match[1])
            found |= set(range(first, min(int(match[2] or first), first + (1 << 16)) + 1))
    return found
