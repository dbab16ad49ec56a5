# SPDX-License-Identifier: MIT
"""A process of our own that dumps core, and what the core file holds of one of its mappings.

Only shared memory is asked for (/proc/self/coredump_filter), so the file is small; it is gone afterwards.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from drmbench.conformance.case import Failed, Skipped

CORE_PATTERN = "/proc/sys/kernel/core_pattern"

# Bits 1 and 3 (core(5)): anonymous and file-backed shared memory.
_SHARED_MEMORY = "0xa"
_PT_LOAD = 1
# e_ident's class -> the rest of the ELF header, and a program header.
_HEADERS = {1: ("HHIIIIIHHHHHH", "IIIIIIII"), 2: ("HHIQQQIHHHHHH", "IIQQQQQQ")}
_LITTLE_ENDIAN = 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A PT_LOAD of a core file: where the process had it, and the bytes that the file holds of it."""

    address: int
    size_bytes: int
    data: bytes


def core_goes_elsewhere() -> str:
    """Why a core would not land in the current directory, "" where it does."""
    pattern = Path(CORE_PATTERN).read_text(encoding="utf-8", errors="replace").strip()
    if pattern.startswith(("|", "@")):
        return "this system hands cores to a program (kernel.core_pattern)"
    if "/" in pattern or not pattern:
        return "this system keeps cores in a place of its own, or none (kernel.core_pattern)"
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return "the hard limit of a core's size is 0 (RLIMIT_CORE)"
    return ""


def dump_core() -> list[Segment]:
    """Fork a process that dies with a core, and read it.

    Raises Skipped where no core can be had, Failed where the process ends in another way, OSError.
    """
    elsewhere = core_goes_elsewhere()
    if elsewhere:
        raise Skipped(elsewhere)
    with tempfile.TemporaryDirectory(prefix="drmbench-core-") as folder:
        child = os.fork()
        if child == 0:
            _die(folder)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGABRT:
            raise Failed("a process that aborts", "SIGABRT", f"wait status {status:#x}")
        found = sorted(Path(folder).iterdir())
        if not os.WCOREDUMP(status) or not found:
            raise Skipped("the kernel wrote no core")
        return segments(found[0].read_bytes())


def _die(folder: str) -> None:
    try:
        os.chdir(folder)
        limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
        Path("/proc/self/coredump_filter").write_text(_SHARED_MEMORY, encoding="ascii")
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()
    finally:
        os._exit(1)


def segments(core: bytes) -> list[Segment]:
    """The PT_LOAD segments of an ELF core. Raises ValueError for anything else."""
    if core[:4] != b"\x7fELF" or len(core) <= 16 or core[4] not in _HEADERS:
        raise ValueError("no ELF file")
    order = "<" if core[5] == _LITTLE_ENDIAN else ">"
    header, program = (order + layout for layout in _HEADERS[core[4]])
    fields = struct.unpack_from(header, core, 16)
    start, size, count = fields[4], fields[8], fields[9]
    found = []
    for at in range(start, start + size * count, size):
        entry = struct.unpack_from(program, core, at)
        # The 64-bit layout has p_flags second, the 32-bit one seventh.
        kind, offset, address, in_file, in_memory = (
            (entry[0], entry[2], entry[3], entry[5], entry[6]) if core[4] == 2
            else (entry[0], entry[1], entry[2], entry[4], entry[5])
        )
        if kind == _PT_LOAD:
            found.append(Segment(address, in_memory, core[offset:offset + in_file]))
    return found
