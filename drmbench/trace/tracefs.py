# SPDX-License-Identifier: MIT
"""tracefs: where it is mounted, and its control files, whose errors become one line with a way out."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from drmbench.errors import DrmbenchError, UnsupportedError

MOUNT = "sudo mount -t tracefs tracefs /sys/kernel/tracing"
_USUAL = "/sys/kernel/tracing"
_ALL = "####"  # "#### all functions enabled ####": how an empty filter shows itself


class Tracefs:
    """One tree of control files: the mounted tracefs, or an instance in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, name: str) -> bool:
        """Whether this kernel has the file."""
        return (self.root / name).exists()

    def read(self, name: str) -> str:
        """The whole file without the blanks around it. Raises DrmbenchError."""
        try:
            return (self.root / name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError as error:
            raise refusal(self.root / name, "read", error) from None

    def write(self, name: str, text: str) -> None:
        """Open the file as a shell's > does and write; "" only empties it. Raises DrmbenchError."""
        write_control(self.root / name, [text] if text else [])

    def prove_writable(self, name: str) -> None:
        """Open the file for writing, and write nothing. Raises DrmbenchError."""
        try:
            os.close(os.open(self.root / name, os.O_WRONLY | os.O_CLOEXEC))
        except OSError as error:
            raise refusal(self.root / name, "open for writing", error) from None

    def words(self, name: str) -> list[str]:
        """The entries of a filter, one a line; [] where it is empty. Raises DrmbenchError."""
        lines = self.read(name).splitlines()
        return [line for line in lines if not line.startswith(_ALL) and line != "no pid"]

    def set_words(self, name: str, words: list[str]) -> None:
        """Replace the entries of a filter. Raises DrmbenchError."""
        write_control(self.root / name, words)


def write_control(path: Path, words: list[str]) -> None:
    """Empty a control file by opening it, then write the words; a filter takes one a write(). Raises DrmbenchError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            for word in words:
                os.write(fd, f"{word}\n".encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise refusal(path, "write", error) from None


def refusal(path: Path, what: str, error: OSError) -> DrmbenchError:
    """What tracefs said, with what would help."""
    number = error.errno or errno.EIO
    remedy = ""
    if number in {errno.EACCES, errno.EPERM}:
        locked = _lockdown()
        remedy = f"the kernel is locked down ({locked}), which forbids tracing" if locked else "run as root"
    elif number == errno.ENOENT:
        remedy = "this kernel's tracefs does not have it"
    elif number == errno.EBUSY:
        remedy = "somebody else is tracing: wait, or stop it"
    return DrmbenchError(str(path), what, errno=number, remedy=remedy)


def _lockdown() -> str:
    try:
        text = Path("/sys/kernel/security/lockdown").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"\[(integrity|confidentiality)\]", text)
    return found[1] if found is not None else ""


def mounted_at(mounts: str) -> str | None:
    """Where tracefs is mounted, from the text of /proc/self/mounts; the usual place first."""
    places = []
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[2] == "tracefs":
            places.append(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[1]))
    return _USUAL if _USUAL in places else next(iter(places), None)


def find_tracefs() -> Tracefs:
    """The mounted tracefs; it is never mounted here.

    Raises UnsupportedError where the kernel has none, DrmbenchError where it is not mounted.
    """
    found = mounted_at(Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace"))
    if found is not None:
        return Tracefs(Path(found))
    kinds = Path("/proc/filesystems").read_text(encoding="ascii", errors="replace").split()
    if "tracefs" not in kinds:
        raise UnsupportedError("trace", "tracefs", errno=errno.ENODEV, reason="this kernel has none",
                               remedy="a kernel with CONFIG_FTRACE and CONFIG_FUNCTION_GRAPH_TRACER has")
    raise DrmbenchError("trace", "tracefs", errno=errno.ENOENT, reason="it is not mounted", remedy=MOUNT)
