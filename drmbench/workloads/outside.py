# SPDX-License-Identifier: MIT
"""Memory of our own that is no mapping under test: the other end of a copy, and STREAM's arrays."""

from __future__ import annotations

import errno
import mmap
import re
from pathlib import Path
from typing import TYPE_CHECKING, Self

from drmbench.conformance import memory
from drmbench.environment import memory_available_bytes
from drmbench.errors import DrmbenchError
from drmbench.native import timed_mmap, timed_munmap

if TYPE_CHECKING:
    from types import TracebackType

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_STREAM_CACHES = 4  # STREAM's own rule: arrays of four times the cache at least
_MOST_ARRAY_BYTES = 256 << 20
_MEMORY_SHARE = 8
_LINE_BYTES = 64


class Outside:
    """Private anonymous memory, present and large enough for whoever asked for most; unmapped after the block."""

    def __init__(self) -> None:
        self._address = 0
        self._size_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._size_bytes:
            size_bytes, self._size_bytes = self._size_bytes, 0
            timed_munmap(self._address, size_bytes)

    def at_least(self, size_bytes: int) -> int:
        """The address of `size_bytes` of it, every page touched. Raises DrmbenchError(ENOMEM)."""
        if size_bytes > self._size_bytes:
            self._release()
            try:
                self._address, _stage = timed_mmap(0, size_bytes, mmap.PROT_READ | mmap.PROT_WRITE,
                                                   mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
            except OSError as error:
                raise DrmbenchError("bandwidth", "mmap", errno=error.errno or errno.ENOMEM,
                                    remedy="try a smaller --size") from None
            self._size_bytes = size_bytes
            memory.fill(self._address, size_bytes, 0)
        return self._address


def last_level_cache_bytes() -> int | None:
    """The largest cache that the kernel lists for CPU 0, or None where it lists none."""
    found = []
    for path in _CACHES.glob("index*/size"):
        size = re.fullmatch(r"(\d+)([KM]?)\s*", path.read_text(encoding="ascii", errors="replace"))
        if size is not None:
            found.append(int(size[1]) << {"": 0, "K": 10, "M": 20}[size[2]])
    return max(found, default=None)


def stream_array_bytes(size_bytes: int) -> int:
    """As large as the buffer and as four times the cache, if three of them leave most of the memory alone."""
    cache = last_level_cache_bytes() or 0
    wanted = max(size_bytes, min(_STREAM_CACHES * cache, _MOST_ARRAY_BYTES))
    available = memory_available_bytes()
    most = wanted if available is None else max(mmap.PAGESIZE, available // _MEMORY_SHARE)
    return min(wanted, most) // _LINE_BYTES * _LINE_BYTES
